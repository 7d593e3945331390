"""Columns that give the label away: one column alone predicts it almost without error.

Reads an Arrow table and the labels, returns sentences. May touch: nothing. DESIGN.md section 3, key `features`: such
a column (a price beside `expensive`) makes every layer look useless, so the user is told before she believes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.catalog.workload import FeatureUse
from vista_nb.executor.downstream.columns import as_categories, as_numbers
from vista_nb.executor.downstream.encode import FREQUENT

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["leak_accuracy", "leak_warnings"]

ALMOST = 0.99
MARGIN = 0.1


def leak_warnings(
    table: pa.Table, features: Sequence[FeatureUse], labels: Labels, train: NDArray[np.bool_], label: str
) -> tuple[str, ...]:
    """One sentence per feature whose values alone give at least 99 % of the train rows their label."""
    rows = train & labels.known
    truth = labels.index[rows]
    majority = float(np.bincount(truth).max() / len(truth))
    found = []
    for use in features:
        accuracy = leak_accuracy(table, use, rows, truth)
        if accuracy >= ALMOST and accuracy > majority + MARGIN:
            found.append(
                f"Column {use.column!r} alone predicts {label!r} on {accuracy:.1%} of the train rows: it looks like a "
                "leak of the label; leave it out of `features` unless it is known before the label."
            )
    return tuple(found)


def leak_accuracy(table: pa.Table, use: FeatureUse, rows: NDArray[np.bool_], truth: NDArray[np.int32]) -> float:
    """Train accuracy of the best rule on this column alone: as many cuts as classes, or one answer per category."""
    if use.is_category:
        return _by_category(as_categories(table, use.column)[rows], truth)
    return _by_cuts(as_numbers(table, use.column)[rows], truth)


def _by_category(values: NDArray[np.object_], truth: NDArray[np.int32]) -> float:
    """Infrequent categories count as one: a name per row would predict anything, and teach nothing."""
    _, groups, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    groups = np.where(counts[groups] < FREQUENT, len(counts), groups)
    table = np.zeros((len(counts) + 1, int(truth.max()) + 1), dtype=np.int64)
    np.add.at(table, (groups, truth), 1)
    return float(table.max(axis=1).sum() / len(truth))


def _by_cuts(values: NDArray[np.float64], truth: NDArray[np.int32]) -> float:
    """A decision tree on one number with one leaf per class (two at least): a threshold, or a coded label."""
    from sklearn.tree import DecisionTreeClassifier

    filled = np.where(np.isnan(values), np.nanmin(values, initial=0.0) - 1.0, values).reshape(-1, 1)
    leaves = max(2, len(np.unique(truth)))
    tree: Any = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(filled, truth)
    return float(tree.score(filled, truth))
