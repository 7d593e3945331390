"""Held-out rows of imagined models whose true quality is known: what the honesty of intervals is judged on.

Reads sizes and a random generator, returns FitResults as a real run makes them. May touch: nothing. Three worlds: a
classifier that is right with a known probability; numbers predicted with a known error; and linear discriminants that
are really trained, on data whose law is known, so that the accuracy of each is too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vista_nb.executor.downstream.fit import FitResult

__all__ = ["TrainedSet", "alike_layers", "classified", "fit_of", "predicted", "right_with", "trained"]

Generator = np.random.Generator
SHARES = (0.6, 0.3, 0.1)
"""Unequal on purpose: small classes are where f1 and auc are hard."""


def fit_of(
    truth: NDArray[Any],
    predictions: NDArray[Any],
    probabilities: NDArray[np.float64] | None = None,
    folds: NDArray[np.int16] | None = None,
) -> FitResult:
    """Held-out rows as a fit returns them; the model itself is of no use here. Whole numbers are classes."""
    numbers = truth.dtype.kind == "f"
    if probabilities is None:
        width = 0 if numbers else 2
        probabilities = np.zeros((len(truth), 0)) if numbers else np.eye(width)[predictions]
    classes = tuple(f"c{place}" for place in range(probabilities.shape[1]))
    keys = tuple(f"{row:06d}" for row in range(len(truth)))
    nothing: Any = None
    return FitResult(classes, keys, truth, predictions, probabilities, nothing, 0.0, len(truth), folds=folds)


def right_with(accuracy: float, rows: int, generator: Generator) -> FitResult:
    """A classifier of two classes whose every row is right with this probability."""
    truth = generator.integers(2, size=rows).astype(np.int32)
    right = generator.random(rows) < accuracy
    return fit_of(truth, np.where(right, truth, 1 - truth).astype(np.int32))


def alike_layers(count: int, accuracy: float, rows: int, generator: Generator, shared: float) -> dict[str, FitResult]:
    """Layers of the same true accuracy. shared: correlation of what makes a row hard for each (0: independent)."""
    truth = generator.integers(2, size=rows).astype(np.int32)
    common = generator.normal(size=rows)
    cut = _normal_quantile(accuracy)
    found = {}
    for place in range(count):
        own = generator.normal(size=rows)
        right = np.sqrt(shared) * common + np.sqrt(1 - shared) * own < cut
        found[f"layer{place}"] = fit_of(truth, np.where(right, truth, 1 - truth).astype(np.int32))
    return found


def classified(rows: int, generator: Generator, count: int = 1, pull: float = 1.2) -> dict[str, FitResult]:
    """Layers of three unequal classes with probabilities, all of the same true quality, rows hard in common."""
    truth = generator.choice(len(SHARES), size=rows, p=SHARES).astype(np.int32)
    common = generator.normal(size=(rows, len(SHARES)))
    found = {}
    for place in range(count):
        margins = np.sqrt(0.5) * (common + generator.normal(size=common.shape))
        margins[np.arange(rows), truth] += pull
        grown = np.exp(1.3 * margins)
        probabilities = grown / grown.sum(axis=1, keepdims=True)
        found[f"layer{place}"] = fit_of(truth, probabilities.argmax(axis=1).astype(np.int32), probabilities)
    return found


def predicted(rows: int, generator: Generator, count: int = 1) -> dict[str, FitResult]:
    """Numbers predicted with Laplace errors of the same size by every layer (heavier tails than the normal's)."""
    truth = generator.normal(size=rows)
    common = generator.laplace(size=rows)
    mixed = (0.5 * (common + generator.laplace(size=rows)) for _ in range(count))
    return {f"layer{place}": fit_of(truth, truth + error) for place, error in enumerate(mixed)}


@dataclass(frozen=True)
class TrainedSet:
    """fits: layer -> held-out rows, with folds where asked; true: layer -> the accuracy its models really have."""

    fits: Mapping[str, FitResult]
    true: Mapping[str, float]


def trained(rows: int, generator: Generator, count: int = 1, folds: int | None = None, width: int = 6) -> TrainedSet:
    """Really trained linear discriminants: class means +-d on normal noise, so a rule's accuracy is a normal integral.

    Each layer sees the same signal under noise of its own. Without folds a fifth of the rows is held out.
    """
    truth = generator.integers(2, size=rows).astype(np.int32)
    direction = np.full(width, 0.75 / sqrt(width))
    common = generator.normal(size=(rows, width))
    fold = generator.permutation(np.arange(rows) % (folds or 5)).astype(np.int16)
    fits, true = {}, {}
    for place in range(count):
        noise = np.sqrt(0.5) * (common + generator.normal(size=common.shape))
        matrix = (2 * truth[:, None] - 1) * direction + noise
        name = f"layer{place}"
        fits[name], true[name] = _cross_fitted(matrix, truth, direction, fold, folds is not None)
    return TrainedSet(fits, true)


def _cross_fitted(
    matrix: NDArray[np.float64],
    truth: NDArray[np.int32],
    direction: NDArray[np.float64],
    fold: NDArray[np.int16],
    every: bool,
) -> tuple[FitResult, float]:
    """(held-out rows, mean true accuracy of the models): of every fold, or of the first alone."""
    predictions = np.zeros(len(truth), dtype=np.int32)
    accuracies = []
    numbers = range(int(fold.max()) + 1) if every else range(1)
    for number in numbers:
        held = fold == number
        weights, offset = _discriminant(matrix[~held], truth[~held])
        predictions[held] = matrix[held] @ weights + offset > 0
        accuracies.append(_accuracy(weights, offset, direction))
    if every:
        return fit_of(truth, predictions, folds=fold), float(np.mean(accuracies))
    held = fold == 0
    return fit_of(truth[held], predictions[held]), accuracies[0]


def _discriminant(matrix: NDArray[np.float64], truth: NDArray[np.int32]) -> tuple[NDArray[np.float64], float]:
    """Fisher's linear discriminant: weights and offset."""
    low, high = matrix[truth == 0].mean(axis=0), matrix[truth == 1].mean(axis=0)
    within = np.where((truth == 1)[:, None], matrix - high, matrix - low)
    weights = np.linalg.solve(within.T @ within / len(matrix), high - low)
    return weights, float(-weights @ (low + high) / 2)


def _accuracy(weights: NDArray[np.float64], offset: float, direction: NDArray[np.float64]) -> float:
    """Of the rule w x + b > 0 where x is normal about +-direction with deviation 1 in every column."""
    size = float(np.linalg.norm(weights))
    ahead = float(weights @ direction)
    return 0.5 * (_normal((ahead + offset) / size) + _normal((ahead - offset) / size))


def _normal(value: float) -> float:
    return 0.5 * (1 + erf(value / sqrt(2)))


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
