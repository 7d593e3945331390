"""`reduce: pca K`: a layer's vector as K numbers, learnt of the train rows alone.

Reads float32 vectors and which rows are train rows, returns a fitted projection. May touch: processor threads.
DESIGN.md section 3, key `reduce`; ADR 27. Columns are standardized first, so that no loud channel takes every
component; what is kept is one matrix and one row of numbers, so new rows need no library.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reducer", "fit_reducer"]

_ROWS_AT_A_TIME = 256


@dataclass(frozen=True)
class Reducer:
    """x -> x @ weights + shift. weights: (width, components) float32. explained: the share of variance that is kept."""

    weights: NDArray[np.float32]
    shift: NDArray[np.float32]
    explained: float

    @property
    def components(self) -> int:
        return int(self.weights.shape[1])

    def transform(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, width) -> (rows, components) float32."""
        return np.asarray(vectors @ self.weights + self.shift, dtype=np.float32)


def fit_reducer(vectors: NDArray[np.float32], train: NDArray[np.bool_], components: int, seed: int) -> Reducer | None:
    """Principal components of the standardized train rows; as many as rows and columns allow.

    None where the vectors are no wider than `components`: nothing is to be gained. At least two train rows.
    """
    from sklearn.decomposition import PCA

    rows = np.flatnonzero(train)
    if vectors.shape[1] <= components:
        return None
    mean, scale = _moments(vectors, rows)
    scaled = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
    for some in _pieces(len(rows)):
        scaled[some] = (vectors[rows[some]] - mean) / scale
    pca = PCA(min(components, max(1, len(rows) - 1)), copy=False, random_state=seed).fit(scaled)
    weights = (pca.components_ / scale).T
    shift = -(mean / scale + pca.mean_) @ pca.components_.T
    kept = float(np.nan_to_num(pca.explained_variance_ratio_.sum()))
    return Reducer(np.ascontiguousarray(weights, dtype=np.float32), shift.astype(np.float32), kept)


def _moments(vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of every column in doubles; a constant column keeps scale 1, so it becomes 0."""
    mean = np.zeros(vectors.shape[1])
    for some in _pieces(len(rows)):
        mean += vectors[rows[some]].sum(axis=0, dtype=np.float64)
    mean /= len(rows)
    squares = np.zeros_like(mean)
    for some in _pieces(len(rows)):
        away = vectors[rows[some]] - mean
        squares += np.einsum("ij,ij->j", away, away)
    deviation = np.sqrt(squares / len(rows))
    return mean, np.where(deviation > 1e-9 * np.abs(mean), deviation, 1.0)


def _pieces(rows: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS_AT_A_TIME) for start in range(0, rows, _ROWS_AT_A_TIME))
