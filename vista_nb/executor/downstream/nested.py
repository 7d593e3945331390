"""What choosing the best layer is worth: the choice is scored on rows that had no part in it.

Reads fits with folds, returns a NestedScore. May touch: nothing. DESIGN.md section 5 (`.best`); docs/adr/0028. The
best layer's own score is too good, since the luckiest of several was taken. So the layer is chosen anew for each
fold, by the rows of all other folds, and scored on this fold's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.executor.downstream.metrics import point_by, score
from vista_nb.outcome.metrics import gain
from vista_nb.outcome.scores import NestedScore

if TYPE_CHECKING:
    from vista_nb.executor.downstream.fit import FitResult

__all__ = ["nested_score"]


def nested_score(fits: Mapping[str, FitResult], metric: str, seed: int = 0) -> NestedScore | None:
    """`fits`: layer -> fit, on the same rows and folds, baselines left out. None without folds, or with one layer."""
    first = next(iter(fits.values()), None)
    if first is None or first.folds is None or len(fits) < 2:
        return None
    numbers = np.unique(first.folds)
    others = (first.folds[None, :] != numbers[:, None]).astype(np.float64)  # per fold, the rows that may choose
    values = {name: point_by(metric, fit, others) for name, fit in fits.items()}
    chosen = tuple(
        _best({name: float(value[k]) for name, value in values.items()}, metric) for k in range(len(numbers))
    )
    whole = _pieced(fits, first, numbers.tolist(), chosen)
    found = score(metric, whole, seed)
    return NestedScore(metric, found.value, found.low, found.high, chosen)


def _best(values: Mapping[str, float], metric: str) -> str:
    """The first of the best; NaN last."""
    return max(values, key=lambda name: gain(metric, values[name], 0.0) if values[name] == values[name] else -np.inf)


def _pieced(
    fits: Mapping[str, FitResult], first: FitResult, numbers: Sequence[int], chosen: Sequence[str]
) -> FitResult:
    """Each fold's rows as the layer chosen for it predicted them."""
    predictions, probabilities = first.predictions.copy(), first.probabilities.copy()
    for number, name in zip(numbers, chosen, strict=True):
        rows = first.folds == number
        predictions[rows] = fits[name].predictions[rows]
        probabilities[rows] = fits[name].probabilities[rows]
    return replace(first, predictions=predictions, probabilities=probabilities)
