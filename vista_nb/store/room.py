"""Room for what is to be written: rubbish goes first, then the least recently used parts, pins and leases never.

Reads a store's folders and its disk, returns what went. May touch: parts, under their layer's lock. DESIGN.md section
9. Called under the store's room lock, so that two kernels do not both count on the same free bytes. The manifest loses
a part before its file goes: a reader finds it whole, or not at all. What could not fit in any case evicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

from vista_nb.errors import VistaStoreError
from vista_nb.store.budget import VARIABLE, Candidate, least_recent
from vista_nb.store.disk import bytes_under, free_bytes, hold
from vista_nb.store.layout import Layout
from vista_nb.store.leases import leased
from vista_nb.store.manifest import LayerSet, Part
from vista_nb.store.sweep import Swept, sweep
from vista_nb.store.uses import is_pinned, last_used, read_uses
from vista_nb.units import format_bytes

__all__ = ["RESERVED", "Freed", "evict", "evictable", "held_bytes", "make_room", "spare_bytes"]

RESERVED = "reserved"
"""In a staging folder: the bytes that will come, so that others do not count on them."""

_TRIES = 3


class Freed(NamedTuple):
    """Parts that were evicted, with their bytes, and the rubbish that was found on the way."""

    parts: int = 0
    bytes: int = 0
    swept: Swept = Swept()


def held_bytes(layout: Layout) -> int:
    """Bytes of the whole store: parts, manifests, broken and staged files, and what stages have reserved."""
    total = bytes_under(layout.root)
    for note in layout.staging.glob(f"*/{RESERVED}"):
        with suppress(OSError, ValueError):
            total += max(0, int(note.read_text(encoding="utf-8")) - bytes_under(note.parent))
    return total


def spare_bytes(layout: Layout, budget: int) -> int:
    """What can be written without evicting anything: within the budget and the disk."""
    return max(0, min(budget - held_bytes(layout), free_bytes(layout.base)))


def make_room(layout: Layout, size: int, budget: int, floor: int) -> Freed:
    """`size` more bytes fit into the budget and leave `floor` bytes of the disk. Under the room lock.

    Raises VST614 (budget), VST613 (disk, with a floor) or VST601 (disk) where eviction would not bring them to fit.
    """
    freed = Freed()
    for _ in range(_TRIES):  # another kernel may begin to use what was chosen
        over = _over(layout, size, budget, floor)
        if over <= 0:
            return freed
        if freed == Freed():
            freed = Freed(swept=sweep(layout))
            over = _over(layout, size, budget, floor)
        chosen = least_recent(evictable(layout), over)
        if chosen is None:
            break
        gone = evict(layout, chosen)
        freed = Freed(freed.parts + gone.parts, freed.bytes + gone.bytes, freed.swept)
    if _over(layout, size, budget, floor) <= 0:
        return freed
    raise _no_room(layout, size, budget, floor)


def _over(layout: Layout, size: int, budget: int, floor: int) -> int:
    """Bytes that must go first."""
    return max(held_bytes(layout) + size - budget, size + floor - free_bytes(layout.base))


def evictable(layout: Layout) -> list[Candidate]:
    """Every part that is neither pinned nor under a lease."""
    protected, found = leased(layout.leases), []
    for key in layout.layer_keys():
        with suppress(OSError, ValueError):
            known, folder = layout.load(key), layout.folder(key)
            if known is None or is_pinned(folder):
                continue
            when = last_used(known, read_uses(folder))
            found += [Candidate(when[part.file], key, part) for part in known.parts if part.file not in protected]
    return found


def evict(layout: Layout, chosen: Iterable[Candidate]) -> Freed:
    """Remove these parts, but none that was pinned or leased meanwhile."""
    parts = size = 0
    for key, group in groupby(sorted(chosen, key=lambda c: c.key), key=lambda c: c.key):
        with hold(layout.lock(key)):
            known, folder = layout.load_to_write(key), layout.folder(key)
            if known is None or is_pinned(folder):
                continue
            protected = leased(layout.leases)
            going = [c.part for c in group if c.part in known.parts and c.part.file not in protected]
            _remove(layout, known, going)
            parts, size = parts + len(going), size + sum(part.bytes for part in going)
    return Freed(parts, size)


def _remove(layout: Layout, known: LayerSet, going: Sequence[Part]) -> None:
    """Manifest first; but a disk without a free byte takes no new manifest, and a missing part is only a broken one."""
    try:
        layout.replace(known.without(*(part.file for part in going)))
        written = True
    except OSError:
        written = False
    for part in going:
        (layout.folder(known.key) / part.file).unlink(missing_ok=True)
    if not written:
        layout.replace(known.without(*(part.file for part in going)))


def _no_room(layout: Layout, size: int, budget: int, floor: int) -> VistaStoreError:
    free, wanted = free_bytes(layout.base), format_bytes(size)
    if size + floor > free:
        if floor:
            message = f"{wanted} more would leave less than {format_bytes(floor)} of the {format_bytes(free)} free"
            return VistaStoreError(
                "VST613", f"{message} on the disk", "free some space, or set VISTA_NB_STORE_DIR to a larger disk"
            )
        message = f"writing to the store: {wanted} more, no space left under {layout.base} ({format_bytes(free)} free)"
        return VistaStoreError("VST601", message, "free some space, or set VISTA_NB_STORE_DIR to a larger disk")
    kept = held_bytes(layout) - sum(candidate.part.bytes for candidate in evictable(layout))
    message = f"{wanted} more would not fit into the store's budget of {format_bytes(budget)}"
    why = f"{format_bytes(kept)} of it are pinned or in use by running cells" if kept else "it is larger than all of it"
    return VistaStoreError("VST614", f"{message}: {why}", f"raise store_budget ({VARIABLE}); see %vista store ls")
