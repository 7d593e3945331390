"""How many bytes the store may take, and which parts go so that it does.

Reads a setting or VISTA_NB_STORE_BYTES and the parts with their last use, returns numbers and parts. May touch: the
environment (read only). DESIGN.md section 9: byte budget, least recently used first, pins. room.py removes the parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from vista_nb.errors import VistaStoreError
from vista_nb.store.manifest import Part
from vista_nb.units import GB, parse_bytes

__all__ = ["BUDGET", "VARIABLE", "Candidate", "least_recent", "store_budget"]

BUDGET = 20 * GB
VARIABLE = "VISTA_NB_STORE_BYTES"


class Candidate(NamedTuple):
    """A part that may go. last: seconds since 1970 of its last use, or of its writing."""

    last: float
    key: str
    part: Part


def store_budget(given: str | int | None = None) -> int:
    """Bytes the store may take: `given` (`5GB`), else VISTA_NB_STORE_BYTES, else 20 GB. Raises VST616."""
    named, value = "store_budget", given
    if value is None or value == "":
        named, value = VARIABLE, os.environ.get(VARIABLE) or BUDGET
    try:
        return parse_bytes(value)
    except ValueError as error:
        raise VistaStoreError("VST616", f"{named}={value!r} is no size", "give a size such as 5GB or 200MB") from error


def least_recent(candidates: Iterable[Candidate], needed: int) -> list[Candidate] | None:
    """The least recently used ones that free `needed` bytes together; None where all of them do not suffice."""
    chosen, freed = [], 0
    for candidate in sorted(candidates, key=lambda c: (c.last, c.key, c.part.file)):
        if freed >= needed:
            break
        chosen.append(candidate)
        freed += candidate.part.bytes
    return chosen if freed >= needed else None
