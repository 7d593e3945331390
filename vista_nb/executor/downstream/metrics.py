"""Metrics of a classification and their 95 % intervals, each computed once for any weights of the rows.

Reads true classes, predictions, probabilities; returns numbers. May touch: nothing. DESIGN.md section 11: Wilson's
interval for accuracy, percentiles of a bootstrap for the rest. A bootstrap sample is a weight per row (how often the
row was drawn), so the score itself is the case where every weight is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.errors import NotSupportedYet
from vista_nb.outcome.intervals import percentile_interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

    Weights = NDArray[np.float64]

__all__ = ["MetricValue", "point", "replicates", "score"]

CELLS = 4_000_000  # rows x resamples held at once
FEWEST, MOST = 1_000, 5_000


@dataclass(frozen=True)
class MetricValue:
    """A score with its 95 % interval, in the metric's unit."""

    metric: str
    value: float
    low: float
    high: float


def score(metric: str, result: FitResult, seed: int = 0) -> MetricValue:
    """The metric on the held-out rows of one fit."""
    value = point(metric, result)
    if metric == "accuracy":
        hits = int(np.sum(result.truth == result.predictions))
        low, high = wilson(hits, result.rows_test)
    else:
        drawn = replicates(metric, result, seed)
        known = drawn[~np.isnan(drawn)].tolist()
        low, high = percentile_interval(known) if known else (float("nan"), float("nan"))
    return MetricValue(metric, value, low, high)


def point(metric: str, result: FitResult) -> float:
    """The metric itself; NaN where it is not defined (auc with one class among the held-out rows)."""
    return float(_function(metric)(result, np.ones((1, result.rows_test)))[0])


def replicates(metric: str, result: FitResult, seed: int = 0) -> NDArray[np.float64]:
    """The metric on resampled rows. The same seed draws the same rows for every result of equal length: paired."""
    function = _function(metric)
    return np.concatenate([function(result, weights) for weights in _drawn(result.rows_test, seed)])


def _drawn(rows: int, seed: int) -> Iterator[Weights]:
    """How often each row is drawn, a few hundred resamples at a time."""
    generator = np.random.default_rng(seed)
    total = min(MOST, max(FEWEST, 10 * CELLS // rows))
    step = max(1, CELLS // rows)
    for start in range(0, total, step):
        count = min(step, total - start)
        picks = generator.integers(rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        yield np.bincount(picks.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def _function(metric: str) -> Callable[[FitResult, Weights], NDArray[np.float64]]:
    known = {"accuracy": _accuracy, "f1": _f1_macro, "auc": _auc, "logloss": _log_loss}
    if metric not in known:
        raise NotSupportedYet("VST951", f"metric: {metric} comes later", f"use one of {', '.join(known)}")
    return known[metric]


def _accuracy(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    right = (result.truth == result.predictions).astype(np.float64)
    return np.asarray(weights @ right / weights.sum(axis=1), dtype=np.float64)


def _f1_macro(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """Mean F1 over the classes that are true or predicted somewhere; 2 TP / (rows true + rows predicted)."""
    present = np.union1d(result.truth, result.predictions)
    true = (result.truth[:, None] == present).astype(np.float64)
    predicted = (result.predictions[:, None] == present).astype(np.float64)
    both = weights @ (true * predicted)
    either = weights @ true + weights @ predicted
    with np.errstate(invalid="ignore"):
        per_class = 2 * both / either  # NaN where a resample has no row of the class: left out of its mean
    return np.asarray(np.nanmean(per_class, axis=1), dtype=np.float64)


def _auc(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """Area under the ROC curve: of the second class for two classes, else the mean of one class against the rest."""
    classes = [1] if len(result.classes) == 2 else np.unique(result.truth).tolist()
    areas = np.stack([_area(result.truth == c, result.probabilities[:, c], weights) for c in classes])
    defined = ~np.isnan(areas)
    total = np.where(defined, areas, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / defined.sum(axis=0), dtype=np.float64)


def _area(positive: NDArray[np.bool_], values: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """P(a positive row is ranked above a negative one), ties count half; NaN without rows of both kinds."""
    order = np.argsort(values, kind="stable")
    sorted_values, sorted_weights, up = values[order], weights[:, order], positive[order]
    starts = np.flatnonzero(np.r_[True, sorted_values[1:] != sorted_values[:-1]])  # one group per distinct value
    ups = np.add.reduceat(sorted_weights * up, starts, axis=1)
    downs = np.add.reduceat(sorted_weights * ~up, starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((ups * (below + downs / 2)).sum(axis=1) / pairs, dtype=np.float64)


def _log_loss(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """Mean of -log p(true class); p is kept above the smallest double step, as scikit-learn does."""
    chosen = result.probabilities[np.arange(result.rows_test), result.truth]
    losses = -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))
    return np.asarray(weights @ losses / weights.sum(axis=1), dtype=np.float64)
