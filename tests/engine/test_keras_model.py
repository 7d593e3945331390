"""A Keras model as M: trained by a process of its own, for vectors of any width; this process imports no TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.keras_process import with_width
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out
from vista_nb.spec.model import EstimatorCall, Task

pytestmark = pytest.mark.tf

KEYS = [f"k{i}" for i in range(300)]
TEST = held_out(KEYS, 0, 0.3)


def dense(units: int, activation: str = "linear") -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": {"units": units, "activation": activation}}


def sequential(*layers: dict[str, Any]) -> str:
    """What `keras.saving.serialize_keras_object` writes of an unbuilt Sequential model."""
    config = {"name": "net", "trainable": True, "layers": list(layers)}
    adam = {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.01}}
    made = {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}
    return json.dumps(made | {"compile_config": {"optimizer": adam, "loss": None}})


def matrix() -> np.ndarray:
    return np.random.default_rng(0).normal(3.0, 20.0, size=(300, 6)).astype(np.float32)


def classes() -> Labels:
    """Only a hidden layer can tell: the sign of a product."""
    x = matrix() - 3.0
    return encode_labels([f"c{int(v > 0)}" for v in x[:, 0] * x[:, 1]], TEST, "y")


@pytest.mark.parametrize("last", [dense(2), dense(1, "sigmoid")], ids=["logits", "one output"])
def test_a_network_of_the_notebook_learns(tmp_path: Path, last: dict[str, Any]) -> None:
    """What no linear model can; the file that is kept scores new rows the same."""
    own = OwnModel("net", "keras", sequential(dense(32, "relu"), last), tmp_path)
    call = EstimatorCall("variable", "net", (("epochs", 60), ("batch_size", 16)))
    labels = classes()
    result = fit_driver(matrix(), KEYS, labels, TEST, call, own=own)
    assert np.mean(result.truth == result.predictions) > 0.75
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1.0, atol=1e-5)
    rows = [KEYS.index(key) for key in result.keys]
    assert result.model.predict(matrix()[rows]).tolist() == result.predictions.tolist()
    assert result.model.file.suffix == ".keras"


def test_a_regression_in_its_own_unit(tmp_path: Path) -> None:
    """Prices of hundreds of thousands are no trouble: the label is scaled inside."""
    own = OwnModel("net", "keras", sequential(dense(16, "relu"), dense(1)), tmp_path)
    values = 300_000 + 4_000 * matrix()[:, 0]
    labels = encode_labels(values.tolist(), TEST, "price", task=Task.REGRESSION)
    call = EstimatorCall("variable", "net", (("epochs", 60), ("batch_size", 16)))
    result = fit_driver(matrix(), KEYS, labels, TEST, call, own=own)
    assert np.sqrt(np.mean((result.truth - result.predictions) ** 2)) < 0.4 * values.std()


def test_a_network_that_does_not_fit_the_label_is_named(tmp_path: Path) -> None:
    own = OwnModel("net", "keras", sequential(dense(5)), tmp_path)
    with pytest.raises(VistaRunError, match=r"VST527: \$net gives 5 outputs, and the label is 2 classes"):
        fit_driver(matrix(), KEYS, classes(), TEST, EstimatorCall("variable", "net"), own=own)


def test_the_width_is_the_layers() -> None:
    """An input of another width, and what was built for it, leave; the rest stays."""
    layer = {"class_name": "InputLayer", "config": {"batch_shape": [None, 99], "name": "x"}}
    built = {**dense(3), "build_config": {"input_shape": [None, 99]}}
    config = {"class_name": "Sequential", "config": {"layers": [layer, built]}, "compile_config": {"loss": "mse"}}
    found = with_width(config, 12)
    assert found["config"]["layers"][0]["config"] == {"batch_shape": [None, 12], "name": "x"}
    assert found["config"]["layers"][1] == dense(3)
    assert "compile_config" not in found


def test_keras_models_of_the_notebook_in_a_process_of_their_own() -> None:
    """Sequential without an input, functional with one of another width, compiled: described, then trained."""
    import subprocess
    import sys

    script = """
import sys, numpy as np, keras, tempfile, pathlib
from vista_nb.session.own_estimators import find_own_model
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.split import encode_labels, held_out
from vista_nb.spec.model import EstimatorCall, Spec
x = np.random.default_rng(0).normal(size=(200, 7)).astype("float32")
keys = [str(i) for i in range(200)]
test = held_out(keys, 0, 0.3)
labels = encode_labels(["ab"[int(v > 0)] for v in x[:, 0]], test, "y")
inside = keras.Input((99,))
functional = keras.Model(inside, keras.layers.Dense(2)(keras.layers.Dropout(0.1)(inside)))
functional.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
sequential = keras.Sequential([keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2, activation="softmax")])
for name, net in (("f", functional), ("s", sequential)):
    spec = Spec(model=EstimatorCall("variable", name))
    found = find_own_model(spec, {name: net})
    call = EstimatorCall("variable", name, (("epochs", 100), ("batch_size", 16)))
    result = fit_driver(x, keys, labels, test, call, own=found.model)
    print(name, found.facts.kind, found.facts.family, float(np.mean(result.truth == result.predictions)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [line.split() for line in done.stdout.splitlines()]
    assert [line[:3] for line in found] == [["f", "keras", "deep"], ["s", "keras", "deep"]]
    assert all(float(line[3]) > 0.8 for line in found)


def test_what_the_variable_is_not(tmp_path: Path) -> None:
    """A class, a number, nothing at all: each named, with what to write."""
    from sklearn.svm import SVC

    from vista_nb.session.own_estimators import find_own_model
    from vista_nb.spec.model import Spec

    spec = Spec(model=EstimatorCall("variable", "mine"))
    with pytest.raises(VistaDataError, match="VST368: there is no variable mine"):
        find_own_model(spec, {"mime": 1})
    with pytest.raises(VistaDataError, match=r"VST369: \$mine is the class SVC"):
        find_own_model(spec, {"mine": SVC})
    with pytest.raises(VistaDataError, match=r"VST369: \$mine is a int, no model"):
        find_own_model(spec, {"mine": 1})
    found = find_own_model(spec, {"mine": SVC(C=3)})
    assert found is not None
    assert (found.facts.kind, found.facts.tasks, found.facts.scores) == ("sklearn", ("classification",), "margins")
    assert find_own_model(spec, {"mine": lambda x, y: None}).facts.kind == "callable"  # type: ignore[union-attr]
