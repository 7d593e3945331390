"""What one rule of the binder found: a value, what is wrong, what comes in a later version, what to tell the user.

Reads a spec's places, returns frozen values. May touch: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vista_nb.errors import Problem
from vista_nb.spec.model import Spec

__all__ = ["Found", "joined", "place"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Found(Generic[T_co]):
    """problems: the spec is wrong. not_yet: it is right, but this version cannot run it. notes: sentences to show."""

    value: T_co
    problems: tuple[Problem, ...] = ()
    not_yet: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def place(spec: Spec, key: str, code: str, message: str, hint: str = "", word: str = "") -> Problem:
    """A problem at `key` (or `key.part`, `key[2]`); at `word` inside that value where it is found there."""
    where = spec.position(key)
    column, length = where.column, where.length
    lines = spec.text.splitlines()
    if word and 0 < where.line <= len(lines):
        value = lines[where.line - 1][column - 1 : column - 1 + length]
        index = value.find(word)
        if index >= 0:
            column, length = column + index, len(word)
    return Problem(code, message, hint, where.line, column, length)


def joined(parts: Iterable[Iterable[Problem]]) -> tuple[Problem, ...]:
    """Problems of several rules, in the order of the text, each once; placeless ones last."""
    flat = dict.fromkeys(problem for part in parts for problem in part)
    return tuple(sorted(flat, key=lambda p: (p.line or 10**9, p.column)))
