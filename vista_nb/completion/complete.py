"""What may stand at the cursor: keys, values, flags, subcommands, each from the table that its parser reads.

Reads a cell, a cursor and a World; returns the fragment to replace and the candidates. May touch: nothing but the
World. DESIGN.md section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vista_nb.completion.lines import line_choices
from vista_nb.completion.place import Place, place_of
from vista_nb.completion.values import Fitting, value_choices
from vista_nb.completion.world import World
from vista_nb.spec.keys import KEYS

__all__ = ["Candidate", "Found", "complete"]


@dataclass(frozen=True)
class Candidate:
    """text: what takes the fragment's place; kind: shown beside it (key, layer, column, path, ...)."""

    text: str
    kind: str


@dataclass(frozen=True)
class Found:
    """fragment: the text before the cursor that the candidates replace."""

    fragment: str
    candidates: tuple[Candidate, ...]


def complete(text: str, cursor: int, world: World) -> Found | None:
    """None outside of our cells and lines. Inside them never empty where something was typed: an unknown word stands
    for itself, or IPython would offer Python's names in its place.
    """
    place = place_of(text, cursor)
    if place is None:
        return None
    fragment, kind, choices = _choices(place, world)
    fitting = [Candidate(choice, kind) for choice in _fitting(fragment, choices)]
    return Found(fragment, tuple(fitting) or (Candidate(fragment, "text"),))


def _choices(place: Place, world: World) -> tuple[str, str, Sequence[str]]:
    inserted = re.search(r"\{\{\s*(\w*)$", place.before)
    if inserted and place.kind == "value":
        return inserted[0], "variable", [f"{{{{{name}}}}}" for name in world.variables("text")]
    if place.kind == "key":
        return place.before, "key", [f"{key.name}: " for key in KEYS if key.name not in place.given]
    if place.kind == "value":
        return value_choices(place, world)
    return line_choices(place, world) if place.kind in ("flags", "subcommand") else (place.before, "text", ())


def _fitting(fragment: str, choices: Iterable[str]) -> list[str]:
    """Those that begin like the fragment, whatever the case; else those that hold it."""
    known = list(dict.fromkeys(choices))
    if isinstance(choices, Fitting):
        return known
    wanted = fragment.casefold()
    starting = [choice for choice in known if choice.casefold().startswith(wanted)]
    return starting or [choice for choice in known if wanted in choice.casefold()]
