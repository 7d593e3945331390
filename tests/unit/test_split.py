"""The split: from the key alone, the same for every layer, independent of the waves; labels as classes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.split import encode_labels, held_out, in_wave, wave_fractions

KEYS = [f"row {i}" for i in range(4000)]


def test_the_split_hangs_on_the_key_alone() -> None:
    """Another order, fewer rows, another table: the same key stays on its side; another seed splits anew."""
    test = dict(zip(KEYS, held_out(KEYS, 0, 0.2), strict=True))
    some = KEYS[::-7]
    assert held_out(some, 0, 0.2).tolist() == [test[key] for key in some]
    assert 0.18 < np.mean(list(test.values())) < 0.22
    assert held_out(KEYS, 1, 0.2).tolist() != list(test.values())


def test_a_larger_share_keeps_the_rows() -> None:
    """Rows held out at 0.1 are held out at 0.3."""
    assert not np.any(held_out(KEYS, 0, 0.1) & ~held_out(KEYS, 0, 0.3))


def test_split_and_wave_are_independent() -> None:
    """A wave holds the same share of test rows as the whole: its score estimates the final one."""
    test, fractions = held_out(KEYS, 0, 0.2), wave_fractions(KEYS, 0)
    first = in_wave(fractions, 0.3)
    assert 0.27 < first.mean() < 0.33
    assert abs(test[first].mean() - test.mean()) < 0.03
    assert abs(np.corrcoef(fractions, test)[0, 1]) < 0.05


def test_labels_become_classes() -> None:
    """Sorted as text; nulls, NaN and whole floats handled; booleans and numbers too."""
    test = np.array([False, False, True, False])
    labels = encode_labels(["b", "a", "b", None], test, "y")
    assert (labels.classes, labels.index.tolist(), labels.nulls) == (("a", "b"), [1, 0, 1, -1], 1)
    assert labels.notes == ("1 rows without a label were left out.",)
    numbers = encode_labels(pa.chunked_array([[10.0, 9.0], [float("nan"), 9.0]]), np.array([0, 0, 0, 1], bool), "y")
    assert (numbers.classes, numbers.index.tolist()) == (("10", "9"), [0, 1, -1, 1])
    assert encode_labels([True, False, True, False], test, "y").classes == ("False", "True")


def test_a_class_without_train_rows() -> None:
    """It is noted, and its rows count among the held-out ones."""
    labels = encode_labels(["a", "b", "c", "c"], np.array([False, False, True, True]), "y")
    assert labels.trained == (0, 1)
    assert labels.untrained == ("c",)
    assert labels.notes == ("Class 'c' has no train row: its 2 held-out rows count as wrong.",)
    assert labels.majority == 0.5


@pytest.mark.parametrize(
    ("values", "test", "message"),
    [
        (["a", "a", "a"], [False, False, True], "all rows are of one class, 'a'"),
        (["a", "a", "b"], [False, False, True], "all train rows are of one class, 'a'"),
        ([None, None, "b"], [False, False, True], "no train row has a value"),
        (["a", "b", None], [False, False, True], "no row with a 'y' is held out"),
    ],
)
def test_labels_that_teach_nothing_are_refused(values: list[str | None], test: list[bool], message: str) -> None:
    """A coded error that names the column."""
    with pytest.raises(VistaDataError, match=message) as error:
        encode_labels(values, np.array(test), "y")
    assert error.value.code in ("VST351", "VST352")
    assert "'y'" in error.value.message
