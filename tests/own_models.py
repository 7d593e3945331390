"""Keras models as a user would bring them, good and bad, with seeded weights; what the tests of own CNNs share.

Reads nothing, returns built Keras models; Keras is imported inside (tests only).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["BRANCHED_LAYERS", "branched", "plain", "refused_model"]

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


def refused_model(kind: str) -> Any:
    """A model that cannot be a CNN of vista_nb."""
    import keras

    layers = keras.layers
    photo = keras.Input((16, 16, 3))
    conv = layers.Conv2D(2, 3)

    @keras.saving.register_keras_serializable("shop")
    class Twice(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    class Plain(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    class Functional2(keras.Model):
        pass

    def swish2(x: Any) -> Any:
        return x * keras.ops.sigmoid(2 * x)

    def subclassed() -> Any:
        net = Net()
        net(np.zeros((1, 16, 16, 3), np.float32))
        return net

    def of(shape: tuple[int | None, ...], **more: Any) -> Any:
        given = keras.Input(shape)
        return keras.Model(given, layers.Conv2D(2, 3, **more)(given))

    makers = {
        "lambda": lambda: keras.Model(photo, layers.Lambda(lambda x: 2 * x, name="twice")(photo)),
        "registered": lambda: keras.Model(photo, Twice()(photo)),
        "unregistered": lambda: keras.Model(photo, Plain()(photo)),
        "function": lambda: keras.Model(photo, layers.Conv2D(2, 3, activation=swish2)(photo)),
        "subclassed": subclassed,
        "functional subclass": lambda: Functional2(photo, conv(photo)),
        "two inputs": lambda: keras.Model([photo, keras.Input((4,))], conv(photo)),
        "any size": lambda: of((None, None, 3)),
        "four channels": lambda: of((16, 16, 4)),
        "channels first": lambda: of((3, 16, 16), data_format="channels_first"),
        "vector": lambda: keras.Sequential([keras.Input((9,)), layers.Dense(2)]),
        "nothing to tap": lambda: keras.Model(photo, photo),
    }
    return makers[kind]()
