"""g_l in TensorFlow equals g_l in numpy: pooling pushed down and pulled up are one function."""

from __future__ import annotations

import numpy as np
import pytest

from vista_nb.executor.cnn.pooling import pool_array, pool_tensor
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

SHAPES = [
    (1, 1, 3),
    (1, 5, 2),
    (2, 2, 4),
    (3, 2, 1),
    (7, 7, 5),
    (13, 14, 2),
    (14, 13, 3),
    (28, 28, 2),
    (56, 55, 1),
    (10,),
]


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("shape", SHAPES)
def test_push_down_equals_pull_up(shape, pooling):
    """Odd, even and single-pixel sizes; negative values; an unknown batch size."""
    import tensorflow as tf

    batch = np.random.default_rng(len(shape) + shape[0]).normal(size=(3, *shape)).astype(np.float32) - 1
    function = tf.function(lambda x: pool_tensor(x, pooling), input_signature=[tf.TensorSpec((None, *shape))])
    inside = function(batch).numpy()
    outside = pool_array(batch, pooling)
    assert inside.shape == outside.shape
    assert np.abs(inside - outside).max() <= 1e-5 * max(1, np.abs(outside).max())
