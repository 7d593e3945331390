"""What killed writers left, removed: staging folders without a living writer, files that no manifest names.

Reads and writes below a store's root, returns what went. May touch: unnamed files only. DESIGN.md section 14.
A part is renamed into its folder and named in the manifest under one lock: whoever holds that lock and finds an
unnamed file has found rubbish. Broken parts stay for a day, for whoever wants to look at them.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from vista_nb.store.disk import bytes_under
from vista_nb.store.layout import MANIFEST, PINNED, USES, Layout
from vista_nb.store.leases import sweep_leases

__all__ = ["STALE_SECONDS", "Swept", "sweep"]

STALE_SECONDS = 86_400.0
_OURS = frozenset({MANIFEST, USES, PINNED})


class Swept(NamedTuple):
    """files: staging folders and files that went, with their bytes."""

    files: int = 0
    bytes: int = 0

    def plus(self, other: Swept) -> Swept:
        return Swept(self.files + other.files, self.bytes + other.bytes)


def sweep(layout: Layout, *, broken_seconds: float | None = None) -> Swept:
    """Remove rubbish that nobody is writing. broken_seconds: how old broken parts must be to go, too (a day)."""
    found = Swept()
    for lock in layout.staging.glob("*.lock"):
        found = found.plus(_abandoned(lock))
    sweep_leases(layout.leases)
    limit = time.time() - (STALE_SECONDS if broken_seconds is None else broken_seconds)
    for key in layout.layer_keys():
        found = found.plus(_unnamed(layout, key, limit))
    return found


def _abandoned(lock: Path) -> Swept:
    """A stage whose writer is dead: its lock is free."""
    stage = lock.with_suffix("")
    try:
        with FileLock(lock, timeout=0):
            size, there = bytes_under(stage), stage.is_dir()
            shutil.rmtree(stage, ignore_errors=True)
            lock.unlink(missing_ok=True)
    except (Timeout, OSError):
        return Swept()
    return Swept(1, size) if there else Swept()


def _unnamed(layout: Layout, key: str, limit: float) -> Swept:
    """Files of one layer's folder that its manifest does not name."""
    folder, found = layout.folder(key), Swept()
    with suppress(Timeout, OSError):
        if not _strays(layout, key, limit):
            return found  # most often: no lock needed to see that
        with FileLock(layout.lock(key), timeout=0):
            for path in _strays(layout, key, limit):
                size = path.stat().st_size
                path.unlink()
                found = found.plus(Swept(1, size))
            if not any(folder.iterdir()):
                folder.rmdir()
    return found


def _strays(layout: Layout, key: str, limit: float) -> list[Path]:
    """Nothing where the manifest is of another version: its files are not this version's."""
    folder = layout.folder(key)
    try:
        known = layout.load(key)
    except ValueError:
        return []  # a writer puts the manifest aside first, and says so
    if known is None and (folder / MANIFEST).exists():
        return []
    named = _OURS | {part.file for part in known.parts} if known else _OURS
    paths = [path for path in folder.iterdir() if path.name not in named]
    return [path for path in paths if path.suffix != ".broken" or path.stat().st_mtime < limit]
