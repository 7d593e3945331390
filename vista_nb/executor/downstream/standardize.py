"""Columns scaled on the train rows: what a scikit-learn, Keras or own fit sees in the place of raw activations.

Reads a float32 matrix and the train rows, returns a Scaling. May touch: nothing. DESIGN.md section 11: image features
are standardized on train rows before any scikit-learn or Keras fit. One-hots of the table too, as pyspark.ml's linear
models do it: a penalty that suits a layer would else hardly let the table speak (docs/adr/0026, 10). Bytes: 8 or 4 per
value of the rows that are scaled, a few rows at a time beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Scaling", "learn_scaling", "moments"]

_ROWS_AT_A_TIME = 64  # a few MB of the widest layers: they stay in the processor's cache


@dataclass(frozen=True)
class Scaling:
    """(value - mean) / scale, by column."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, matrix: NDArray[np.float32], rows: NDArray[np.int64], kind: Any = np.float64) -> NDArray[Any]:
        """The chosen rows, scaled; float64, or the dtype `kind`."""
        scaled = np.empty((len(rows), matrix.shape[1]), dtype=kind)
        for some in pieces(len(rows)):
            scaled[some] = (matrix[rows[some]] - self.mean) / self.scale
        return scaled


def learn_scaling(matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> Scaling:
    """Mean 0 and deviation 1 over `rows`; constant columns become 0."""
    mean, deviation = moments(matrix, rows, 0)
    scale = np.where(varies(mean, deviation), deviation, 1.0)
    return Scaling(mean, scale)


def varies(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rounding leaves a tiny deviation in a constant column; dividing by it would blow noise up."""
    return deviation > 1e-9 * np.abs(mean)


def moments(
    matrix: NDArray[np.float32], rows: NDArray[np.int64], ddof: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of every column over `rows`, in doubles, a few rows at a time: no second matrix in memory."""
    mean = np.zeros(matrix.shape[1])
    for some in pieces(len(rows)):
        mean += matrix[rows[some]].sum(axis=0, dtype=np.float64)
    mean /= len(rows)
    if not np.isfinite(mean).all():
        place = int(np.flatnonzero(~np.isfinite(mean))[0])
        message = f"feature column {place} holds NaN or infinity"
        raise VistaDataError("VST355", message, "look at the layer's values for these images with .features(layer)")
    squares = np.zeros_like(mean)
    for some in pieces(len(rows)):
        away = matrix[rows[some]] - mean
        squares += np.einsum("ij,ij->j", away, away)
    return mean, np.sqrt(squares / max(1, len(rows) - ddof))


def pieces(rows: int) -> Iterator[slice]:
    """A few rows at a time."""
    return (slice(start, start + _ROWS_AT_A_TIME) for start in range(0, rows, _ROWS_AT_A_TIME))
