"""Which rows are held out, and what the label's classes are: one answer for every layer and every engine.

Reads keys and the label column, returns NumPy arrays. May touch: nothing. DESIGN.md sections 3 and 7.3: rows are
assigned by a salted hash of the key, so every layer is scored on the same rows and a wave is an unbiased sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError
from vista_nb.plan.fingerprint import SPLIT_SALT, TUNE_SALT, WAVE_SALT, row_fraction
from vista_nb.spec.model import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Labels",
    "class_text",
    "encode_labels",
    "fold_of",
    "held_out",
    "in_wave",
    "inner_fold_of",
    "refuse_untrainable",
    "wave_fractions",
]


@dataclass(frozen=True)
class Labels:
    """The label of every row. Classes: index, int32, -1 where the label is null; classes: sorted as text.
    Numbers: values, float64, NaN where it is null; index is then 0 or -1, and there are no classes.

    nulls: rows without a label. trained: indices of classes that have train rows, ascending; a row of any other
    class can only be scored as wrong.
    """

    index: NDArray[np.int32]
    classes: tuple[str, ...]
    nulls: int
    trained: tuple[int, ...]
    values: NDArray[np.float64] | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows that have a label."""
        return self.index >= 0

    @property
    def is_regression(self) -> bool:
        return self.values is not None

    @property
    def truth(self) -> NDArray[Any]:
        """What a model learns: the class's index, or the number."""
        return self.index if self.values is None else self.values

    def on(self, train: NDArray[np.bool_]) -> Labels:
        """The same rows with these to train on."""
        return replace(self, trained=_trained(self, train))

    def select(self, kept: NDArray[np.int64], train: NDArray[np.bool_]) -> Labels:
        """Some of the rows; `train` says which of those are trained on."""
        values = None if self.values is None else self.values[kept]
        return replace(self, index=self.index[kept], values=values, nulls=0).on(train)

    @property
    def untrained(self) -> tuple[str, ...]:
        return tuple(name for i, name in enumerate(self.classes) if i not in self.trained)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report must say of the label, one sentence each."""
        found = []
        if self.nulls:
            found.append(f"{self.nulls} rows without a label were left out.")
        for name in self.untrained:
            rows = int(np.sum(self.index == self.classes.index(name)))
            found.append(f"Class {name!r} has no train row: its {rows} held-out rows count as wrong.")
        return tuple(found)

    @property
    def majority(self) -> float | None:
        """Share of the largest class among the rows with a label; numbers have none."""
        if self.is_regression:
            return None
        counts = np.bincount(self.index[self.known], minlength=1)
        return float(counts.max() / max(1, counts.sum()))


def _trained(labels: Labels, train: NDArray[np.bool_]) -> tuple[int, ...]:
    return () if labels.is_regression else tuple(int(c) for c in np.unique(labels.index[labels.known & train]))


def held_out(keys: Iterable[str], seed: int, test: float) -> NDArray[np.bool_]:
    """True for test rows: those whose split fraction lies below `test`."""
    return np.fromiter((row_fraction(SPLIT_SALT, seed, key) < test for key in keys), dtype=np.bool_)


def wave_fractions(keys: Iterable[str], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) per row, independent of the split."""
    return np.fromiter((row_fraction(WAVE_SALT, seed, key) for key in keys), dtype=np.float64)


def in_wave(fractions: NDArray[np.float64], high: float) -> NDArray[np.bool_]:
    """Rows that a wave up to `high` trains and scores on."""
    return fractions < high


def fold_of(keys: Iterable[str], seed: int, folds: int) -> NDArray[np.int16]:
    """The fold, from 0, in which each row is held out. The split's own hash: `test: 0.2` holds out fold 0 of five."""
    return np.fromiter((int(row_fraction(SPLIT_SALT, seed, key) * folds) for key in keys), dtype=np.int16)


def inner_fold_of(keys: Iterable[str], seed: int, folds: int) -> NDArray[np.int16]:
    """The same for a grid search inside the train rows, independent of the split."""
    return np.fromiter((int(row_fraction(TUNE_SALT, seed, key) * folds) for key in keys), dtype=np.int16)


def encode_labels(
    values: Sequence[Any] | Any,
    test: NDArray[np.bool_],
    column: str,
    *,
    task: Task = Task.CLASSIFICATION,
    folds: int | None = None,
) -> Labels:
    """Label values (a list, or an Arrow column) as classes or numbers; `column` is named in errors.

    Raises VistaDataError VST351 where fewer than two classes (or no row at all) can be trained on, VST352 where no row
    is held out, VST356 for a label that is no number. folds: no row is held out for good.
    """
    raw = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    labels = _numbers(raw, column) if task is Task.REGRESSION else _classes(raw)
    labels = labels.on(~test)
    refuse_untrainable(labels, test, column, folds)
    return labels


def refuse_untrainable(labels: Labels, test: NDArray[np.bool_], column: str, folds: int | None = None) -> None:
    """Raises VST351 or VST352: a split that can train or score nothing."""
    if labels.is_regression and not bool(np.any(labels.known & ~test)):
        raise VistaDataError("VST351", f"label {column!r}: no train row has a value", "check `label` and `on`")
    if not labels.is_regression and len(labels.trained) < 2:
        raise _single_class(column, labels.classes, labels.trained)
    if folds is None and not bool(np.any(labels.known & test)):
        raise VistaDataError("VST352", f"no row with a {column!r} is held out", "raise `test`, or use more rows")


def _classes(raw: Sequence[Any]) -> Labels:
    texts = [class_text(value) for value in raw]
    classes = tuple(sorted({text for text in texts if text is not None}))
    place = {name: i for i, name in enumerate(classes)}
    index = np.array([-1 if text is None else place[text] for text in texts], dtype=np.int32)
    return Labels(index, classes, int(np.sum(index < 0)), ())


def _numbers(raw: Sequence[Any], column: str) -> Labels:
    """Null, NaN and infinities are no labels."""
    try:
        values = np.array([np.nan if value is None else float(value) for value in raw], dtype=np.float64)
    except (TypeError, ValueError):
        example = next(value for value in raw if value is not None and not _is_number(value))
        message = f"label {column!r} holds {example!r}, which is no number"
        raise VistaDataError("VST356", message, "write `task: classification` to take its values as classes") from None
    values[~np.isfinite(values)] = np.nan
    index = np.where(np.isnan(values), -1, 0).astype(np.int32)
    return Labels(index, (), int(np.sum(index < 0)), (), values)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _single_class(column: str, classes: tuple[str, ...], trained: tuple[int, ...]) -> VistaDataError:
    if not trained:
        return VistaDataError("VST351", f"label {column!r}: no train row has a value", "check `label` and `on`")
    where = "all rows" if len(classes) == 1 else "all train rows"
    message = f"label {column!r}: {where} are of one class, {classes[trained[0]]!r}"
    return VistaDataError("VST351", message, "a model needs two classes: choose another label, or more rows")


def class_text(value: object) -> str | None:
    """A label's value as the text of its class; None for null and NaN. 3.0 (an integer beside nulls) is `3`."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
