"""What every fit returns, whichever engine did it: the held-out rows as predicted, and a model that scores new rows.

Reads nothing, returns frozen values. May touch: nothing. DESIGN.md section 11: the training site is a physical
decision, so results of cluster and driver have one form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vista_nb.outcome.scores import TestRow
from vista_nb.outcome.tuning import TriedPoint
from vista_nb.spec.model import Argument

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FitResult", "FittedModel", "LinearModel", "spread"]

CHUNK_ROWS = 4_096


class FittedModel(Protocol):
    """Scores feature matrices: the structured features, then the layer's, float32."""

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(rows, classes); 0 for a class without train rows."""
        ...

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        """(rows,) indices into the classes, int32; numbers for a regression, whose probabilities are (rows, 0)."""
        ...


@dataclass(frozen=True)
class LinearModel:
    """Logistic or linear regression in the features' own units: plain numbers, so it needs no engine to score a row.

    coefficients: (1, d) for two trained classes, else (trained classes, d); trained: their indices among `classes`.
    Both are empty for a linear regression, whose coefficients are (1, d).
    """

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    trained: tuple[int, ...]
    classes: tuple[str, ...]

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if not self.classes:
            return np.zeros((len(matrix), 0))
        parts = [self._chunk(matrix[i : i + CHUNK_ROWS]) for i in range(0, len(matrix), CHUNK_ROWS)]
        found = np.concatenate(parts) if parts else np.zeros((0, len(self.trained)))
        return spread(found, self.trained, len(self.classes))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        if not self.classes:
            parts = [self._margins(matrix[i : i + CHUNK_ROWS])[:, 0] for i in range(0, len(matrix), CHUNK_ROWS)]
            return np.concatenate(parts) if parts else np.zeros(0)
        return np.asarray(self.probabilities(matrix).argmax(axis=1), dtype=np.int32)

    def _margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(matrix.astype(np.float64) @ self.coefficients.T + self.intercepts, dtype=np.float64)

    def _chunk(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax, or the logistic function for two classes; without overflow."""
        margins = self._margins(matrix)
        if margins.shape[1] == 1:
            margins = np.hstack([np.zeros_like(margins), margins])
        grown = np.exp(margins - margins.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True)
class FitResult:
    """The held-out rows of one fit, ordered by key. truth and predictions: indices into `classes`, int32.

    A regression has no classes: truth and predictions are float64 in the label's unit, probabilities is (rows, 0).
    probabilities: (rows, classes). seconds: fit and scoring. native: the engine's own fitted object.
    notes: sentences for the user (not converged, for instance). folds: with `folds: k` the rows are all rows, each
    predicted by the model that had not seen it, and this is the number of its fold, from 0; None for one split.
    has_probabilities: false where `probabilities` holds margins squeezed between 0 and 1, or 1 for the predicted class.
    parameters: what a grid search chose; tried: what it looked at.
    """

    classes: tuple[str, ...]
    keys: tuple[str, ...]
    truth: NDArray[Any]
    predictions: NDArray[Any]
    probabilities: NDArray[np.float64]
    model: FittedModel
    seconds: float
    rows_train: int
    native: Any = None
    notes: tuple[str, ...] = ()
    folds: NDArray[np.int16] | None = None
    has_probabilities: bool = True
    parameters: tuple[tuple[str, Argument], ...] = ()
    tried: tuple[TriedPoint, ...] = ()

    @property
    def is_regression(self) -> bool:
        return not self.classes

    @property
    def rows_test(self) -> int:
        return len(self.keys)

    def rows(self) -> tuple[TestRow, ...]:
        """For people: keys, true and predicted classes as text, with the prediction's probability where there is one;
        of a regression, numbers.
        """
        truths, predictions = self.truth.tolist(), self.predictions.tolist()
        if self.is_regression:
            return tuple(map(TestRow, self.keys, truths, predictions))
        names, places = self.classes, range(len(self.keys))
        sure = [self.probabilities[i, predictions[i]].item() if self.has_probabilities else None for i in places]
        texts = ([names[place] for place in column] for column in (truths, predictions))
        return tuple(map(TestRow, self.keys, *texts, sure))


def spread(found: NDArray[np.float64], trained: tuple[int, ...], classes: int) -> NDArray[np.float64]:
    """Probabilities over the trained classes as probabilities over all classes."""
    whole = np.zeros((len(found), classes), dtype=np.float64)
    whole[:, list(trained)] = found
    return whole
