"""What people do with the remote tier: look, drop, clean, check.

Reads and writes the remote tier of an open store, returns values. May touch: that tier. ADR 30. Out of reach it is a
sentence in the store's notes: the local tier is looked at all the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from vista_nb.errors import VistaStoreError
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSet, Part
from vista_nb.store.remote import Remote
from vista_nb.store.remote_part import RemotePart
from vista_nb.store.sweep import STALE_SECONDS, Swept

__all__ = ["drop_remote", "remote_sets", "sweep_remote", "verify_remote"]


def remote_sets(store: Store) -> dict[str, LayerSet]:
    """Every layer set of the remote tier by its key, ordered by CNN, layer, key."""
    if store.remote is None:
        return {}
    try:
        found = {key: _as_set(store.remote.parts(key)) for key in store.remote.layer_keys()}
    except VistaStoreError as error:
        store.say(_unreached(error))
        return {}
    known = sorted((s for s in found.values() if s), key=lambda s: (s.facts.cnn, s.facts.layer, s.key))
    return {layers.key: layers for layers in known}


def drop_remote(store: Store, key: str) -> int:
    """Remove a layer set from it; its bytes. What is gone already counts nothing. Raises VST618."""
    if store.remote is None:
        return 0
    parts = store.remote.now(key)
    for found in parts:
        store.remote.remove(found)
    return sum(found.part.bytes for found in parts)


def sweep_remote(store: Store, now: float | None = None) -> Swept:
    """Remove what killed uploads left: a day old, so that nobody is still sending it."""
    if store.remote is None:
        return Swept()
    try:
        found = store.remote.leftovers((time.time() if now is None else now) - STALE_SECONDS)
        store.remote.delete(leftover.path for leftover in found)
    except VistaStoreError as error:
        store.say(_unreached(error))
        return Swept()
    return Swept(len(found), sum(leftover.bytes for leftover in found))


def verify_remote(store: Store, key: str) -> list[Part]:
    """Read all its parts; those that are whole. Of others the JSON goes, and `gc` takes the rest after a day."""
    remote = store.remote
    if remote is None:
        return []
    try:
        return [found.part for found in remote.now(key) if _is_whole(store, remote, found)]
    except VistaStoreError as error:
        store.say(_unreached(error))
        return []


def _is_whole(store: Store, remote: Remote, found: RemotePart) -> bool:
    if remote.verify(found):
        return True
    remote.ignore(found)
    remote.withdraw(found)
    what = f"{found.facts.cnn} {found.facts.layer} ({found.part.rows} rows)"
    store.say(f"store: a broken part of {what} in {remote.name} was set aside: its bytes are not those that were sent")
    return False


def _as_set(parts: Sequence[RemotePart]) -> LayerSet | None:
    return LayerSet(parts[0].key, parts[0].facts, tuple(found.part for found in parts)) if parts else None


def _unreached(error: VistaStoreError) -> str:
    return f"store: the remote tier was not looked at ({error.code}): {error.message}"
