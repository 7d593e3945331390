"""Metrics of a classification, each computed once for any weights of the rows.

Reads true classes, predictions, probabilities; returns numbers. May touch: nothing. DESIGN.md section 3, key `metric`.
weights: (samples, rows), how often a row counts in each sample; the score itself is the case where every weight is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

    Weights = NDArray[np.float64]

__all__ = ["accuracy", "auc", "f1_macro", "log_loss", "log_losses", "rarest"]


def accuracy(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    right = (result.truth == result.predictions).astype(np.float64)
    return np.asarray(weights @ right / weights.sum(axis=1), dtype=np.float64)


def f1_macro(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    """Mean F1 over the classes that are true or predicted somewhere; 2 TP / (rows true + rows predicted)."""
    present = np.union1d(result.truth, result.predictions)
    true = (result.truth[:, None] == present).astype(np.float64)
    predicted = (result.predictions[:, None] == present).astype(np.float64)
    both = weights @ (true * predicted)
    either = weights @ true + weights @ predicted
    with np.errstate(invalid="ignore"):
        per_class = 2 * both / either  # NaN where a resample has no row of the class: left out of its mean
    return np.asarray(np.nanmean(per_class, axis=1), dtype=np.float64)


def auc(result: FitResult, weights: Weights) -> NDArray[np.float64]:
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


def log_losses(result: FitResult) -> NDArray[np.float64]:
    """-log p(true class) per row; p is kept above the smallest double step, as scikit-learn does."""
    chosen = result.probabilities[np.arange(result.rows_test), result.truth]
    return np.asarray(-np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0)), dtype=np.float64)


def log_loss(result: FitResult, weights: Weights) -> NDArray[np.float64]:
    return np.asarray(weights @ log_losses(result) / weights.sum(axis=1), dtype=np.float64)


def rarest(result: FitResult) -> int:
    """Held-out rows of the rarest class that has any."""
    counts = np.bincount(result.truth)
    return int(counts[counts > 0].min())
