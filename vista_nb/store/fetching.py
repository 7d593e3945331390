"""From the remote tier into the local one: what it has of a layer set, and the parts that a run takes.

Reads an open store, returns what came. May touch: the store, both tiers. ADR 30. A part becomes a part of the local
store by the same stage and commit as a fresh one, so that budget, leases and checksums go on as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from vista_nb.errors import VistaStoreError
from vista_nb.store.parts import BrokenPart

if TYPE_CHECKING:
    from vista_nb.store.files import Store
    from vista_nb.store.remote_part import RemotePart

__all__ = ["RemoteRows", "fetch", "remote_rows"]


class RemoteRows(NamedTuple):
    """Images that the remote tier has; size: bytes of their parts; run, created: of the newest of these."""

    digests: frozenset[str]
    size: int
    run: str
    created: float
    seconds_per_image: float


def remote_rows(store: Store, key: str, lacking: Collection[str]) -> RemoteRows | None:
    """What could be fetched for these images; None where nothing could. Out of reach: a note, and `remote_trouble`."""
    chosen = _covering(_parts(store, key), lacking) if lacking else []
    if not chosen:
        return None
    parts = [found.part for found, _ in chosen]
    rows = sum(part.rows for part in parts)
    seconds = sum(part.seconds_per_image * part.rows for part in parts) / max(1, rows)
    digests = frozenset().union(*(fresh for _, fresh in chosen))
    return RemoteRows(digests, sum(part.bytes for part in parts), parts[0].run, parts[0].created, seconds)


def fetch(store: Store, key: str, lacking: Collection[str]) -> set[str]:
    """Bring the parts that hold these images; the images that came. What does not hold is said, and another tried."""
    came = set[str]()
    for found in _parts(store, key) if lacking else ():
        fresh = found.digests.intersection(lacking) - came
        try:
            if fresh and _bring(store, found):
                came |= fresh
        except VistaStoreError as error:
            store.say(f"store: {found.facts.cnn} {found.facts.layer} did not come ({error.code}): {error.message}")
            break
    return came


def _covering(parts: Collection[RemotePart], lacking: Collection[str]) -> list[tuple[RemotePart, frozenset[str]]]:
    """Those that `fetch` would take, with the images it would take each for."""
    left, chosen = set(lacking), []
    for found in parts:
        fresh = found.digests & left
        if fresh:
            chosen.append((found, fresh))
            left -= fresh
    return chosen


def _parts(store: Store, key: str) -> tuple[RemotePart, ...]:
    """Nothing where there is no remote tier, or it does not answer."""
    if store.remote is None:
        return ()
    try:
        return store.remote.parts(key)
    except VistaStoreError as error:
        store.remote_trouble = error
        store.say(f"store: the remote tier was not used ({error.code}): {error.message}")
        return ()


def _bring(store: Store, found: RemotePart) -> bool:
    """One part into the local store, with the run and the time that made it."""
    assert store.remote is not None
    stage = store.stage(found.part.bytes)
    try:
        path = stage / found.part.file
        store.remote.fetch(found, path)
        store.commit(found.facts, [path], found.part.run, found.part.seconds_per_image, created=found.part.created)
    except BrokenPart as reason:
        what = f"{found.facts.cnn} {found.facts.layer} ({found.part.rows} rows)"
        store.say(f"store: a broken part of {what} in {store.remote.name} was ignored: {reason}")
        return False
    finally:
        store.release(stage)
    return True
