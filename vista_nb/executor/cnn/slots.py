"""Fewer inference workers than Spark task slots: a semaphore made of lock files, on one machine.

Reads a folder and a limit, gives a context manager that holds one of `limit` slots. May touch: the lock files. The
lock goes with its process, so a killed worker frees its slot. DESIGN.md section 10: the number of workers changes
without a new `local[k]`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["slot"]

_POLL_SECONDS = 0.05


@contextmanager
def slot(folder: Path, limit: int) -> Iterator[int]:
    """Waits for one of `limit` slots in `folder` and holds it; yields its number. limit 0: no limit."""
    if limit <= 0:
        yield 0
        return
    folder.mkdir(parents=True, exist_ok=True)
    number, lock = _acquired(folder, limit)
    try:
        yield number
    finally:
        lock.release()


def _acquired(folder: Path, limit: int) -> tuple[int, FileLock]:
    while True:
        for number in range(limit):
            lock = FileLock(folder / f"slot-{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return number, lock
        time.sleep(_POLL_SECONDS)
