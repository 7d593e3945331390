"""Live counts from inference workers: each partition writes one byte per finished image into a shared folder.

Reads file sizes, calls a Progress callback at most five times a second. May touch: one temporary folder, one thread.
Accumulators would only move when a task ends. On a cluster the folder is not shared: there the count moves once, at
the end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vista_nb.executor.backend import Progress

__all__ = ["counted", "counting"]

_PERIOD = 0.2


def counted(folder: str, work: Callable[[Iterator[Any]], Iterator[Any]], batches: Iterator[Any]) -> Iterator[Any]:
    """`work(batches)`, in a worker; counts the rows it yields. A retried partition starts its file anew."""
    from pyspark import TaskContext

    context = TaskContext.get()
    place = Path(folder) / str(context.partitionId() if context else 0)
    try:
        file = place.open("wb", buffering=0)
    except OSError:  # another machine: no shared folder, no live count
        yield from work(batches)
        return
    with file:
        for batch in work(batches):
            file.write(b"." * batch.num_rows)
            yield batch


@contextmanager
def counting(total: int, progress: Progress) -> Iterator[str]:
    """A folder for `counted`, watched until the block ends; then the total is reported if all went well."""
    folder = tempfile.mkdtemp(prefix="vista_nb-progress-")
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(folder, total, progress, done), name="vista-progress", daemon=True)
    thread.start()
    try:
        yield folder
        _stop(thread, done)
        progress(total, total)
    finally:
        _stop(thread, done)
        shutil.rmtree(folder, ignore_errors=True)


def _watch(folder: str, total: int, progress: Progress, done: threading.Event) -> None:
    seen = 0
    while not done.wait(_PERIOD):
        now = min(total, _bytes_in(folder))
        if now > seen:
            seen = now
            progress(now, total)


def _stop(thread: threading.Thread, done: threading.Event) -> None:
    done.set()
    thread.join(5)


def _bytes_in(folder: str) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except OSError:
        return 0
