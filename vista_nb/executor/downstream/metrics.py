"""A metric on the held-out rows of one fit, with its 95 % interval.

Reads a FitResult, returns numbers. May touch: nothing. DESIGN.md section 11: Wilson's interval for accuracy; for every
other metric the rows are resampled (docs/adr/0028). With folds each row counts once, as predicted by the model that
had not seen it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from vista_nb.errors import VistaRunError
from vista_nb.executor.downstream.class_metrics import accuracy, auc, f1_macro, log_loss, log_losses, rarest
from vista_nb.executor.downstream.number_metrics import absolute_errors, mae, r2, rmse, squared_errors
from vista_nb.executor.downstream.resample import Statistic, accelerated, percentiles, resampled, studentized
from vista_nb.outcome.intervals import wilson
from vista_nb.outcome.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

    Weights = NDArray[np.float64]

__all__ = ["MetricValue", "metrics_of", "point", "point_by", "replicates", "score"]


@dataclass(frozen=True)
class MetricValue:
    """A score with its 95 % interval, in the metric's unit."""

    metric: str
    value: float
    low: float
    high: float


def metrics_of(result: FitResult) -> tuple[str, ...]:
    """What this fit can be scored by."""
    if result.is_regression:
        return REGRESSION_METRICS
    return CLASSIFICATION_METRICS if result.has_probabilities else ("accuracy", "f1")


def score(metric: str, result: FitResult, seed: int = 0) -> MetricValue:
    """The metric on the held-out rows of one fit."""
    low, high = _interval(metric, result, seed)
    return MetricValue(metric, point(metric, result), low, high)


def point(metric: str, result: FitResult) -> float:
    """The metric itself; NaN where it is not defined (auc with one class among the held-out rows)."""
    return float(point_by(metric, result, np.ones((1, result.rows_test)))[0])


def point_by(metric: str, result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """The metric for every row of `weights` (samples, rows): 1 for the rows that count, 0 for the others."""
    return _statistic(metric, result)(weights)


def replicates(metric: str, result: FitResult, seed: int = 0) -> NDArray[np.float64]:
    """The metric on resampled rows. The same seed draws the same rows for every result of equal length: paired."""
    return resampled(_statistic(metric, result), result.rows_test, seed)


def _interval(metric: str, result: FitResult, seed: int) -> tuple[float, float]:
    rows = result.rows_test
    if metric == "accuracy":
        return wilson(int(np.sum(result.truth == result.predictions)), rows)
    if metric == "logloss":
        return studentized(log_losses(result), seed)
    if metric == "mae":
        return studentized(absolute_errors(result), seed)
    if metric == "rmse":
        low, high = studentized(squared_errors(result), seed)
        return float(np.sqrt(low)), float(np.sqrt(high))
    statistic = _statistic(metric, result)
    found = resampled(statistic, rows, seed)
    if metric == "r2":
        return percentiles(found)
    known = found[~np.isnan(found)]
    if len(known) and known.min() == 1.0:  # all right: resamples cannot know of mistakes not yet seen
        return wilson(rarest(result), rarest(result))[0], 1.0
    return accelerated(statistic, found, rows)


def _statistic(metric: str, result: FitResult) -> Statistic:
    """The metric of this fit as a function of the rows' weights. Raises VST531 for a metric of the other task."""
    if metric not in metrics_of(result):
        task = "a regression" if result.is_regression else "this classification"
        hint = f"use one of {', '.join(metrics_of(result))}"
        raise VistaRunError("VST531", f"metric {metric} cannot score {task}", hint, "train")
    return lambda weights: _FUNCTIONS[metric](result, weights)


_FUNCTIONS: Final[dict[str, Callable[[FitResult, Weights], NDArray[np.float64]]]] = {
    "accuracy": accuracy,
    "f1": f1_macro,
    "auc": auc,
    "logloss": log_loss,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
}
