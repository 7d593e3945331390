"""Where the cursor stands in a cell: on the line of flags, at a key, or in the value of one.

Reads text and a cursor, returns a Place. May touch: nothing. The body is cut by the parser's own splitter, so that
completion and parser agree on what belongs to which key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from vista_nb.spec.scan import comment_start
from vista_nb.spec.splitter import split

__all__ = ["Place", "place_of"]

_CELL = re.compile(r"\s*%%vista(?=\s|$)")
_LINE = re.compile(r"\s*(?:\w+[ \t]*=[ \t]*)?%vista[ \t]")
_KEY = re.compile(r"\s*\w[\w.-]*[ \t]*:(?!//)")


@dataclass(frozen=True)
class Place:
    """kind: flags | subcommand | key | value | comment.

    before: on a line of flags what stands before the cursor; at a key its beginning; in a value all of it up to the
    cursor. given: the value of each key of the cell, wherever it stands.
    """

    kind: str
    before: str
    key: str = ""
    given: Mapping[str, str] = field(default_factory=dict)


def place_of(text: str, cursor: int) -> Place | None:
    """None outside of `%%vista` cells and `%vista` lines."""
    start = text.rfind("\n", 0, cursor) + 1
    line = text[start:cursor]
    cell = _CELL.match(text)
    if cell is None:
        match = _LINE.match(line)
        return Place("subcommand", line[match.end() :]) if match else None
    if cursor <= cell.end():
        return None  # in the magic's own name
    first = text.find("\n", cell.end())
    first = len(text) if first < 0 else first
    given = {entry.name: entry.value.text for entry in reversed(split(text[first:])[0])}
    if cursor <= first:
        return Place("flags", text[cell.end() : cursor], given=given)
    return _in_body(text[first + 1 : cursor], text[first + 1 :], line, given)


def _in_body(before: str, body: str, line: str, given: Mapping[str, str]) -> Place:
    if comment_start(line) < len(line):
        return Place("comment", "", given=given)
    if _at_key(before, body, line):
        return Place("key", line.lstrip(), given=given)
    # an empty value ends where its key does: a stand-in keeps the line alive in the splitter
    entries = split(before + "\N{BULLET}")[0]
    if not entries:
        return Place("key", line.lstrip(), given=given)
    entry = entries[-1]
    colon = before.index(":", entry.key.end)
    return Place("value", before[colon + 1 :], entry.name, given)


def _at_key(before: str, body: str, line: str) -> bool:
    """A line as far left as the others, without a colon yet; not one that goes on with the value above."""
    if _KEY.match(line):
        return False
    here = before.count("\n")
    lines = enumerate(body.split("\n"))
    others = [other for at, other in lines if at != here and other[: comment_start(other)].strip()]
    margin = min((len(other) - len(other.lstrip()) for other in others), default=0)
    rest = line.lstrip()
    return len(line) - len(rest) <= margin and not rest.startswith(("-", "]", ")", "}"))
