"""Workers import TensorFlow without Keras, and Keras still works where somebody asks for it afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.tf

ALONE = "from vista_nb.executor.cnn.tensorflow_alone import import_tensorflow; tf = import_tensorflow(); import sys; "


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_tensorflow_comes_without_keras() -> None:
    """And it computes."""
    code = ALONE + "print('keras' in sys.modules, 'sklearn' in sys.modules, float(tf.reduce_sum(tf.ones((2, 3)))))"
    assert run(code) == "False False 6.0"


def test_keras_can_be_imported_afterwards() -> None:
    """In each of the ways that people write it, with one and the same Keras behind."""
    code = ALONE + (
        "from tensorflow.keras import layers; import tensorflow.keras.models; import keras; "
        "model = tf.keras.Sequential([keras.Input((3,)), layers.Dense(2)]); "
        "print(model(tf.ones((4, 3))).shape, isinstance(model, keras.Model))"
    )
    assert run(code) == "(4, 2) True"


def test_a_keras_that_is_there_already_stays() -> None:
    """Where user code imported it first, nothing is hidden."""
    code = "import keras; " + ALONE + "print(sys.modules['keras'] is keras, tf.keras.Model is not None)"
    assert run(code) == "True True"
