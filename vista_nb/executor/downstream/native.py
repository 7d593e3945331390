"""A model that another library fitted (scikit-learn's, the user's own) behind the one form that scores rows.

Reads a fitted object with `predict`, and perhaps `predict_proba` or `decision_function`; returns probabilities and
predictions. May touch: nothing. Class numbers go in and come out as positions among the label's classes. Without
probabilities margins stand in their place (the order of the rows is right, so `auc` is; the numbers are none).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vista_nb.errors import VistaRunError
from vista_nb.executor.downstream.fit import CHUNK_ROWS, spread
from vista_nb.executor.downstream.standardize import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CalledModel", "NativeModel", "one_hot", "shares_of"]


@dataclass(frozen=True)
class NativeModel:
    """native: the fitted object; mean, scale: of the columns it was fitted on; trained: its classes among `classes`
    (both empty for a regression). single: it is given float32.
    """

    native: Any
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    trained: tuple[int, ...]
    classes: tuple[str, ...]
    single: bool = False

    @property
    def has_probabilities(self) -> bool:
        """False where what stands in their place are margins, or only the class."""
        return bool(self.classes) and hasattr(self.native, "predict_proba")

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(rows, classes); (rows, 0) for a regression."""
        if not self.classes:
            return np.zeros((len(matrix), 0))
        parts = [self._shares(part) for part in self._scaled(matrix)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        """Positions among the classes, int32; numbers for a regression."""
        kind = np.int32 if self.classes else np.float64
        parts = [_column(self.native.predict(part), len(part)) for part in self._scaled(matrix)]
        return np.concatenate(parts).astype(kind) if parts else np.zeros(0, dtype=kind)

    def _scaled(self, matrix: NDArray[np.float32]) -> list[NDArray[Any]]:
        starts = range(0, len(matrix), CHUNK_ROWS)
        rows = (np.arange(start, min(start + CHUNK_ROWS, len(matrix))) for start in starts)
        kind = np.float32 if self.single else np.float64
        return [Scaling(self.mean, self.scale).apply(matrix, some, kind) for some in rows]

    def _shares(self, scaled: NDArray[Any]) -> NDArray[np.float64]:
        if hasattr(self.native, "predict_proba"):
            found = np.asarray(self.native.predict_proba(scaled), dtype=np.float64)
        elif hasattr(self.native, "decision_function"):
            found = shares_of(np.asarray(self.native.decision_function(scaled), dtype=np.float64))
        else:
            return one_hot(_column(self.native.predict(scaled), len(scaled)), len(self.classes))
        if found.shape != (len(scaled), len(self.trained)):
            return one_hot(_column(self.native.predict(scaled), len(scaled)), len(self.classes))
        return spread(found, self.trained, len(self.classes))


@dataclass(frozen=True)
class CalledModel(NativeModel):
    """What the user's own function returned: any object with `predict`, which only this process can hold."""

    saveable: ClassVar[bool] = False


def shares_of(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Margins as numbers from 0 to 1 in the same order: one column is the second of two classes."""
    if margins.ndim == 1 or margins.shape[1] == 1:
        flat = margins.reshape(-1, 1)
        margins = np.hstack([np.zeros_like(flat), flat])
    grown = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float64)


def one_hot(predictions: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """All of it on the predicted class."""
    return np.asarray(np.eye(classes)[predictions.astype(np.int64)], dtype=np.float64)


def _column(predicted: Any, rows: int) -> NDArray[Any]:
    """A prediction per row; some libraries give (rows, 1)."""
    found = np.asarray(predicted).reshape(-1)
    if len(found) != rows:
        message = f"the model predicted {len(found)} values for {rows} rows"
        raise VistaRunError("VST523", message, "`predict` must give one value per row", stage="train")
    return found
