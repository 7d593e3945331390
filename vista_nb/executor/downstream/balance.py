"""How evenly the label's classes are filled, in sentences.

Reads labels and which rows are train rows, returns notes. May touch: nothing. DESIGN.md section 11: imbalance is
reported, as accuracy alone hides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vista_nb.executor.downstream.encode import FREQUENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["balance_notes"]

UNEQUAL = 10
"""The largest class has this many times the rows of the smallest."""
_NAMED = 3


def balance_notes(labels: Labels, train: NDArray[np.bool_]) -> tuple[str, ...]:
    """At most two sentences: classes of very unequal size, classes with few train rows. None of a number."""
    if labels.is_regression:
        return ()
    counts = np.bincount(labels.index[labels.known], minlength=len(labels.classes))
    trained = np.bincount(labels.index[labels.known & train], minlength=len(labels.classes))
    return (*_unequal(labels.classes, counts), *_few(labels.classes, trained))


def _unequal(classes: tuple[str, ...], counts: NDArray[np.int64]) -> tuple[str, ...]:
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEQUAL * counts[least]:
        return ()
    share = counts[most] / counts.sum()
    least_of = f"{classes[least]!r} {int(counts[least])} of {int(counts.sum())}"
    told = f"The classes are unequal: {classes[most]!r} holds {share:.1%} of the rows, {least_of}"
    return (f"{told}; `metric: f1` weighs classes alike.",)


def _few(classes: tuple[str, ...], trained: NDArray[np.int64]) -> tuple[str, ...]:
    """Classes without any train row are told of by the labels themselves."""
    few = [(name, int(n)) for name, n in zip(classes, trained, strict=True) if 0 < n < FREQUENT]
    if not few:
        return ()
    shown = ", ".join(f"{name!r} ({n})" for name, n in few[:_NAMED]) + (", ..." if len(few) > _NAMED else "")
    return (f"Classes with fewer than {FREQUENT} train rows are hardly learnt: {shown}.",)
