"""Small functional models that no sequential cutter passes: branches, dense links, skips from the photo, shared layers.

Reads nothing, returns built Keras models with seeded weights; Keras is imported inside (tests only).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["DAGS", "SIDE", "dag"]

SIDE = 16


def dag(name: str) -> Any:
    """The model of that name."""
    import keras

    keras.utils.set_random_seed(7)
    return DAGS[name]()


def _conv(filters: int, name: str, **more: Any) -> Any:
    import keras

    return keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=name, **more)


def _head(x: Any, name: str = "logits") -> Any:
    import keras

    return keras.layers.Dense(3, name=name)(keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(x))


def _photo() -> Any:
    import keras

    return keras.Input((SIDE, SIDE, 3), name="photo")


def two_branches() -> Any:
    """Both branches read the stem; one is longer; they are added up."""
    import keras

    photo = _photo()
    stem = _conv(6, "stem", strides=2)(photo)
    left = _conv(6, "left2")(_conv(6, "left1")(stem))
    right = _conv(6, "right1")(stem)
    return keras.Model(photo, _head(_conv(8, "after")(keras.layers.Add(name="sum")([left, right]))))


def dense_links() -> Any:
    """Every layer reads all before it."""
    import keras

    photo = _photo()
    held = [_conv(4, "c0", strides=2)(photo)]
    for i in range(1, 4):
        below = held[0] if len(held) == 1 else keras.layers.Concatenate(name=f"join{i}")(list(held))
        held.append(_conv(4, f"c{i}")(below))
    return keras.Model(photo, _head(keras.layers.Concatenate(name="join4")(held)))


def skip_from_input() -> Any:
    """The photo itself is read again near the top, by way of an operation without a layer."""
    import keras

    photo = _photo()
    x = _conv(5, "b")(_conv(3, "a")(photo))
    x = _conv(3, "c")(x) * 0.5 + photo
    return keras.Model(photo, _head(_conv(4, "d")(x)))


def shared_layer() -> Any:
    """One layer is called three times on different tensors, and a dropout and batch norm must stay quiet."""
    import keras

    photo = _photo()
    shared = _conv(3, "shared")
    first = shared(photo)
    second = shared(keras.layers.Dropout(0.5, name="drop")(first))
    third = shared(keras.layers.BatchNormalization(name="norm")(second))
    return keras.Model(photo, _head(keras.layers.Concatenate(name="all")([first, third])))


def nested_models() -> Any:
    """A model in a model in a model, one of them called twice, layer names that occur on two levels."""
    import keras

    inner_in = keras.Input((SIDE, SIDE, 4), name="inner_photo")
    inner = keras.Model(inner_in, _conv(4, "conv")(inner_in) + inner_in, name="inner")
    block_in = keras.Input((SIDE, SIDE, 4), name="block_photo")
    block = keras.Model(block_in, _conv(4, "deep")(inner(_conv(4, "conv")(block_in))), name="block")
    tail = keras.Sequential([keras.Input((SIDE, SIDE, 4)), _conv(5, "conv"), _conv(6, "last")], name="tail")
    photo = _photo()
    return keras.Model(photo, _head(tail(block(block(_conv(4, "conv")(photo))))))


def several_outputs() -> Any:
    """Three outputs on two levels, and a nested model that gives two tensors."""
    import keras

    fork_in = keras.Input((SIDE, SIDE, 4), name="fork_photo")
    fork = keras.Model(fork_in, [_conv(3, "up")(fork_in), _conv(5, "down")(fork_in)], name="fork")
    photo = _photo()
    up, down = fork(_conv(4, "stem")(photo))
    return keras.Model(photo, [_head(up, "small"), _head(down, "large"), _head(_conv(4, "both")(up), "other")])


def sequential() -> Any:
    """The easy one."""
    import keras

    layers = [keras.Input((SIDE, SIDE, 3)), _conv(4, "one", strides=2), _conv(5, "two")]
    return keras.Sequential([*layers, keras.layers.Flatten(name="flat"), keras.layers.Dense(3, name="logits")])


DAGS: dict[str, Callable[[], Any]] = {
    f.__name__: f
    for f in (two_branches, dense_links, skip_from_input, shared_layer, nested_models, several_outputs, sequential)
}
