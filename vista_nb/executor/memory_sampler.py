"""Resident memory of each kind of process while a run goes on: the kernel, the JVM, the Python workers.

Reads the process table; emits MemorySampled once a second and keeps the peaks. May touch: psutil, one thread.
The regions of the plan are promises; this is what they are held against (DESIGN.md sections 6 and 13).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vista_nb.outcome.events import Emit, MemorySampled

__all__ = ["Peaks", "resident", "sampling"]

_PERIOD = 1.0  # seconds


class Peaks:
    """The highest resident bytes seen, per kind of process."""

    def __init__(self) -> None:
        self._peaks = {"driver": 0, "jvm": 0, "workers": 0}

    def see(self, now: dict[str, int]) -> None:
        for kind, size in now.items():
            self._peaks[kind] = max(self._peaks[kind], size)

    def items(self) -> tuple[tuple[str, int], ...]:
        return tuple(self._peaks.items())


def resident() -> dict[str, int]:
    """Bytes now: this process, the JVM below it, and every Python below that JVM."""
    import psutil

    me = psutil.Process()
    sizes = {"driver": me.memory_info().rss, "jvm": 0, "workers": 0}
    for child in me.children(recursive=True):
        try:
            kind = "jvm" if "java" in child.name() else "workers"
            sizes[kind] += child.memory_info().rss
        except psutil.Error:
            continue  # it ended between the listing and the look
    return sizes


@contextmanager
def sampling(emit: Emit) -> Iterator[Peaks]:
    """Sample once a second until the block ends."""
    peaks, done = Peaks(), threading.Event()

    def sample() -> None:
        while not done.wait(_PERIOD):
            now = resident()
            peaks.see(now)
            emit(MemorySampled(**now))

    thread = threading.Thread(target=sample, name="vista-memory", daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join(5)
        peaks.see(resident())
