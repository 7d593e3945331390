"""Resampled rows, and the 95 % intervals made of them.

Reads a metric as a function of row weights, returns (low, high). May touch: nothing. docs/adr/0028 says which method
serves which metric, and what each covered in simulation: BCa (Efron 1987) for f1 and auc, the studentized bootstrap
on the log scale (Davison and Hinkley 1997, 5.2) for means of losses, plain percentiles for r2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = NDArray[np.float64]

__all__ = ["Statistic", "accelerated", "drawn", "percentiles", "resampled", "studentized"]

Statistic = Callable[["Weights"], "NDArray[np.float64]"]
"""(samples, rows) weights -> one value per sample."""

CELLS = 4_000_000  # rows x resamples held at once
FEWEST, MOST = 1_000, 5_000
GROUPS = 1_000
_ENDS = (0.025, 0.975)
_NORMAL = NormalDist()


def drawn(rows: int, seed: int) -> Iterator[Weights]:
    """How often each row is drawn, a few hundred resamples at a time. The same seed draws the same rows."""
    generator = np.random.default_rng(seed)
    total = min(MOST, max(FEWEST, 10 * CELLS // rows))
    step = max(1, CELLS // rows)
    for start in range(0, total, step):
        count = min(step, total - start)
        picks = generator.integers(rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        yield np.bincount(picks.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def resampled(statistic: Statistic, rows: int, seed: int) -> NDArray[np.float64]:
    """The statistic on every resample."""
    return np.concatenate([statistic(weights) for weights in drawn(rows, seed)])


def percentiles(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the resampled values; NaN where none is defined."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, _ENDS)
    return float(low), float(high)


def accelerated(statistic: Statistic, replicates: NDArray[np.float64], rows: int) -> tuple[float, float]:
    """BCa: percentiles moved by the bias of the resamples and by how the spread changes with the value.

    The change comes from leaving out one row at a time, or one of 1 000 groups of rows.
    """
    known = np.sort(replicates[~np.isnan(replicates)])
    if not len(known):
        return float("nan"), float("nan")
    value = float(statistic(np.ones((1, rows)))[0])
    below = float(np.mean(known < value) + np.mean(known == value) / 2)
    edge = 1 / (len(known) + 1)
    bias = _NORMAL.inv_cdf(min(max(below, edge), 1 - edge))
    change = _acceleration(statistic, rows)
    places = []
    for end in _ENDS:
        z = bias + _NORMAL.inv_cdf(end)
        places.append(_NORMAL.cdf(bias + z / max(1e-6, 1 - change * z)))
    low, high = np.quantile(known, places)
    return float(low), float(high)


def _acceleration(statistic: Statistic, rows: int) -> float:
    groups = min(rows, GROUPS)
    member = np.arange(rows) * groups // rows
    step = max(1, CELLS // rows)
    parts = [
        statistic((member[None, :] != np.arange(start, min(start + step, groups))[:, None]).astype(np.float64))
        for start in range(0, groups, step)
    ]
    left_out = np.concatenate(parts)
    left_out = left_out[~np.isnan(left_out)]
    away = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float(away @ away)
    return float(np.sum(away**3) / (6 * spread**1.5)) if spread > 0 else 0.0


def studentized(losses: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Interval of a mean of losses (never negative): each resample is judged by its own spread, on the log scale.

    Skewed losses are common, and plain percentiles then end too low.
    """
    mean, rows = float(losses.mean()), len(losses)
    if mean <= 0:
        return 0.0, 0.0
    scaled = losses / mean
    about = scaled - 1
    centre = np.log(mean)
    found = [_studentized_of(weights, about, rows) for weights in drawn(rows, seed)]
    known = np.concatenate(found)
    known = known[~np.isnan(known)]
    if not len(known):
        return mean, mean
    t_low, t_high = np.quantile(known, _ENDS)
    error = float(about.std()) / np.sqrt(rows)
    return float(np.exp(centre - t_high * error)), float(np.exp(centre - t_low * error))


def _studentized_of(weights: Weights, about: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """log(mean) of each resample, over its standard error; `about`: losses over their mean, less 1."""
    shift = weights @ about / rows
    spread = np.sqrt(np.maximum(weights @ about**2 / rows - shift**2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 0, np.log1p(shift) * (1 + shift) * np.sqrt(rows) / spread, np.nan))
