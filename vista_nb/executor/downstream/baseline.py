"""The structured features alone: what a picture must beat.

Reads the encoded table, labels and the split, returns fits of one split. May touch: processor threads. DESIGN.md
section 3, key `baseline`: the same model and a tree model (a linear model alone would be an easy opponent); with
`features: []` `(table)` is the largest class, or the mean, and the tree is left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.executor.downstream.fit import FitResult, spread
from vista_nb.executor.downstream.fit_driver import held_out_result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["ForestModel", "MajorityModel", "MeanModel", "fit_guess", "fit_tree"]

TREES = 200
LEAF_ROWS = 2


@dataclass(frozen=True)
class MajorityModel:
    """Always the largest class of the train rows; probabilities are their shares."""

    shares: NDArray[np.float64]

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.tile(self.shares, (len(matrix), 1))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.int32]:
        return np.full(len(matrix), self.shares.argmax(), dtype=np.int32)


@dataclass(frozen=True)
class MeanModel:
    """Always the mean of the train rows: the best constant under a squared error."""

    mean: float

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros((len(matrix), 0))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.full(len(matrix), self.mean)


@dataclass(frozen=True)
class ForestModel:
    """A fitted scikit-learn forest over the encoded table; without classes, a regression's."""

    native: Any
    classes: tuple[str, ...]

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if not self.classes:
            return np.zeros((len(matrix), 0))
        if not len(matrix):
            return np.zeros((0, len(self.classes)))
        trained = tuple(int(c) for c in self.native.classes_)
        return spread(self.native.predict_proba(matrix), trained, len(self.classes))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        if not self.classes:
            return np.asarray(self.native.predict(matrix) if len(matrix) else np.zeros(0), dtype=np.float64)
        return np.asarray(self.probabilities(matrix).argmax(axis=1), dtype=np.int32)


def fit_guess(keys: Sequence[str], labels: Labels, test: NDArray[np.bool_]) -> FitResult:
    """The largest class of the train rows (the first as text where two are equal), or their mean."""
    started = time.perf_counter()
    train = labels.known & ~test
    nothing = np.zeros((len(keys), 0), dtype=np.float32)
    held = labels.known & test
    if labels.is_regression:
        return held_out_result(MeanModel(float(labels.truth[train].mean())), nothing, keys, labels, held, started)
    counts = np.bincount(labels.index[train], minlength=len(labels.classes))
    return held_out_result(MajorityModel(counts / counts.sum()), nothing, keys, labels, held, started)


def fit_tree(
    table: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    *,
    threads: int = 1,
    seed: int = 0,
) -> FitResult:
    """A random forest of 200 trees, at least two rows per leaf."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    started = time.perf_counter()
    train = labels.known & ~test
    kind = RandomForestRegressor if labels.is_regression else RandomForestClassifier
    forest = kind(TREES, min_samples_leaf=LEAF_ROWS, random_state=seed, n_jobs=threads)
    forest.fit(table[train], labels.truth[train])
    return held_out_result(
        ForestModel(forest, labels.classes), table, keys, labels, labels.known & test, started, forest
    )
