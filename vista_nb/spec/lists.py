"""List values: one literal, `- item` lines, or `[a, b]`; items stay text.

Reads a located value, returns its items or raises BadValue. May touch: nothing. DESIGN.md section 3: a value starting
with `[` is a list only if its matching `]` ends it (`[ab]*.jpg` is a glob); items are cut at commas outside quotes and
brackets.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.scan import CLOSING, OPENING, matching_end, plain_characters

__all__ = ["Items", "read_items"]


@dataclass(frozen=True)
class Items:
    """The items of a list key. is_list is false where one literal stood there (`top 5`, `all`, one pattern)."""

    items: tuple[Located, ...]
    is_list: bool


def read_items(value: Located, key: str) -> Items:
    """The items, each stripped, none empty."""
    value = value.strip()
    if _is_dash(value.text.split("\n")[0].rstrip()):
        return Items(_dash_items(value, key), True)
    if value.text.startswith("["):
        end = matching_end(value.text)
        if end is None:
            raise value[:1].bad("VST107", f"`{key}`: this `[` is never closed", "end the list with `]`")
        if end == len(value.text) - 1:
            return Items(_bracket_items(value[1:-1], key), True)
    return Items((value.folded(),), False)


def _is_dash(line: str) -> bool:
    return line == "-" or line.startswith("- ")


def _dash_items(value: Located, key: str) -> tuple[Located, ...]:
    items: list[Located] = []
    problems = []
    for line in (line for line in value.lines() if line):
        item = line[1:].strip() if _is_dash(line.text) else None
        if item is None:
            problems.append(
                line.problem("VST107", f"`{key}`: each line of this list starts with `- `", "write `- ` before it")
            )
        elif not item:
            problems.append(line.problem("VST106", f"`{key}`: this item is empty"))
        else:
            items.append(item)
    if problems:
        raise BadValue(problems)
    return tuple(items)


def _bracket_items(inside: Located, key: str) -> tuple[Located, ...]:
    pieces, start, depth = [], 0, 0
    for i, character in plain_characters(inside.text):
        depth += (character in OPENING) - (character in CLOSING)
        if character == "," and depth == 0:
            pieces.append(inside[start:i])
            start = i + 1
    rest = inside[start:].strip()
    items = [piece.folded() for piece in pieces] + ([rest.folded()] if rest else [])  # a comma may end the list
    empty = [piece for piece, item in zip(pieces, items, strict=False) if not item]
    if empty:
        raise BadValue([piece.problem("VST106", f"`{key}`: an item is empty", "remove one comma") for piece in empty])
    return tuple(items)
