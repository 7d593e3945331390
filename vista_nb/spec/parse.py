"""The parser's entry: cell text or dict in, Spec and all its problems out.

Reads text (or a mapping) and the notebook's variables for `{{x}}`, returns Parsed. May touch: nothing. DESIGN.md
section 3: unknown keys, bad values and missing keys are reported at once, each with line, column and caret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from vista_nb.errors import Problem
from vista_nb.spec.keys import KEYS, SYNONYMS, find_key, find_part
from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.model import Position, Spec
from vista_nb.spec.splitter import Entry, split
from vista_nb.spec.suggest import closest, listed
from vista_nb.spec.values import read_value
from vista_nb.spec.variables import insert_variables

__all__ = ["Parsed", "check", "parse", "unknown_key"]


@dataclass(frozen=True)
class Parsed:
    """spec: what could be read; where `problems` is not empty it is only good for completion and messages.

    entries and text_problems are the uncut material, kept so that `--set` can change one of them.
    """

    spec: Spec
    problems: tuple[Problem, ...] = ()
    entries: tuple[Entry, ...] = field(default=(), compare=False, repr=False)
    text_problems: tuple[Problem, ...] = field(default=(), compare=False, repr=False)


def parse(source: str | Mapping[str, object], variables: Mapping[str, object] | None = None) -> Parsed:
    """The spec of a cell's text, or of a dict with the same keys."""
    entries, problems = split(source) if isinstance(source, str) else _entries_of(source)
    inserted = [_insert(entry, variables or {}) for entry in entries]
    found = [*problems, *(problem for _, more in inserted for problem in more)]
    return check(tuple(entry for entry, _ in inserted), tuple(found), source if isinstance(source, str) else "")


def check(entries: Sequence[Entry], text_problems: Sequence[Problem], text: str) -> Parsed:
    """Types every entry and gathers all problems, in the order of the text, placeless ones last."""
    values: dict[str, Any] = {}
    positions: dict[str, Position] = {}
    problems = list(text_problems)
    broken = {entry.name for entry in entries if any(_is_inside(p, entry) for p in text_problems)}
    for entry in entries:
        try:
            _read(entry, values, positions, skip=broken)
        except BadValue as bad:
            problems.extend(bad.problems)
    spec = Spec(**{k: v for k, v in values.items() if v is not _UNREADABLE}, text=text)
    spec = replace(spec, positions=MappingProxyType(positions))
    problems.extend(_missing(spec, values))
    if "test" in values and values.get("folds") not in (None, _UNREADABLE):
        problems.append(_at(positions["folds"], "VST112", "`test` and `folds` exclude each other", "keep one of them"))
    problems.sort(key=lambda p: (p.line or 10**9, p.column))
    return Parsed(spec, tuple(problems), tuple(entries), tuple(text_problems))


_UNREADABLE = object()  # the key was given, so it is not missing, but its value has problems


def _entries_of(source: Mapping[str, object]) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """A dict's values: text is read as in the cell, lists and mappings as they are."""
    entries = []
    for name, value in source.items():
        if value is None:
            continue  # a key that is not given
        data, text = None, ""
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif isinstance(value, str | int | float):
            text = str(value)
        elif hasattr(value, "__fspath__"):
            text = str(value.__fspath__())
        else:
            data = value
        entries.append(Entry(Located.of(str(name)), Located.of(text.strip()), data))
    return tuple(entries), ()


def _insert(entry: Entry, variables: Mapping[str, object]) -> tuple[Entry, tuple[Problem, ...]]:
    value, problems = insert_variables(entry.value, variables)
    return replace(entry, value=value), problems


def _is_inside(problem: Problem, entry: Entry) -> bool:
    """Whether `{{x}}` failed in this entry: its value is then not judged a second time."""
    if problem.code != "VST111":
        return False
    first, last = entry.key.position(), entry.value[len(entry.value.text) :].position()
    return first.line == 0 or first.line <= problem.line <= max(last.line, first.line)


def _read(entry: Entry, values: dict[str, Any], positions: dict[str, Position], skip: set[str]) -> None:
    key = find_key(entry.name)
    if key is None:
        raise BadValue([unknown_key(entry.key)])
    if key.name in values:
        raise entry.key.bad("VST103", f"`{key.name}` is given twice", "keep one of them")
    values[key.name] = _UNREADABLE
    positions[key.name] = (entry.value.strip() or entry.key).position()
    if key.name in skip:
        return
    value = read_value(entry, key)
    values[key.name] = value.value
    positions.update(value.positions)


def unknown_key(name: Located) -> Problem:
    """The problem of a key that does not exist, with what was probably meant."""
    part = find_part(name.text)
    meant = SYNONYMS.get(name.text.casefold())
    near = meant or closest(name.text, [key.name for key in KEYS])
    if near and "." not in near:
        hint = f"did you mean `{near}`?"
    elif part or near:
        owner, _, inner = (part or near or "").partition(".")
        hint = f"`{inner}` is a part of `{owner}`: write `{owner}: {{{inner}: ...}}`"
    else:
        hint = f"keys: {listed([key.name for key in KEYS], limit=len(KEYS))}"
    return name.problem("VST102", f"unknown key `{name.text}`", hint)


def _missing(spec: Spec, given: Mapping[str, object]) -> list[Problem]:
    """Required keys; with `statistics: {rows: n}` those of the data may be absent (a what-if)."""
    what_if = spec.statistics.rows is not None or given.get("statistics") is _UNREADABLE
    return [
        Problem("VST104", f"`{key.name}` is missing", f"add a line `{key.name}: {key.example}`", 0, 0)
        for key in KEYS
        if key.required and key.name not in given and not (what_if and key.data_only)
    ]


def _at(where: Position, code: str, message: str, hint: str) -> Problem:
    return Problem(code, message, hint, where.line, where.column, where.length)
