"""Keras models as a user would bring them, good and bad, with seeded weights; what the tests of own CNNs share.

Reads nothing, returns built Keras models; Keras is imported inside (tests only).
"""

from __future__ import annotations

from typing import Any

__all__ = ["BRANCHED_LAYERS", "branched", "plain"]

BRANCHED_LAYERS = ("stem", "left", "block/conv", "joined", "low", "high", "fc", "scores", "colour")


def plain(seed: int = 0, size: tuple[int, int, int] = (16, 16, 3), **first: Any) -> Any:
    """A Sequential CNN of four layers whose names Keras makes."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    body = [layers.Conv2D(4, 3, strides=2, **first), layers.ReLU(), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([keras.Input(size), *body])


def branched(seed: int = 0, size: tuple[int, int] = (32, 48)) -> Any:
    """Two branches, one of them a nested model with a layer name of the outer one, and two outputs; photos are not
    square.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    inside = keras.Input((size[0] // 2, size[1] // 2, 6))
    block = keras.Model(inside, layers.ReLU()(layers.Conv2D(6, 3, padding="same", name="conv")(inside)), name="block")
    photo = keras.Input((*size, 3), name="photo")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scaled")(photo)
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, strides=2, padding="same", name="conv")(x))
    x = layers.ReLU(name="stem")(x)
    x = layers.Add(name="sum")([layers.Conv2D(6, 3, padding="same", name="left")(x), block(x)])
    x = layers.ReLU(name="joined")(x)
    low = layers.Conv2D(10, 3, strides=2, padding="same", activation="relu", name="low")(x)
    colour = layers.Dense(4, name="colour")(layers.GlobalAveragePooling2D()(low))
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="high")(low)
    x = layers.Dense(16, activation="relu", name="fc")(layers.Flatten()(x))
    return keras.Model(photo, [layers.Dense(5, name="scores")(layers.Dropout(0.5)(x)), colour], name="branched")
