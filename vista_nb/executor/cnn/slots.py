"""Fewer inference workers than Spark task slots: a semaphore made of lock files, on one machine.

Reads a folder and a limit, gives a context manager that holds one of `limit` slots. May touch: the lock files, one
timer thread. The lock goes with its process, so a killed worker frees its slot. DESIGN.md section 10: the number of
workers changes without a new `local[k]`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["lease", "slot"]

_POLL_SECONDS = 0.05
_IDLE_SECONDS = 1.0  # a worker that Spark has given no further task by then will not get one in this pass


@dataclass
class _Lease:
    folder: Path
    number: int
    lock: FileLock
    timer: threading.Timer | None = None


_leases: list[_Lease] = []  # of this process: none or one
_turn = threading.Lock()  # between a task that begins and the timer


@contextmanager
def slot(folder: Path, limit: int) -> Iterator[int]:
    """Waits for one of `limit` slots in `folder` and holds it; yields its number. limit 0: no limit."""
    if limit <= 0:
        yield 0
        return
    number, lock = _acquired(folder, limit)
    try:
        yield number
    finally:
        lock.release()


@contextmanager
def lease(folder: Path, limit: int, forget: Callable[[], None]) -> Iterator[int]:
    """A slot that a worker keeps from task to task, as its CNN is loaded: others wait until it has had none for a
    second.

    forget: drops the loaded CNN; called before waiting and when the slot goes to another, so that no more than `limit`
    workers have one. limit 0: no limit.
    """
    with _turn:
        held = _still(folder, limit)
    if held is None and limit > 0:
        forget()
        number, lock = _acquired(folder, limit)
        held = _Lease(folder, number, lock)
        _leases.append(held)
    try:
        yield held.number if held else 0
    finally:
        if held is not None:
            held.timer = threading.Timer(_IDLE_SECONDS, _leave, (held, forget))
            held.timer.daemon = True
            held.timer.start()


def _still(folder: Path, limit: int) -> _Lease | None:
    """The lease of this process if it counts for this folder and limit; another one is given back."""
    if not _leases:
        return None
    held = _leases[0]
    if held.timer is not None:
        held.timer.cancel()
        held.timer = None
    if held.folder == folder and held.number < limit:
        return held
    _leases.clear()
    held.lock.release()
    return None


def _leave(held: _Lease, forget: Callable[[], None]) -> None:
    with _turn:
        if held.timer is None or held not in _leases:  # a task came first
            return
        _leases.clear()
        forget()
        held.lock.release()


def _acquired(folder: Path, limit: int) -> tuple[int, FileLock]:
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for number in range(limit):
            # a timer thread may let it go
            lock = FileLock(folder / f"slot-{number}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return number, lock
        time.sleep(_POLL_SECONDS)
