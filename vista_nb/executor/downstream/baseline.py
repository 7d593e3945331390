"""The structured features alone: what a picture must beat.

Reads the encoded table, labels and the split, returns fits named `(table)` and `(table, tree)`. May touch: processor
threads. DESIGN.md section 3, key `baseline`: the same model and a tree model (a linear model alone would be an easy
opponent); with `features: []` `(table)` is the largest class and the tree is left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.executor.downstream.fit import FitResult, FittedModel, spread
from vista_nb.outcome.scores import TABLE, TABLE_TREE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["ForestModel", "MajorityModel", "fit_baselines", "fit_majority", "fit_tree"]

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
class ForestModel:
    """A fitted scikit-learn forest over the encoded table."""

    native: Any
    classes: tuple[str, ...]

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        trained = tuple(int(c) for c in self.native.classes_)
        return spread(self.native.predict_proba(matrix), trained, len(self.classes))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.int32]:
        return np.asarray(self.probabilities(matrix).argmax(axis=1), dtype=np.int32)


def fit_baselines(
    table: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    same_model: Callable[[NDArray[np.float32]], FitResult],
    *,
    threads: int = 1,
    seed: int = 0,
) -> dict[str, FitResult]:
    """`table`: the encoded structured features (rows, d_s). `same_model` fits M on it, wherever the plan trains M."""
    if table.shape[1] == 0:
        return {TABLE: fit_majority(keys, labels, test)}
    tree = fit_tree(table, keys, labels, test, threads=threads, seed=seed)
    return {TABLE: same_model(table), TABLE_TREE: tree}


def fit_majority(keys: Sequence[str], labels: Labels, test: NDArray[np.bool_]) -> FitResult:
    """The largest class of the train rows (the first as text where two are equal)."""
    counts = np.bincount(labels.index[labels.known & ~test], minlength=len(labels.classes))
    model = MajorityModel(counts / counts.sum())
    return _scored(model, np.zeros((len(keys), 0), dtype=np.float32), keys, labels, test, time.perf_counter())


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
    from sklearn.ensemble import RandomForestClassifier

    started = time.perf_counter()
    train = labels.known & ~test
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF_ROWS, random_state=seed, n_jobs=threads)
    forest.fit(table[train], labels.index[train])
    return _scored(ForestModel(forest, labels.classes), table, keys, labels, test, started, forest)


def _scored(
    model: FittedModel,
    table: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    started: float,
    native: Any = None,
) -> FitResult:
    """The held-out rows in the order of their keys."""
    held = labels.known & test
    order = np.flatnonzero(held)[np.argsort(np.asarray(keys, dtype=object)[held], kind="stable")]
    probabilities = model.probabilities(table[order])
    return FitResult(
        classes=labels.classes,
        keys=tuple(keys[i] for i in order.tolist()),
        truth=labels.index[order],
        predictions=probabilities.argmax(axis=1).astype(np.int32),
        probabilities=probabilities,
        model=model,
        seconds=time.perf_counter() - started,
        rows_train=int(np.sum(labels.known & ~test)),
        native=native,
    )
