"""The weights of an artifact: constants lifted out of a graph, and the file they are kept in.

Reads a GraphDef, writes and reads `weights.bin`. May touch: that file; TensorFlow inside functions. TensorFlow keeps
five to seven copies of a constant inside a graph (ResNet50 after 32 images: 2.28 GB resident frozen, 1.15 GB
lifted, same speed), so that the large ones become arguments. DESIGN.md section 8.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

__all__ = ["LARGE_VALUES", "SMALL_VALUES", "Weight", "lifted", "read_weights", "retyped", "write_weights"]

SMALL_VALUES = 1024  # smaller constants stay in the graph: scalars, biases
LARGE_VALUES = 8_000_000  # dense matrices such as VGG16's (no convolution is so large)
_ALIGNMENT = 64
_BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Weight:
    """One lifted constant: its placeholder, what it holds, and where in the file (bytes)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def end(self) -> int:
        return self.offset + _BYTES[self.dtype] * prod(self.shape)


def lifted(definition: Any, least: int) -> tuple[Any, dict[str, Any]]:
    """The graph with its float constants of `least` values or more as placeholders, and those as arrays by name."""
    import tensorflow as tf

    types = {getattr(tf, name).as_datatype_enum for name in _BYTES}
    constants: dict[str, Any] = {}
    for node in definition.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is None or value.dtype not in types:
            continue
        shape = [dimension.size for dimension in value.tensor_shape.dim]
        if prod(shape) < least:
            continue
        constants[node.name] = tf.make_ndarray(value)
        del node.attr["value"]
        node.op = "Placeholder"
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return definition, constants


def retyped(graph: Any, constants: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays in the types that their placeholders have in `graph` now."""
    import tensorflow as tf

    types = {n.name: tf.dtypes.as_dtype(n.attr["dtype"].type) for n in graph.node if n.op == "Placeholder"}
    return {name: array.astype(types[name].as_numpy_dtype, copy=False) for name, array in constants.items()}


def write_weights(file: Path, constants: Mapping[str, Any]) -> tuple[Weight, ...]:
    """The arrays one after the other, aligned, on disk when this returns."""
    weights: list[Weight] = []
    with file.open("wb") as out:
        for name, array in constants.items():
            out.seek(-(-out.tell() // _ALIGNMENT) * _ALIGNMENT)
            weights.append(Weight(name, array.dtype.name, tuple(array.shape), out.tell()))
            out.write(array.tobytes())
        out.flush()
        os.fsync(out.fileno())
    return tuple(weights)


def read_weights(file: Path, weights: Sequence[Weight]) -> list[Any]:
    """The arrays as tensors, in order."""
    import numpy as np
    import tensorflow as tf

    if not weights:
        return []
    held = np.memmap(file, np.uint8, "r")
    types = {weight.dtype: getattr(tf, weight.dtype).as_numpy_dtype for weight in weights}
    arrays = (held[w.offset : w.end].view(types[w.dtype]).reshape(w.shape) for w in weights)
    return [tf.constant(array) for array in arrays]
