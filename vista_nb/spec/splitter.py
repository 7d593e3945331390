"""Cuts the cell body into top-level `key: value` entries, each with its place.

Reads text, returns entries and the lines that are none. May touch: nothing. DESIGN.md section 3: a value goes on over
indented lines; `#` comments; every entry keeps line and column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from vista_nb.errors import Problem
from vista_nb.spec.keys import find_key
from vista_nb.spec.located import Located, Source
from vista_nb.spec.scan import comment_start

__all__ = ["Entry", "split"]

_KEY = re.compile(r"(\w[\w.-]*)[ \t]*:(?!//)")
_ASSIGNED = re.compile(r"(\w+)\s*(?:=|\s)\s*(\S.*)")


@dataclass(frozen=True)
class Entry:
    """One `key: value`. data: the list, mapping or other value of a dict source, where it is no text.

    parts: settings of single parts (`--set plan.cpu=2` gives `cpu` and `2`), applied after the value.
    """

    key: Located
    value: Located
    data: object = None
    parts: tuple[tuple[str, Located], ...] = ()

    @property
    def name(self) -> str:
        return self.key.text


def split(text: str) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """All entries in order (a key twice is two entries) and a problem for each line that belongs to none."""
    source = Source.of(text)
    lines = [(offset, content[: comment_start(content)].rstrip()) for offset, content in source.lines]
    lines = [(offset, content) for offset, content in lines if content]
    margin = min((_indent(content) for _, content in lines), default=0)
    entries: list[Entry] = []
    problems: list[Problem] = []
    lost = False  # after a line that is no entry, its indented lines are lost with it
    for offset, content in lines:
        piece = Located.cut(source, offset, offset + len(content))
        if entries and not lost and _continues(content, margin):
            entries[-1] = _with_line(entries[-1], piece)
        elif match := _KEY.match(content, margin) if _indent(content) == margin else None:
            entries.append(Entry(piece[match.start(1) : match.end(1)], piece[match.end() :].strip()))
            lost = False
        elif not (lost and _continues(content, margin)):
            problems.append(_not_an_entry(piece.strip(), entries))
            lost = True
    return tuple(entries), tuple(problems)


def _indent(content: str) -> int:
    return len(content) - len(content.lstrip())


def _continues(content: str, margin: int) -> bool:
    """Indented lines, and what people write unindented under a key: `- item` lines and closing brackets."""
    rest = content[margin:]
    return rest[0].isspace() or rest == "-" or rest.startswith("- ") or rest[0] in "])}"


def _with_line(entry: Entry, line: Located) -> Entry:
    """The value with one more line; its indentation is kept, because the YAML keys need it."""
    return replace(entry, value=entry.value + line[:0].standing_for("\n") + line)


def _not_an_entry(piece: Located, entries: list[Entry]) -> Problem:
    match = _ASSIGNED.match(piece.text)
    hint = "indent a line that goes on with the value above" if entries else "a spec is lines of `key: value`"
    if match and find_key(match.group(1)):
        hint = f"write `{match.group(1)}: {match.group(2)}`, or indent a line that goes on with the value above"
    return piece.problem("VST101", "this line is no `key: value`", hint)
