"""Resident memory of each kind of process while a run goes on: the kernel, the JVM, the Python workers.

Reads the process table; emits MemorySampled once a second and keeps the peaks. May touch: psutil, one thread.
The regions of the plan are promises; this is what they are held against (DESIGN.md sections 6 and 13).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vista_nb.outcome.events import Emit, MemorySampled

__all__ = ["Peaks", "resident", "sampling", "worker_peaks"]

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
    """Bytes now: this process, the JVM below it, and every Python below that JVM.

    A throw-away process that makes or measures an artifact is below this process alone, and is no worker.
    """
    import psutil

    me = psutil.Process()
    sizes = {"driver": me.memory_info().rss, "jvm": 0, "workers": 0}
    for child in me.children(recursive=True):
        try:
            if "java" in child.name():
                sizes["jvm"] += child.memory_info().rss
                sizes["workers"] += sum(map(_rss, child.children(recursive=True)))
        except psutil.Error:
            continue  # it ended between the listing and the look
    return sizes


def worker_peaks() -> dict[int, int]:
    """The most that each inference worker has held since it began: process id -> bytes. Linux: empty elsewhere.

    The daemon that forks the workers is none.
    """
    import psutil

    peaks = {}
    for process in psutil.Process().children(recursive=True):
        try:
            forked = "pyspark.daemon" in process.cmdline() and process.ppid() != _java_above(process)
        except psutil.Error:
            continue
        peak = _high_water(process.pid) if forked else None
        if peak:
            peaks[process.pid] = peak
    return peaks


def _java_above(process: Any) -> int:
    return next((above.pid for above in process.parents() if "java" in above.name()), 0)


def _high_water(pid: int) -> int | None:
    """VmHWM: unlike a sample it misses nothing."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else None


def _rss(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _driver_alone() -> dict[str, int]:
    """The driver's JVM counts with the driver: it is no executor."""
    now = resident()
    return {"driver": now["driver"] + now["jvm"], "jvm": 0, "workers": 0}


@contextmanager
def sampling(
    emit: Emit, see: Callable[[dict[str, int]], None] = lambda _: None, workers_here: bool = True
) -> Iterator[Peaks]:
    """Sample once a second until the block ends. see: gets every sample as well, before it is told.

    workers_here: false on a cluster, where the JVM below this process is the driver's and no worker is seen.
    """
    look = resident if workers_here else _driver_alone
    peaks, done = Peaks(), threading.Event()

    def sample() -> None:
        while not done.wait(_PERIOD):
            now = look()
            peaks.see(now)
            see(now)
            emit(MemorySampled(**now))

    thread = threading.Thread(target=sample, name="vista-memory", daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join(5)
        peaks.see(look())
