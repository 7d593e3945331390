"""How sure a number is: intervals of scores, and tests of two scores on the same rows.

Reads counts and resampled values, returns numbers. May touch: nothing (standard library only). DESIGN.md section 11:
Wilson (1927) for a share, McNemar's exact test for two classifiers on the same rows, Holm (1979) for many tests,
percentiles of a bootstrap for every other metric (Efron 1979; the resampling itself is the executor's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["bootstrap_p_value", "holm", "mcnemar_exact", "percentile_interval", "wilson"]

Z_95 = 1.959963984540054  # the standard normal's 97.5 % point
_EXACT_UP_TO = 1_000


def wilson(hits: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Interval of a share, `hits` of `total`; (0, 1) where nothing was counted. Wilson's score interval."""
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} of {total} is no share")
    if total == 0:
        return 0.0, 1.0
    share = hits / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    # at the ends the formula gives the share itself; rounding must not cut it off
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == total else middle + half
    return max(0.0, low), min(1.0, high)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided p-value that two classifiers are equally good, from the rows that only one of them got right.

    Binomial with p = 1/2 over the discordant rows, exactly; 1 where there are none.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError("counts of rows are not negative")
    total, fewer = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * _binomial_tail(fewer, total))


def _binomial_tail(most: int, total: int) -> float:
    """P(X <= most), X binomial(total, 1/2)."""
    if total <= _EXACT_UP_TO:
        return sum(math.comb(total, k) for k in range(most + 1)) / (1 << total)
    base = math.lgamma(total + 1) - total * math.log(2)
    return math.fsum(math.exp(base - math.lgamma(k + 1) - math.lgamma(total - k + 1)) for k in range(most + 1))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for having made all these tests (step-down, family-wise), in the given order."""
    count = len(p_values)
    corrected = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        corrected[index] = largest
    return tuple(corrected)


def percentile_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of resampled values, linear between neighbours; raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return _quantile(ordered, (1 - level) / 2), _quantile(ordered, (1 + level) / 2)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def bootstrap_p_value(differences: Sequence[float]) -> float:
    """Two-sided p-value that the true difference is 0, from resampled differences.

    Twice the smaller share at or beyond 0; one is added to both counts, so that it is never 0 (Davison and Hinkley).
    """
    below = sum(d <= 0 for d in differences)
    above = sum(d >= 0 for d in differences)
    return min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1))
