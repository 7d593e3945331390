"""What running cells rely on: parts that nobody may evict or drop until the run is over, or its process dead.

Reads and writes `<root>/leases/`, returns names of parts. May touch: that folder. DESIGN.md section 9 (two kernels).
A lease is a list of parts beside a lock that its process holds; the operating system lets the lock go with the
process, so a killed kernel protects nothing. Who removes parts reads all leases under the layer's lock, and a
part is put into a lease under the same lock: it is either seen, or gone before the run relied on it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from vista_nb.store.disk import replace_text

__all__ = ["Lease", "leased", "sweep_leases"]


class Lease:
    """One run's. Nothing is on disk before the first part."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{uuid4().hex}.json"
        self._lock: FileLock | None = None
        self._parts: set[str] = set()

    def add(self, parts: Iterable[str]) -> None:
        """Under the lock of the layer that the parts belong to. Raises OSError where the store is read-only."""
        fresh = set(parts) - self._parts
        if not fresh:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            # closed from whichever thread ends the run, hence not thread-local
            lock = FileLock(self._path.with_suffix(".lock"), timeout=0, thread_local=False)
            lock.acquire()
            self._lock = lock
        replace_text(self._path, json.dumps(sorted(self._parts | fresh)), durable=False)
        self._parts |= fresh

    def close(self) -> None:
        """The run needs them no more. Callable more than once."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            with suppress(OSError):
                self._path.with_suffix(".lock").unlink(missing_ok=True)
        self._lock, self._parts = None, set()


def leased(folder: Path) -> frozenset[str]:
    """File names of all parts under a lease of a living process, this one included."""
    found: set[str] = set()
    for path in folder.glob("*.json"):
        if not _is_dead(path):
            with suppress(OSError, ValueError, TypeError):
                found.update(json.loads(path.read_text(encoding="utf-8")))
    return frozenset(found)


def sweep_leases(folder: Path) -> None:
    """Remove what dead processes left; a lock alone may belong to a lease that is just being made, and waits a day."""
    yesterday = time.time() - 86_400.0
    for lock in folder.glob("*.lock"):
        path = lock.with_suffix(".json")
        with suppress(OSError):
            if not path.exists() and lock.stat().st_mtime > yesterday:
                continue
        if _is_dead(path):
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.with_suffix(".lock").unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    """Whether nobody holds the lease. One that cannot be asked counts as held."""
    try:
        with FileLock(path.with_suffix(".lock"), timeout=0):
            return True
    except (Timeout, OSError):
        return False
