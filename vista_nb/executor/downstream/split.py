"""Which rows are held out, and what the label's classes are: one answer for every layer and every engine.

Reads keys and the label column, returns NumPy arrays. May touch: nothing. DESIGN.md sections 3 and 7.3: rows are
assigned by a salted hash of the key, so every layer is scored on the same rows and a wave is an unbiased sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError
from vista_nb.plan.fingerprint import SPLIT_SALT, WAVE_SALT, row_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Labels", "class_text", "encode_labels", "held_out", "in_wave", "wave_fractions"]


@dataclass(frozen=True)
class Labels:
    """The label of every row as a number. index: int32, -1 where the label is null; classes: sorted as text.

    nulls: rows without a label. trained: indices of classes that have train rows, ascending; a row of any other
    class can only be scored as wrong.
    """

    index: NDArray[np.int32]
    classes: tuple[str, ...]
    nulls: int
    trained: tuple[int, ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows that have a label."""
        return self.index >= 0

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
    def majority(self) -> float:
        """Share of the largest class among the rows with a label."""
        counts = np.bincount(self.index[self.known], minlength=1)
        return float(counts.max() / max(1, counts.sum()))


def held_out(keys: Iterable[str], seed: int, test: float) -> NDArray[np.bool_]:
    """True for test rows: those whose split fraction lies below `test`."""
    return np.fromiter((row_fraction(SPLIT_SALT, seed, key) < test for key in keys), dtype=np.bool_)


def wave_fractions(keys: Iterable[str], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) per row, independent of the split."""
    return np.fromiter((row_fraction(WAVE_SALT, seed, key) for key in keys), dtype=np.float64)


def in_wave(fractions: NDArray[np.float64], high: float) -> NDArray[np.bool_]:
    """Rows that a wave up to `high` trains and scores on."""
    return fractions < high


def encode_labels(values: Sequence[Any] | Any, test: NDArray[np.bool_], column: str) -> Labels:
    """Label values (a list, or an Arrow column) as classes; `column` is named in errors.

    Raises VistaDataError VST351 where fewer than two classes have train rows, VST352 where no row is held out.
    """
    raw = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    texts = [class_text(value) for value in raw]
    classes = tuple(sorted({text for text in texts if text is not None}))
    place = {name: i for i, name in enumerate(classes)}
    index = np.array([-1 if text is None else place[text] for text in texts], dtype=np.int32)
    known = index >= 0
    trained = tuple(int(i) for i in np.unique(index[known & ~test]))
    if len(trained) < 2:
        raise _single_class(column, classes, trained)
    if not bool(np.any(known & test)):
        raise VistaDataError("VST352", f"no row with a {column!r} is held out", "raise `test`, or use more rows")
    return Labels(index, classes, int(np.sum(~known)), trained)


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
