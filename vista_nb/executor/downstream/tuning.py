"""`tune`: every point of the grid scored inside the train rows, the best one fitted on all of them.

Reads the calls of a grid, the inner folds and a fit, returns the FitResult of the best. May touch: what the fit
touches. DESIGN.md sections 3 and 11. The inner folds are a hash of the key too, so every layer is tuned on the same
ones, and no held-out row has a part in the choice. The encoding of the table (medians, categories, `reduce`) is that of
the train rows as a whole; a model's own scaling is learnt anew in every inner fold. docs/adr/0026.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.metrics import point
from vista_nb.executor.downstream.split import Labels, inner_fold_of
from vista_nb.outcome.metrics import gain
from vista_nb.outcome.tuning import TriedPoint
from vista_nb.spec.model import Argument, EstimatorCall, Tune

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FitCalls", "Split", "grid", "tuned", "with_point"]

Point = tuple[tuple[str, Argument], ...]


@dataclass(frozen=True)
class Split:
    """Rows to train on, rows to score. inner: of the grid search, the number of its fold; None for the whole."""

    train: NDArray[np.bool_]
    held: NDArray[np.bool_]
    inner: int | None = None


FitCalls = Callable[[Split, Sequence[EstimatorCall]], Sequence[FitResult]]


def grid(tune: Tune) -> tuple[Point, ...]:
    """All combinations, the last parameter changing fastest."""
    names = [name for name, _ in tune.grid]
    return tuple(tuple(zip(names, values, strict=True)) for values in product(*(values for _, values in tune.grid)))


def with_point(call: EstimatorCall, point: Point) -> EstimatorCall:
    """The call with the point's values in the place of its own."""
    return replace(call, parameters=tuple((dict(call.parameters) | dict(point)).items()))


def tuned(
    call: EstimatorCall,
    tune: Tune,
    metric: str,
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    seed: int,
    fit: FitCalls,
) -> FitResult:
    """The fit of the best point on all train rows, with what was tried. Of equal points the first is taken.

    Raises VST358 where no inner fold can be trained and scored.
    """
    points = grid(tune)
    calls = [with_point(call, each) for each in points]
    train = labels.known & ~test
    scores = _inner_scores(calls, tune.folds, metric, inner_fold_of(keys, seed, tune.folds), labels, train, fit)
    tried = tuple(_tried(each, column) for each, column in zip(points, scores.T, strict=True))
    best = max(range(len(points)), key=lambda i: _order(metric, tried[i].value))
    whole = next(iter(fit(Split(train, labels.known & test), calls[best : best + 1])))
    return replace(whole, parameters=points[best], tried=tried)


def _inner_scores(
    calls: Sequence[EstimatorCall],
    folds: int,
    metric: str,
    place: NDArray[np.int16],
    labels: Labels,
    train: NDArray[np.bool_],
    fit: FitCalls,
) -> NDArray[np.float64]:
    """(inner folds, points). A fold whose train rows hold one class, or that has no row, is left out."""
    scores = []
    for fold in range(folds):
        split = Split(train & (place != fold), train & (place == fold), fold)
        if _can_train(labels, split):
            scores.append([point(metric, result) for result in fit(split, calls)])
    if not scores:
        message = f"tune: no fold of {folds} can be trained and scored on {int(train.sum())} train rows"
        raise VistaDataError("VST358", message, "use fewer folds, or more rows")
    return np.array(scores, dtype=np.float64)


def _can_train(labels: Labels, split: Split) -> bool:
    if not split.held.any() or not split.train.any():
        return False
    return labels.is_regression or len(labels.on(split.train).trained) >= 2


def _tried(point: Point, scores: NDArray[np.float64]) -> TriedPoint:
    known = scores[~np.isnan(scores)]
    if not len(known):
        return TriedPoint(point, float("nan"), float("nan"))
    return TriedPoint(point, float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0)


def _order(metric: str, value: float) -> float:
    """Larger is better; NaN last."""
    return gain(metric, value, 0.0) if value == value else -np.inf
