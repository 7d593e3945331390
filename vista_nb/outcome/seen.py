"""Which held-out rows people should look at: those a layer gets wrong, those that two layers tell apart.

Reads TestRows, returns some of them, the most telling first. May touch: nothing (standard library only).
DESIGN.md section 5, `.mistakes`: of a classification the surest mistakes, of a regression the largest errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vista_nb.outcome.scores import TestRow

__all__ = ["Disagreement", "disagreement", "error", "is_wrong", "mistakes"]


@dataclass(frozen=True)
class Disagreement:
    """Pairs (row as a saw it, row as b saw it). a_right: a is right and b wrong (nearer, of a regression); both_right,
    both_wrong: rows that do not tell them apart (of a regression none).
    """

    a_right: tuple[tuple[TestRow, TestRow], ...]
    b_right: tuple[tuple[TestRow, TestRow], ...]
    both_right: int = 0
    both_wrong: int = 0


def is_wrong(row: TestRow) -> bool:
    return row.truth != row.prediction


def error(row: TestRow) -> float:
    """Of a regression: how far the prediction lies from the truth."""
    return abs(float(row.prediction) - float(row.truth))


def mistakes(rows: Iterable[TestRow], truth: str | None = None, prediction: str | None = None) -> tuple[TestRow, ...]:
    """The rows that are wrong, surest (or furthest off) first, equal ones by key; only those of one true class, or
    taken for one class, where named.
    """
    wrong = [row for row in rows if is_wrong(row)]
    if truth is not None:
        wrong = [row for row in wrong if str(row.truth) == truth]
    if prediction is not None:
        wrong = [row for row in wrong if str(row.prediction) == prediction]
    return tuple(sorted(wrong, key=lambda row: (-_weight(row), row.key)))


def _weight(row: TestRow) -> float:
    if isinstance(row.prediction, str):
        return row.probability or 0.0
    return error(row)


def disagreement(a: Sequence[TestRow], b: Sequence[TestRow]) -> Disagreement:
    """The same rows as two layers saw them, in the same order."""
    pairs = list(zip(a, b, strict=True))
    if pairs and not isinstance(pairs[0][0].prediction, str):
        return _nearer(pairs)
    a_right = [(x, y) for x, y in pairs if not is_wrong(x) and is_wrong(y)]
    b_right = [(x, y) for x, y in pairs if is_wrong(x) and not is_wrong(y)]
    right = sum(not is_wrong(x) and not is_wrong(y) for x, y in pairs)
    return Disagreement(
        tuple(sorted(a_right, key=lambda pair: (-_weight(pair[1]), pair[0].key))),
        tuple(sorted(b_right, key=lambda pair: (-_weight(pair[0]), pair[0].key))),
        right,
        len(pairs) - right - len(a_right) - len(b_right),
    )


def _nearer(pairs: Sequence[tuple[TestRow, TestRow]]) -> Disagreement:
    """By how much nearer one is than the other."""

    def lead(pair: tuple[TestRow, TestRow]) -> float:
        return error(pair[1]) - error(pair[0])

    ahead = sorted((p for p in pairs if lead(p) > 0), key=lambda p: (-lead(p), p[0].key))
    behind = sorted((p for p in pairs if lead(p) < 0), key=lambda p: (lead(p), p[0].key))
    return Disagreement(tuple(ahead), tuple(behind))
