"""Columns that give the label away: one column alone predicts it, or tells one class, almost without error.

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

__all__ = ["leak_warnings"]

ALMOST = 0.99
MARGIN = 0.1
_ADVICE = "it looks like a leak of the label; leave it out of `features` unless it is known before the label."


def leak_warnings(
    table: pa.Table, features: Sequence[FeatureUse], labels: Labels, train: NDArray[np.bool_], label: str
) -> tuple[str, ...]:
    """One sentence per feature whose values alone give at least 99 % of the train rows their label, tell one class
    from all others, or put the rows in the label's order.
    """
    rows = train & labels.known
    tell = _number_told if labels.is_regression else _class_told
    found = ((use, tell(table, use, rows, labels, label)) for use in features)
    return tuple(f"Column {use.column!r} alone {told}: {_ADVICE}" for use, told in found if told)


def _class_told(table: pa.Table, use: FeatureUse, rows: NDArray[np.bool_], labels: Labels, label: str) -> str:
    """What the best rule on this column alone tells; empty where that is not suspicious."""
    truth = labels.index[rows]
    guess = _guessed(table, use, rows, truth)
    counts = np.bincount(truth, minlength=len(labels.classes))
    accuracy = float(np.mean(guess == truth))
    if accuracy >= ALMOST and accuracy > counts.max() / len(truth) + MARGIN:
        return f"predicts {label!r} on {accuracy:.1%} of the train rows"
    several = np.count_nonzero(counts) > 2  # one of two classes is told apart only where both are
    told = [name for i, name in enumerate(labels.classes) if several and _told_apart(guess == i, truth == i)]
    return f"tells {' and '.join(map(repr, told[:2]))} from the other classes" if told else ""


def _told_apart(guess: NDArray[np.bool_], truth: NDArray[np.bool_]) -> bool:
    """Whether guessed and true rows of a class are nearly the same (F1); a handful of rows proves nothing."""
    both = int(np.sum(guess & truth))
    return int(truth.sum()) >= FREQUENT and 2 * both >= ALMOST * (int(guess.sum()) + int(truth.sum()))


def _guessed(table: pa.Table, use: FeatureUse, rows: NDArray[np.bool_], truth: NDArray[np.int32]) -> NDArray[Any]:
    """The class that the best rule on this column alone gives each row."""
    if use.is_category:
        return _by_category(as_categories(table, use.column)[rows], truth)
    return _by_cuts(as_numbers(table, use.column)[rows], truth)


def _by_category(values: NDArray[np.object_], truth: NDArray[np.int32]) -> NDArray[Any]:
    """Each category's most frequent class."""
    groups = _groups(values)
    table = np.zeros((int(groups.max()) + 1, int(truth.max()) + 1), dtype=np.int64)
    np.add.at(table, (groups, truth), 1)
    return np.asarray(table.argmax(axis=1)[groups])


def _groups(values: NDArray[np.object_]) -> NDArray[np.int64]:
    """Infrequent categories count as one: a name per row would predict anything, and teach nothing."""
    _, groups, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    return np.where(counts[groups] < FREQUENT, len(counts), groups)


def _by_cuts(values: NDArray[np.float64], truth: NDArray[np.int32]) -> NDArray[Any]:
    """A decision tree on one number with one leaf per class (two at least): a threshold, or a coded label."""
    from sklearn.tree import DecisionTreeClassifier

    filled = np.where(np.isnan(values), np.nanmin(values, initial=0.0) - 1.0, values).reshape(-1, 1)
    leaves = max(2, len(np.unique(truth)))
    tree: Any = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(filled, truth)
    return np.asarray(tree.predict(filled))


def _number_told(table: pa.Table, use: FeatureUse, rows: NDArray[np.bool_], labels: Labels, label: str) -> str:
    """A number in (nearly) the label's order, or categories that leave no spread of the label inside."""
    assert labels.values is not None
    truth = labels.values[rows]
    if use.is_category:
        share = _between(_groups(as_categories(table, use.column)[rows]), truth)
        return f"explains {share:.1%} of the variance of {label!r} in the train rows" if share >= ALMOST else ""
    values = as_numbers(table, use.column)[rows]
    given = ~np.isnan(values)
    if int(given.sum()) < max(FREQUENT, len(values) // 2):
        return ""
    order = _rank_correlation(values[given], truth[given])
    return (
        f"puts the train rows in the order of {label!r} (rank correlation {order:.3f})" if abs(order) >= ALMOST else ""
    )


def _between(groups: NDArray[np.int64], truth: NDArray[np.float64]) -> float:
    """Share of the label's variance that lies between the groups."""
    total = float(np.sum((truth - truth.mean()) ** 2))
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=truth) / np.maximum(counts, 1)
    inside = float(np.sum((truth - means[groups]) ** 2))
    return 1.0 - inside / total if total > 0 else 0.0


def _rank_correlation(values: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Spearman's; 0 where one of them is constant."""
    from scipy.stats import rankdata

    one, two = rankdata(values), rankdata(truth)
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(np.corrcoef(one, two)[0, 1])
