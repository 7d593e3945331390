"""Table sizes: every equation of DESIGN.md section 7 against numbers worked out by hand."""

from __future__ import annotations

import pytest
from planning_fixtures import CALL, LOGISTIC

from vista_nb.catalog import sizes
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.spec.model import EstimatorCall, Pooling


@pytest.mark.parametrize(
    ("shape", "pooling", "length"),
    [
        ((14, 14, 1024), Pooling.MAX_2X2, 4096),
        ((7, 7, 2048), Pooling.MAX_2X2, 8192),
        ((1, 1, 512), Pooling.MAX_2X2, 2048),  # adaptive: cells overlap on maps smaller than 2 x 2
        ((7, 7, 2048), Pooling.AVG, 2048),
        ((7, 7, 2048), Pooling.MAX, 2048),
        ((7, 7, 2048), Pooling.NONE, 100_352),
        ((4096,), Pooling.MAX_2X2, 4096),  # vectors are not pooled
    ],
)
def test_pooled_length(shape: tuple[int, ...], pooling: Pooling, length: int) -> None:
    """g_l's length for each pooling and rank."""
    assert sizes.pooled_length(shape, pooling) == length


def test_layer_length_counts_views() -> None:
    """With two views a record has two vectors (or raw tensors) side by side."""
    assert sizes.layer_length((7, 7, 64), Pooling.AVG, pushed_down=True, views=2) == 128
    assert sizes.layer_length((7, 7, 64), Pooling.AVG, pushed_down=False, views=2) == 2 * 7 * 7 * 64


def test_base_tables() -> None:
    """|T_str| = n (16 + 4 d_s); |T_img| = n v (16 + bytes)."""
    assert sizes.structured_table(20_129, 130) == 20_129 * 536
    assert sizes.image_table(1000, 14_000, 2) == 1000 * 2 * 14_016


def test_layer_table_rounds_up_to_a_byte() -> None:
    """a1 = 6/5 in integers: 1 row of 1 value is 20 x 6/5 = 24; 3 rows of (16 + 4) x 3 = 72; 16 x 6/5 = 19.2 -> 20."""
    assert sizes.layer_table(1, 1, 0) == 24
    assert sizes.layer_table(1, 0, 0) == 20
    assert sizes.layer_table(3, 0, 7) == 58 + 7  # 57.6 rounded up
    large = sizes.layer_table(10**15, 1, 0)
    assert large == 24 * 10**15  # beyond what a double holds exactly


def test_eager_table_has_one_header_per_row() -> None:
    """|T_E| sums the lengths, not the tables."""
    assert sizes.eager_table(10, [5, 7], 100) == sizes.layer_table(10, 12, 100)


def test_decoded_images_table_is_a_layer_table() -> None:
    """The |T_i| formula with the decoded values as length."""
    assert sizes.decoded_images_table(20_129, 227 * 227 * 3, 5) == sizes.layer_table(20_129, 154_587, 5)


def test_s_double_staged() -> None:
    """Neighbours, T_str counted once; before the join not at all."""
    tables = [100, 70, 90, 20]
    assert sizes.s_double_staged(tables, 10) == 170 - 10
    assert sizes.s_double_staged(tables, 10, before_join=True) == 170 - 20


def test_s_double_of_one_layer() -> None:
    """|L| = 1: |T_1|, without T_str before the join."""
    assert sizes.s_double_staged([100], 10) == 100
    assert sizes.s_double_staged([100], 10, before_join=True) == 90


def test_s_double_lazy_and_eager() -> None:
    """Lazy holds its largest table, eager the one it has."""
    assert sizes.s_double_lazy([100, 70], 10) == 100
    assert sizes.s_double_lazy([100, 70], 10, before_join=True) == 90
    assert sizes.s_double_eager(300, 10) == 300
    assert sizes.s_double_eager(300, 10, before_join=True) == 290


def test_s_single_is_the_largest() -> None:
    """Equation 5."""
    assert sizes.s_single([3, 9, 4]) == 9


def test_model_memory_per_family() -> None:
    """The stated formula of each family; more classes, deeper trees and more trees need more."""
    assert sizes.model_memory(LOGISTIC, CALL, 8191, 2) == 8 * 8192 * 24
    assert sizes.model_memory(LOGISTIC, CALL, 8191, 10) == 10 * 8 * 8192 * 24
    tree = EstimatorFacts("pyspark", "DecisionTreeClassifier", (), (), (), "tree")
    deep = EstimatorCall("pyspark", "DecisionTreeClassifier", (("maxDepth", 8),))
    plain = EstimatorCall("pyspark", "DecisionTreeClassifier")
    assert sizes.model_memory(tree, plain, 100, 2) == 2**5 * 100 * 32 * 3 * 8
    assert sizes.model_memory(tree, deep, 100, 2) == 2**8 * 100 * 32 * 3 * 8
    assert sizes.model_memory(tree, deep, 8192, 2) == 256 * 2**20  # capped by maxMemoryInMB
    forest = EstimatorFacts("pyspark", "RandomForestClassifier", (), (), (), "ensemble")
    assert sizes.model_memory(forest, plain, 100, 2) == 2**5 * 100 * 32 * 3 * 8 + 20 * 64 * 64
