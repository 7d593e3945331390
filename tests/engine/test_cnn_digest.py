"""The model digest follows what the CNN computes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.tf


def small(seed=0, strides=1, activation="relu", middle=None, extra=0):
    """A CNN with automatic names; `extra` models made before it shift Keras' counters."""
    import keras

    for _ in range(extra):
        keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.ReLU()])
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, strides=strides, name=middle)(image)
    x = keras.layers.Activation(activation)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(5)(x))


def digest(model):
    from vista_nb.executor.cnn.digest import model_digest

    return model_digest(model)


def test_automatic_names_do_not_matter():
    """The same model built after others, whose layers are numbered on, has the same digest."""
    first, later = small(), small(extra=3)
    assert [layer.name for layer in first.layers] != [layer.name for layer in later.layers]
    assert digest(first) == digest(later)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"strides": 2}, {"activation": "gelu"}, {"middle": "conv5"}], ids=lambda c: next(iter(c))
)
def test_what_matters(change):
    """Weights, strides, activation and names given by hand (layers are found by them) each change the digest."""
    assert digest(small()) != digest(small(**change))


def test_one_weight_matters():
    """A single changed value of a single array; batch norm's moving mean counts as well."""
    model = small()
    before = digest(model)
    mean = next(weight for weight in model.weights if "moving_mean" in weight.path)
    mean.assign(np.asarray(mean) + np.float32(1e-6))
    assert digest(model) != before


def test_training_flags_do_not_matter():
    """`trainable` changes training, not inference."""
    model = small()
    before = digest(model)
    model.trainable = False
    assert digest(model) == before


def test_wiring_matters():
    """Two inputs of a subtraction swapped: same layers, same weights, another function."""
    import keras

    def wired(swap):
        keras.utils.set_random_seed(0)
        image = keras.Input((4, 4, 3))
        a, b = keras.layers.Conv2D(2, 1, name="a")(image), keras.layers.Conv2D(2, 1, name="b")(image)
        return keras.Model(image, keras.layers.Subtract()([b, a] if swap else [a, b]))

    assert digest(wired(False)) != digest(wired(True))


def test_saving_and_loading_keeps_the_digest(tmp_path):
    """A `.keras` file gives the digest of the model it was saved from."""
    import keras

    model = small()
    model.save(tmp_path / "m.keras")
    assert digest(keras.models.load_model(tmp_path / "m.keras", compile=False)) == digest(model)


def nested(seed=0, extra=0, inner_activation="relu", twice=True):
    """A model in a model, all names automatic, some of them the same on both levels."""
    import keras

    small(extra=extra)
    keras.utils.set_random_seed(seed)
    inner_image = keras.Input((8, 8, 4))
    inner = keras.Model(
        inner_image, keras.layers.Conv2D(4, 3, padding="same", activation=inner_activation)(inner_image) + inner_image
    )
    image = keras.Input((8, 8, 3))
    x = inner(keras.layers.Conv2D(4, 3, padding="same")(image))
    return keras.Model(image, inner(x) if twice else x)


def test_automatic_names_of_nested_models_do_not_matter():
    """Neither the nested layers' numbers nor the nested model's, and operations such as `+` are numbered too."""
    assert digest(nested()) == digest(nested(extra=2))


@pytest.mark.parametrize("change", [{"inner_activation": "gelu"}, {"twice": False}], ids=lambda c: next(iter(c)))
def test_what_matters_inside_a_nested_model(change):
    """Same weights, another activation inside, or one call fewer: another function, another digest."""
    assert digest(nested()) != digest(nested(**change))


def test_same_weights_and_another_architecture_never_share_a_digest():
    """Weights copied from one to the other: strides and activations alone tell them apart."""
    plain, others = small(), [small(strides=2), small(activation="gelu"), small(activation="linear")]
    for other in others:
        other.set_weights(plain.get_weights())
    assert len({digest(plain), *map(digest, others)}) == 4
