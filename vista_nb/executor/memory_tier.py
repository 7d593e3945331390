"""The store's memory tier: tables that one Spark holds in Storage Memory between the cells of a session.

Keeps persisted DataFrames by layer key and hands them out; returns nothing of its own. May touch: the persisted tables
it is given. DESIGN.md section 9; docs/adr/0022. What the disk tier has is read from there; here lies what only this
session has: raw tensors that a plan is done with, and features that the disk had no room for. They take the room that
the running plan leaves, the least recently used one goes first, and they end with their Spark.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KeptTable", "MemoryTier"]


@dataclass(eq=False)
class KeptTable:
    """base: the persisted DataFrame. views: layer key -> (digest, vector) or (digest, error, tensors) over it.

    size: bytes of Storage Memory. run, created (seconds since 1970), seconds (layer key -> per image): for the line
    that reports the reuse. used: the clock at the last use.
    """

    base: Any
    views: Mapping[str, Any]
    digests: frozenset[str]
    size: int
    run: str
    seconds: Mapping[str, float]
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.monotonic)


class MemoryTier:
    """Of one Spark. Planning looks from the main thread while the run's thread gives and takes."""

    def __init__(self) -> None:
        self._tables: list[KeptTable] = []
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes of all tables."""
        with self._lock:
            return sum(table.size for table in self._tables)

    def offer(self, table: KeptTable) -> None:
        """From now on it is this tier's to unpersist."""
        with self._lock:
            self._tables.append(table)

    def tables(self, key: str) -> list[KeptTable]:
        """Those with rows of this layer, newest first."""
        with self._lock:
            return [table for table in reversed(self._tables) if key in table.views]

    def digests(self, key: str) -> set[str]:
        """Which images have a row."""
        return {digest for table in self.tables(key) for digest in table.digests}

    def fit(self, room: int, wanted: Collection[str] = ()) -> int:
        """Evict, least recently used first, until no more than `room` bytes are held; how many tables went.

        wanted: layer keys that the coming plan reads: their tables stay, and spill to disk where memory is short.
        """
        gone = 0
        for table in sorted(self._held(), key=lambda table: table.used):
            if self.size <= room:
                break
            if not any(key in table.views for key in wanted):
                self._evict(table)
                gone += 1
        return gone

    def clear(self) -> None:
        """All of them, where a run that used them failed, or Spark goes."""
        for table in self._held():
            self._evict(table)

    def _held(self) -> list[KeptTable]:
        with self._lock:
            return list(self._tables)

    def _evict(self, table: KeptTable) -> None:
        with self._lock:
            self._tables = [kept for kept in self._tables if kept is not table]
        with suppress(Exception):  # a stopped session has dropped it already
            table.base.unpersist()
