"""Intervals and paired tests against published values and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from vista_nb.outcome.intervals import bootstrap_p_value, holm, mcnemar_exact, percentile_interval, wilson


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (1, 10), (5, 10), (10, 10), (81, 263), (412, 480), (1, 100_000)])
def test_wilson_equals_scipy(hits: int, total: int) -> None:
    """Wilson's interval, at the ends too."""
    expected = stats.binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert wilson(hits, total) == pytest.approx((expected.low, expected.high), abs=1e-12)
    low, high = wilson(hits, total)
    assert low <= hits / total <= high


def test_wilson_of_newcombe() -> None:
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_refuses_what_is_no_share() -> None:
    """No rows say nothing; more hits than rows is a mistake of the caller."""
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 5), (5, 0), (6, 16), (59, 6), (10, 10), (400, 480)])
def test_mcnemar_equals_the_binomial_test(only_a: int, only_b: int) -> None:
    """Two-sided, exact, symmetrical."""
    total = only_a + only_b
    expected = stats.binomtest(only_a, total).pvalue if total else 1.0
    assert mcnemar_exact(only_a, only_b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_exact(only_b, only_a) == mcnemar_exact(only_a, only_b)


@pytest.mark.parametrize(("only_a", "only_b"), [(500, 501), (700, 800), (9_000, 9_500), (5, 2_000)])
def test_mcnemar_of_many_rows(only_a: int, only_b: int) -> None:
    """Where whole numbers get long, logarithms give the same."""
    assert mcnemar_exact(only_a, only_b) == pytest.approx(
        stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-6, abs=1e-300
    )


def test_holm_of_a_worked_example() -> None:
    """Holm (1979): 0.01 0.04 0.03 0.005 gives 0.03 0.06 0.06 0.02; order kept, never above 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)
    assert holm([]) == ()


def test_percentiles_equal_numpy() -> None:
    """Linear between neighbours; one value is its own interval."""
    values = np.random.default_rng(0).normal(size=997).tolist()
    assert percentile_interval(values) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert percentile_interval(values, 0.5) == pytest.approx(tuple(np.quantile(values, [0.25, 0.75])))
    assert percentile_interval([3.0]) == (3.0, 3.0)
    with pytest.raises(ValueError, match="no values"):
        percentile_interval([])


def test_bootstrap_p_values() -> None:
    """Never 0, never above 1, near the normal test's where the statistic is a mean."""
    assert bootstrap_p_value([1.0] * 999) == pytest.approx(2 / 1000)
    assert bootstrap_p_value([0.0] * 10) == 1.0
    assert bootstrap_p_value([]) == 1.0
    generator = np.random.default_rng(1)
    sample = generator.normal(0.2, 1.0, 200)
    drawn = sample[generator.integers(200, size=(20_000, 200))].mean(axis=1)
    z = sample.mean() / (sample.std() / math.sqrt(200))
    assert bootstrap_p_value(drawn.tolist()) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.015)
