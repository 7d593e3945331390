"""The artifacts on disk: which are in use, and which must go when they take too much room.

Reads the artifacts' folder; removes the least recently used ones beyond a byte budget. May touch: that folder.
DESIGN.md section 8; docs/adr/0014. A run holds a shared lock on `KEY.use` while it may load an artifact, and nobody
removes what is held, by this kernel or another: the lock goes with its process.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from vista_nb.errors import VistaEnvironmentError
from vista_nb.units import GB, parse_bytes

__all__ = ["Held", "budget", "held_artifacts", "in_use", "making", "trim"]

BUDGET = 4 * GB
VARIABLE = "VISTA_NB_ARTIFACT_BYTES"
_KEY = re.compile(r"[0-9a-f]{32}")
_ABANDONED_SECONDS = 3600  # half-written folders of a process that was killed


@dataclass(frozen=True)
class Held:
    """One artifact on disk. used: when a run last took it, seconds since 1970."""

    folder: Path
    size: int
    used: float


def budget() -> int:
    """Bytes that artifacts may take: VISTA_NB_ARTIFACT_BYTES (`4GB`, `500MB`), else 4 GB. Raises VST448."""
    text = os.environ.get(VARIABLE)
    if not text:
        return BUDGET
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise VistaEnvironmentError("VST448", f"{VARIABLE}={text!r} is no size", "give a size such as 4GB") from error


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Nobody removes the artifact meanwhile, be it there already or not. Taken before one looks whether it is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _marker(folder).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(file.fileno())
        yield


def making(folder: Path) -> FileLock:
    """The lock under which an artifact is made or removed; two kernels wait for each other."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_suffix(".lock"))


def held_artifacts(root: Path) -> tuple[Held, ...]:
    """All of the folder `root`, the least recently used first."""
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        if _KEY.fullmatch(folder.name):
            with suppress(OSError):  # another kernel may remove it right now
                size = sum(file.stat().st_size for file in folder.iterdir())
                marker = _marker(folder)
                found.append(Held(folder, size, (marker if marker.exists() else folder).stat().st_mtime))
    return tuple(sorted(found, key=lambda held: (held.used, held.folder.name)))


def trim(root: Path, most: int) -> tuple[Path, ...]:
    """Remove the least recently used artifacts until the rest takes `most` bytes, but none in use. Those removed."""
    _sweep(root)
    held = held_artifacts(root)
    total = sum(each.size for each in held)
    removed = []
    for each in held:
        if total <= most:
            break
        if _remove(each.folder):
            removed.append(each.folder)
            total -= each.size
    return tuple(removed)


def _remove(folder: Path) -> bool:
    """Whether nobody made or used the artifact, so that it is gone now."""
    try:
        with making(folder).acquire(timeout=0), _marker(folder).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # renamed first: whoever looks sees all of it or nothing
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as made:
                folder.rename(Path(made) / folder.name)
    except (Timeout, OSError):
        return False
    return True


def _marker(folder: Path) -> Path:
    return folder.with_suffix(".use")


def _sweep(root: Path) -> None:
    """What a process that was killed left half-written."""
    for folder in root.glob(".writing-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
