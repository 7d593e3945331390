"""g_l: pools a layer's H x W x C tensor and flattens it into a feature vector, in numpy and in TensorFlow.

Reads a batch of tensors (first axis: images), returns a batch of vectors. May touch: numpy; TensorFlow only inside
`pool_tensor`. Paper: section 3.1, g_l; DESIGN.md section 3, `pool`.
`max 2x2` is adaptive: cell i of an axis of size s covers positions floor(i s / 2) to ceil((i + 1) s / 2), so 7
gives [0, 4) and [3, 7). Vectors are laid out H, W, C (C runs fastest). Rank-1 layers pass unpooled.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vista_nb.spec.model import Pooling

__all__ = ["cells", "pool_array", "pool_tensor", "pooled_again", "pooled_length"]


def cells(size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two ranges [low, high) of `max 2x2` along an axis of `size` positions."""
    return (0, (size + 1) // 2), (size // 2, size)


def pooled_length(shape: tuple[int, ...], pooling: Pooling) -> int:
    """Values of g_l's vector for one image's tensor of this shape."""
    if len(shape) != 3 or pooling is Pooling.NONE:
        return prod(shape)
    return 4 * shape[2] if pooling is Pooling.MAX_2X2 else shape[2]


def pool_array(batch: NDArray[np.float32], pooling: Pooling) -> NDArray[np.float32]:
    """(n, h, w, c) or (n, d) -> (n, length), float32, C order."""
    count = batch.shape[0]
    if batch.ndim != 4 or pooling is Pooling.NONE:
        return np.ascontiguousarray(batch.reshape(count, prod(batch.shape[1:])), dtype=np.float32)
    if pooling is Pooling.AVG:
        return np.asarray(batch.mean(axis=(1, 2), dtype=np.float32))
    if pooling is Pooling.MAX:
        return np.asarray(batch.max(axis=(1, 2)))
    rows, columns = cells(batch.shape[1]), cells(batch.shape[2])
    parts = [batch[:, top:bottom, left:right].max(axis=(1, 2)) for top, bottom in rows for left, right in columns]
    return np.concatenate(parts, axis=1)


def pooled_again(vectors: NDArray[np.float32], shape: tuple[int, ...], wanted: Pooling) -> NDArray[np.float32]:
    """g_l of a layer from vectors of a pooling that holds it (`catalog.poolings`): (n, length) -> (n, length)."""
    if len(shape) != 3:
        return vectors
    if wanted is not Pooling.MAX:
        raise ValueError(f"{wanted.value} does not follow from another pooling")
    return np.asarray(vectors.reshape(len(vectors), 4, shape[2]).max(axis=1))


def pool_tensor(tensor: Any, pooling: Pooling) -> Any:
    """The same inside a TensorFlow graph; the batch size may be unknown, height and width are static."""
    import tensorflow as tf

    length = pooled_length(tuple(tensor.shape[1:]), pooling)
    if len(tensor.shape) != 4 or pooling is Pooling.NONE:
        return tf.reshape(tensor, (-1, length))
    if pooling is Pooling.AVG:
        return tf.reduce_mean(tensor, axis=(1, 2))
    if pooling is Pooling.MAX:
        return tf.reduce_max(tensor, axis=(1, 2))
    return tf.reshape(_max_2x2(tf, tensor), (-1, length))


def _max_2x2(tf: Any, tensor: Any) -> Any:
    """One max-pool window per cell: size ceil(s/2), stride floor(s/2), so the second window starts at floor(s/2)."""
    height, width = int(tensor.shape[1]), int(tensor.shape[2])
    if min(height, width) > 1:
        window, stride = ((height + 1) // 2, (width + 1) // 2), (height // 2, width // 2)
        return tf.nn.max_pool2d(tensor, window, stride, "VALID")
    # an axis of one position: both its cells are that position, a stride of 0 does not exist
    parts = [
        tf.reduce_max(tensor[:, top:bottom, left:right], axis=(1, 2))
        for top, bottom in cells(height)
        for left, right in cells(width)
    ]
    return tf.concat(parts, axis=1)
