"""Which held-out rows are shown, and in which order."""

from __future__ import annotations

import pytest

from vista_nb.outcome import scores
from vista_nb.outcome.seen import disagreement, mistakes
from vista_nb.outcome.wording import change, listed, written


def row(key: str, truth: str, prediction: str, sure: float | None = None) -> scores.TestRow:
    return scores.TestRow(key, truth, prediction, sure)


ROWS = (
    row("a", "hat", "hat", 0.9),
    row("b", "hat", "shoe", 0.6),
    row("c", "shoe", "hat", 0.8),
    row("d", "shoe", "shirt", 0.6),
)


def test_the_surest_mistakes_come_first() -> None:
    """Right rows are left out; equal ones by key."""
    assert [r.key for r in mistakes(ROWS)] == ["c", "b", "d"]
    assert [r.key for r in mistakes(reversed(ROWS))] == ["c", "b", "d"]
    assert mistakes(ROWS[:1]) == ()


def test_mistakes_of_one_class() -> None:
    """By truth, by prediction, by both."""
    assert [r.key for r in mistakes(ROWS, truth="shoe")] == ["c", "d"]
    assert [r.key for r in mistakes(ROWS, prediction="shirt")] == ["d"]
    assert [r.key for r in mistakes(ROWS, "hat", "shoe")] == ["b"]
    assert mistakes(ROWS, truth="boot") == ()


def test_a_model_without_probabilities_goes_by_key() -> None:
    """Nothing is invented."""
    rows = [row("b", "hat", "shoe"), row("a", "shoe", "hat")]
    assert [r.key for r in mistakes(rows)] == ["a", "b"]


def test_the_largest_errors_come_first() -> None:
    """Of a regression, in both directions."""
    rows = [
        scores.TestRow("a", 10.0, 11.0),
        scores.TestRow("b", 10.0, 4.0),
        scores.TestRow("c", 10.0, 10.0),
        scores.TestRow("d", 10.0, 16.5),
    ]
    assert [r.key for r in mistakes(rows)] == ["d", "b", "a"]


def test_where_two_layers_part() -> None:
    """Only a right, only b right; the rest is counted."""
    other = (
        row("a", "hat", "shoe", 0.5),
        row("b", "hat", "hat", 0.9),
        row("c", "shoe", "hat", 0.7),
        row("d", "shoe", "shoe", 0.6),
    )
    found = disagreement(ROWS, other)
    assert [a.key for a, _ in found.a_right] == ["a"]
    assert [a.key for a, _ in found.b_right] == ["b", "d"]
    assert (found.both_right, found.both_wrong) == (0, 1)
    turned = disagreement(other, ROWS)
    assert [a.key for a, _ in turned.a_right] == ["b", "d"]


def test_which_of_two_layers_is_nearer() -> None:
    """By how much, largest first; equally near rows tell nothing."""
    a = [
        scores.TestRow("a", 10.0, 11.0),
        scores.TestRow("b", 10.0, 4.0),
        scores.TestRow("c", 10.0, 9.0),
        scores.TestRow("d", 10.0, 12.0),
    ]
    b = [
        scores.TestRow("a", 10.0, 13.0),
        scores.TestRow("b", 10.0, 10.0),
        scores.TestRow("c", 10.0, 11.0),
        scores.TestRow("d", 10.0, 17.0),
    ]
    found = disagreement(a, b)
    assert [x.key for x, _ in found.a_right] == ["d", "a"]
    assert [x.key for x, _ in found.b_right] == ["b"]


def test_other_rows_are_refused() -> None:
    """Two layers of different rows cannot be laid side by side."""
    with pytest.raises(ValueError, match="zip"):
        disagreement(ROWS, ROWS[:2])


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.8584, "0.858"),
        ("r2", -0.04, "-0.040"),
        ("rmse", 0.01234, "0.01234"),
        ("rmse", 351_234.5, "351\N{NO-BREAK SPACE}234"),
        ("mae", 1_000.0, "1\N{NO-BREAK SPACE}000"),
        ("mae", float("nan"), "nan"),
    ],
)
def test_numbers_for_people(metric: str, value: float, text: str) -> None:
    """No exponent for a price."""
    assert written(metric, value) == text


def test_lists_and_differences_for_people() -> None:
    """Long lists are cut; plus is better."""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert change("f1", -0.0212) == "-2.1 points"
    assert change("rmse", -51_000.0) == "-51\N{NO-BREAK SPACE}000 rmse (plus is better)"
