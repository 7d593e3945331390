"""g_l in numpy: which pixels a cell covers, the vector's layout, its length."""

from __future__ import annotations

import numpy as np
import pytest

from vista_nb.executor.cnn.pooling import cells, pool_array, pooled_length
from vista_nb.spec.model import Pooling


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, ((0, 1), (0, 1))),
        (2, ((0, 1), (1, 2))),
        (7, ((0, 4), (3, 7))),
        (13, ((0, 7), (6, 13))),
        (14, ((0, 7), (7, 14))),
    ],
)
def test_cells_cover_the_stated_ranges(size, expected):
    """Cell i covers floor(i s / 2) to ceil((i + 1) s / 2)."""
    assert cells(size) == expected


def test_max_2x2_layout_is_rows_columns_channels():
    """A picture whose quadrants hold one value each gives those values in the order H, W, C."""
    picture = np.zeros((1, 4, 4, 2), np.float32)
    picture[0, 0, 1] = (1, 10)
    picture[0, 1, 3] = (2, 20)
    picture[0, 3, 0] = (3, 30)
    picture[0, 2, 2] = (4, 40)
    assert pool_array(picture, Pooling.MAX_2X2).tolist() == [[1, 10, 2, 20, 3, 30, 4, 40]]


def test_odd_sizes_share_the_middle():
    """The middle row and column of a 7 x 7 tensor belong to all four cells."""
    picture = np.zeros((1, 7, 7, 1), np.float32)
    picture[0, 3, 3] = 5
    assert pool_array(picture, Pooling.MAX_2X2).tolist() == [[5, 5, 5, 5]]


def test_negative_values_survive():
    """A maximum over negative values is negative: no cell is padded with zeros."""
    picture = np.full((1, 3, 5, 1), -2, np.float32)
    assert pool_array(picture, Pooling.MAX_2X2).tolist() == [[-2, -2, -2, -2]]
    assert pool_array(picture, Pooling.MAX).tolist() == [[-2]]


def test_avg_max_none():
    """avg and max reduce to channels; none flattens H, W, C."""
    picture = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    assert pool_array(picture, Pooling.AVG).tolist() == [[5, 6]]
    assert pool_array(picture, Pooling.MAX).tolist() == [[10, 11]]
    assert pool_array(picture, Pooling.NONE).tolist() == [list(range(12))]


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("shape", [(7, 7, 3), (1, 1, 4), (14, 13, 2), (1000,)])
def test_length_is_what_comes_out(pooling, shape):
    """pooled_length, which sizes and the store rely on, is the length of the real vector; rank 1 passes unpooled."""
    batch = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    vectors = pool_array(batch, pooling)
    assert vectors.shape == (3, pooled_length(shape, pooling))
    assert vectors.dtype == np.float32
    if len(shape) == 1:
        assert np.array_equal(vectors, batch)
