"""What people do with the store: look, pin, drop, clean, check.

Reads and writes an open store, returns values. May touch: the store. DESIGN.md sections 4 and 9; ADR 21.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from vista_nb.errors import VistaStoreError
from vista_nb.store.budget import Candidate, least_recent
from vista_nb.store.disk import bytes_under, coded, hold
from vista_nb.store.files import Store
from vista_nb.store.layout import MANIFEST, Layout
from vista_nb.store.leases import leased
from vista_nb.store.manifest import LayerSet
from vista_nb.store.notes import waiting_notes
from vista_nb.store.remote_admin import drop_remote, remote_sets, sweep_remote, verify_remote
from vista_nb.store.room import Freed, evict, evictable, held_bytes
from vista_nb.store.uses import is_pinned, last_used, read_uses, set_pin

__all__ = ["Checked", "Holding", "Inventory", "check", "clean", "drop", "inventory", "pin"]


@dataclass(frozen=True)
class Holding:
    """One layer set. used: seconds since 1970; times: runs that read it, saved: seconds of inference they did without.

    in_use: a running cell relies on some of it. remote_rows, remote_bytes: what the remote tier has of it; `layers` has
    no parts where nothing lies here.
    """

    layers: LayerSet
    used: float
    times: int = 0
    saved: float = 0.0
    pinned: bool = False
    in_use: bool = False
    remote_rows: int = 0
    remote_bytes: int = 0


@dataclass(frozen=True)
class Inventory:
    """size: bytes of the whole folder, of `budget`. others: folders of other format versions, with their bytes.

    remote: the address of the tier behind it, empty where there is none.
    """

    folder: Path
    holdings: tuple[Holding, ...]
    size: int
    budget: int
    others: tuple[tuple[Path, int], ...] = ()
    notes: tuple[str, ...] = ()
    remote: str = ""


@dataclass(frozen=True)
class Checked:
    """parts, bytes: what was read again and is whole; notes: what was not."""

    parts: int
    bytes: int
    notes: tuple[str, ...] = ()


def inventory(store: Store) -> Inventory:
    """Everything the store holds, in the order of `Store.ls`; then what only the remote tier has."""
    layout, away = store.layout, remote_sets(store)
    with coded("reading the store", store.root):
        busy = leased(layout.leases)
        here = [_holding(layout, layers, busy) for layers in store.ls()]
        here += [Holding(LayerSet(key, away[key].facts), 0.0) for key in away if not _among(key, here)]
        holdings = tuple(_with_remote(holding, away.get(holding.layers.key)) for holding in here)
        others = tuple((folder, bytes_under(folder)) for folder in layout.others())
        name = store.remote.name if store.remote else ""
        return Inventory(layout.base, holdings, held_bytes(layout), store.budget, others, store.notes(), name)


def _among(key: str, holdings: Sequence[Holding]) -> bool:
    return any(holding.layers.key == key for holding in holdings)


def _with_remote(holding: Holding, away: LayerSet | None) -> Holding:
    return replace(holding, remote_rows=away.rows, remote_bytes=away.size) if away else holding


def _holding(layout: Layout, layers: LayerSet, busy: frozenset[str]) -> Holding:
    folder = layout.folder(layers.key)
    uses = read_uses(folder)
    known = [uses[part.file] for part in layers.parts if part.file in uses]
    return Holding(
        layers,
        used=max(last_used(layers, uses).values(), default=0.0),
        times=max((use.times for use in known), default=0),
        saved=sum(use.seconds for use in known),
        pinned=is_pinned(folder),
        in_use=any(part.file in busy for part in layers.parts),
    )


def pin(store: Store, key: str, pinned: bool) -> None:
    """The budget never takes a pinned layer set, and `drop` refuses it."""
    with coded("pinning", store.root), hold(store.layout.lock(key)):
        set_pin(store.layout.folder(key), pinned)


def drop(store: Store, key: str) -> int:
    """Remove a layer set, also from the remote tier; its bytes. Raises VST617 where it is pinned or a running cell
    relies on it.
    """
    return _drop_local(store, key) + drop_remote(store, key)


def _drop_local(store: Store, key: str) -> int:
    layout = store.layout
    if not layout.folder(key).exists():
        return 0
    with coded("dropping", store.root), hold(layout.lock(key)):
        known, folder = layout.load_to_write(key), layout.folder(key)
        name = f"{known.facts.cnn} {known.facts.layer}" if known else f"layer set {key[:12]}"
        if is_pinned(folder):
            raise VistaStoreError("VST617", f"{name} is pinned", f"first: %vista store unpin {key[:12]}")
        if known and leased(layout.leases) & {part.file for part in known.parts}:
            raise VistaStoreError("VST617", f"a running cell uses {name}", "wait for it, or cancel it")
        (folder / MANIFEST).unlink(missing_ok=True)  # first: what is not named does not exist
        size = bytes_under(folder)
        for path in folder.iterdir():
            path.unlink()
        with suppress(OSError):
            folder.rmdir()
    return size


def clean(store: Store, most: int | None = None) -> Freed:
    """Remove rubbish and old broken parts now, then the least recently used parts beyond `most` bytes (the budget).

    What pins and running cells keep stays, even beyond the budget. Of the remote tier, which has no budget, what killed
    uploads left more than a day ago.
    """
    layout = store.layout
    swept = store.sweep(broken_seconds=0.0).plus(sweep_remote(store))
    with coded("cleaning the store", store.root), hold(layout.room_lock):
        over = held_bytes(layout) - (store.budget if most is None else most)
        candidates = evictable(layout)
        chosen: Sequence[Candidate] = ()
        if over > 0:
            chosen = least_recent(candidates, over) or candidates
        gone = evict(layout, chosen)
    waiting_notes(layout.base)  # the caller shows them now
    return Freed(gone.parts, gone.bytes, swept)


def check(store: Store, keys: Sequence[str]) -> Checked:
    """Read every byte of these layer sets again, on both tiers; broken parts are set aside."""
    parts = size = 0
    for key in keys:
        if store.lookup(key) is not None:
            store.verify(key, again=True)
            after = store.lookup(key)
            parts, size = parts + len(after.parts if after else ()), size + (after.size if after else 0)
        whole = verify_remote(store, key)
        parts, size = parts + len(whole), size + sum(part.bytes for part in whole)
    waiting_notes(store.layout.base)  # the caller shows them now
    return Checked(parts, size, store.notes())
