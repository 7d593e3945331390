"""Metrics of a regression, each computed once for any weights of the rows.

Reads true and predicted numbers; returns numbers. May touch: nothing. DESIGN.md section 3, key `metric`.
weights: (samples, rows), as in `class_metrics`. rmse and mae are in the label's unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

    Weights = NDArray[np.float64]

__all__ = ["absolute_errors", "mae", "r2", "rmse", "squared_errors"]


def squared_errors(result: FitResult) -> NDArray[np.float64]:
    return np.asarray((result.predictions - result.truth) ** 2, dtype=np.float64)


def absolute_errors(result: FitResult) -> NDArray[np.float64]:
    return np.asarray(np.abs(result.predictions - result.truth), dtype=np.float64)


def rmse(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(weights @ squared_errors(result) / weights.sum(axis=1)), dtype=np.float64)


def mae(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    return np.asarray(weights @ absolute_errors(result) / weights.sum(axis=1), dtype=np.float64)


def r2(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """1 - (squared errors) / (squared distances from the sample's own mean); NaN where the truth is constant."""
    # about the overall mean: the same sums, with no digits lost to a label far from zero
    away = result.truth - result.truth.mean()
    rows = weights.sum(axis=1)
    spread = weights @ away**2 - (weights @ away) ** 2 / rows
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(
            spread > 1e-12 * rows * max(1e-300, float(np.mean(away**2))),
            weights @ squared_errors(result) / spread,
            np.nan,
        )
    return np.asarray(1 - share, dtype=np.float64)
