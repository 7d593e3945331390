"""When each part of a layer set was last used, how often, and what that saved; and which layer sets are pinned.

Reads and writes `uses.json` and `pinned` in a layer's folder, returns values. May touch: those two files.
DESIGN.md section 9: the budget takes the least recently used first. Uses are advice: a lost or broken file makes every
part as old as its writing, nothing more, so it is replaced in one step but not forced to the disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vista_nb.store.disk import replace_text, sync_folder
from vista_nb.store.layout import PINNED, USES
from vista_nb.store.manifest import LayerSet

__all__ = ["Use", "is_pinned", "last_used", "note_uses", "read_uses", "set_pin"]


class Use(NamedTuple):
    """last: seconds since 1970; times: runs that read the part; seconds: inference that they did not do again."""

    last: float
    times: int = 0
    seconds: float = 0.0


def read_uses(folder: Path) -> dict[str, Use]:
    """Part's file name -> its use; nothing where it was never used, or nobody can tell."""
    try:
        body = json.loads((folder / USES).read_text(encoding="utf-8"))
        return {name: Use(float(last), int(times), float(seconds)) for name, (last, times, seconds) in body.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def note_uses(folder: Path, layers: LayerSet, saved: Mapping[str, float], now: float) -> None:
    """Add one use of the parts in `saved` (file name -> seconds). Under the layer's lock."""
    known = read_uses(folder)
    kept = {part.file: known[part.file] for part in layers.parts if part.file in known}
    for name, seconds in saved.items():
        before = known.get(name, Use(now))
        kept[name] = Use(max(now, before.last), before.times + 1, before.seconds + seconds)
    replace_text(folder / USES, json.dumps(kept), durable=False)


def last_used(layers: LayerSet, uses: Mapping[str, Use]) -> dict[str, float]:
    """Part's file name -> when it was last used, or written."""
    return {part.file: max(part.created, uses[part.file].last if part.file in uses else 0.0) for part in layers.parts}


def is_pinned(folder: Path) -> bool:
    return (folder / PINNED).exists()


def set_pin(folder: Path, pinned: bool) -> None:
    """Under the layer's lock."""
    if pinned:
        (folder / PINNED).touch()
    else:
        with suppress(FileNotFoundError):
            (folder / PINNED).unlink()
    sync_folder(folder)
