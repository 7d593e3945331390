"""What choosing the best layer is worth: the choice is scored on rows that had no part in it.

Reads fits with folds, returns a NestedScore. May touch: nothing. DESIGN.md section 5 (`.best`); docs/adr/0028. The
best layer's own score is too good, since the luckiest of several was taken. So the layer is chosen anew on half of the
held-out rows and scored on the other half, both ways round, for many halvings; the estimate is their mean. Once over
the folds themselves would be unbiased too, but swings more than its rows allow: near-ties turn many choices at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from vista_nb.executor.downstream.metrics import point, point_by, score
from vista_nb.outcome.intervals import wilson
from vista_nb.outcome.metrics import gain
from vista_nb.outcome.scores import NestedScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

__all__ = ["HALVINGS", "nested_score"]

HALVINGS: Final = 50
_UP_TO_ONE = frozenset({"f1", "auc", "r2"})


def nested_score(fits: Mapping[str, FitResult], metric: str, seed: int = 0) -> NestedScore | None:
    """`fits`: layer -> fit, on the same rows and folds, baselines left out. None without folds, or with one layer."""
    first = next(iter(fits.values()), None)
    if first is None or first.folds is None or len(fits) < 2:
        return None
    halves = _halves(first.rows_test, seed)
    by_half = {
        name: point_by(metric, fit, halves.reshape(-1, first.rows_test).astype(np.float64))
        for name, fit in fits.items()
    }
    chosen = [_best({name: float(values[k]) for name, values in by_half.items()}, metric) for k in range(2 * HALVINGS)]
    # the choice of one half is scored on the other
    pieced = [_pieced(fits, first, halves[k], (chosen[2 * k + 1], chosen[2 * k])) for k in range(HALVINGS)]
    values = np.array([point(metric, fit) for fit in pieced])
    picked = [name for name, _ in Counter(chosen).most_common()]
    value = float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
    low, high = _interval(metric, value, fits[picked[0]], seed)
    return NestedScore(metric, value, low, high, tuple(picked))


def _halves(rows: int, seed: int) -> NDArray[np.bool_]:
    """(halvings, 2, rows): which rows are in either half."""
    generator = np.random.default_rng([seed, rows])
    first = np.array([generator.permutation(np.arange(rows) % 2 == 0) for _ in range(HALVINGS)])
    return np.stack([first, ~first], axis=1)


def _best(values: Mapping[str, float], metric: str) -> str:
    """The first of the best; NaN last."""
    return max(values, key=lambda name: gain(metric, values[name], 0.0) if values[name] == values[name] else -np.inf)


def _pieced(
    fits: Mapping[str, FitResult], first: FitResult, halves: NDArray[np.bool_], names: Sequence[str]
) -> FitResult:
    """Each half's rows as the layer chosen for it predicted them."""
    predictions, probabilities = first.predictions.copy(), first.probabilities.copy()
    for rows, name in zip(halves, names, strict=True):
        predictions[rows] = fits[name].predictions[rows]
        probabilities[rows] = fits[name].probabilities[rows]
    return replace(first, predictions=predictions, probabilities=probabilities)


def _interval(metric: str, value: float, likely: FitResult, seed: int) -> tuple[float, float]:
    """As wide as that of the layer that was chosen most, about the estimate."""
    if metric == "accuracy":
        return wilson(round(value * likely.rows_test), likely.rows_test)
    own = score(metric, likely, seed)
    low, high = (end + value - own.value for end in (own.low, own.high))
    return (low if metric == "r2" else max(0.0, low)), (min(1.0, high) if metric in _UP_TO_ONE else high)
