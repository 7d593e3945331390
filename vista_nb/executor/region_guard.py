"""Stops an inference pass whose workers hold more than their region while memory is running out.

Reads samples of resident memory, calls what stops the pass. May touch: /proc and /sys (read only). DESIGN.md section
10: RSS over its region is memory trouble, like a killed worker; docs/adr/0018 says why both conditions are needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from vista_nb.errors import VistaRunError
from vista_nb.executor.memory_pressure import free_bytes
from vista_nb.executor.spark_errors import WORKERS_OVER
from vista_nb.plan.memory import MemoryRegions
from vista_nb.units import format_bytes

__all__ = ["RegionGuard", "over_region"]

MARGIN_PERCENT = 10  # workers were seen at 93 to 96 % of their region (benchmarks/worker_memory.csv)
SHORT_PERCENT = 5  # of the whole: less than that is left for everybody
_GRACE_SECONDS = 5.0  # after a pass was stopped: its workers are still ending, and what they held is no new trouble
_SAMPLES = 2  # in a row: one may fall between the end of a worker and the start of the next


def over_region(now: dict[str, int], regions: MemoryRegions, free: int | None) -> bool:
    """Whether the workers broke their promise, and somebody has to pay for it: the machine, or the user's limit."""
    if now["workers"] * 100 <= regions.dl_execution * (100 + MARGIN_PERCENT):
        return False
    left = regions.total - sum(now.values())
    if free is not None:
        left = min(left, free)
    return left * 100 < regions.total * SHORT_PERCENT


class RegionGuard:
    """Armed while a pass runs. `see` is called from the sampler's thread, the rest from the run's own."""

    def __init__(self, regions: MemoryRegions, stop: Callable[[], None]) -> None:
        self._regions = regions
        self._stop = stop
        self._lock = threading.Lock()
        self._armed = False
        self._streak = 0
        self._held = 0
        self._quiet_until = 0.0

    def see(self, now: dict[str, int]) -> None:
        """One sample: bytes of `driver`, `jvm` and `workers`."""
        with self._lock:
            if not self._armed or self._held or time.monotonic() < self._quiet_until:
                return
            self._streak = self._streak + 1 if over_region(now, self._regions, free_bytes()) else 0
            if self._streak < _SAMPLES:
                return
            self._held = now["workers"]
            with suppress(Exception):  # a session that has gone has nothing left to stop
                self._stop()

    @contextmanager
    def armed(self, armed: bool = True) -> Iterator[None]:
        """While a pass runs; what `trouble` tells is this pass'."""
        with self._lock:
            self._quiet_until = time.monotonic() + _GRACE_SECONDS if self._held else 0.0
            self._armed, self._streak, self._held = armed, 0, 0
        try:
            yield
        finally:
            with self._lock:
                self._armed = False

    def trouble(self, stage: str) -> VistaRunError | None:
        """The coded error where this guard stopped the last pass."""
        with self._lock:
            held = self._held
        if not held:
            return None
        planned = format_bytes(self._regions.dl_execution)
        message = f"{stage}: the inference workers held {format_bytes(held)} where {planned} were planned"
        hint = "give the run more room (resources: {memory: ...}), or less work at a time (plan: {batch_size: 8})"
        return VistaRunError(WORKERS_OVER, message, hint, stage)
