"""Down the plan's ladder: the same Spark action again under a milder rung, so that only what is missing is computed.

Reads a plan and its ladder, runs an action, returns what it returns. May touch: the thread's Spark local properties.
DESIGN.md section 10, docs/adr/0018. The action must be one on persisted tables: partitions that a failed job finished
are in Storage Memory, or on Spark's disk, and are not computed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from vista_nb.executor.cnn.rung import on_rung
from vista_nb.executor.memory_pressure import killed_so_far
from vista_nb.executor.region_guard import RegionGuard
from vista_nb.executor.spark_errors import is_memory_trouble, translated
from vista_nb.plan.candidate import Plan
from vista_nb.plan.physical import PhysicalPlan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Descent"]

T = TypeVar("T")


class Descent:
    """Where one run is on its ladder; it never climbs back. tell: gets the line for the user, once per event."""

    def __init__(
        self,
        session: SparkSession,
        plan: Plan,
        guard: RegionGuard,
        cancelled: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        self._context = session.sparkContext
        self._rungs = (plan.physical, *plan.ladder)
        self._guard = guard
        self._cancelled = cancelled
        self._tell = tell
        self._kills = killed_so_far()
        self.rung = 0

    @property
    def physical(self) -> PhysicalPlan:
        """The physical plan as the workers run it now."""
        return self._rungs[self.rung]

    @property
    def _last(self) -> bool:
        return self.rung + 1 == len(self._rungs)

    def run(self, action: Callable[[], T], title: str) -> T:
        """`action()`, after memory trouble once more on each rung below. Raises the coded error of the last try."""
        try:
            while True:
                # on the last rung there is nothing milder: what goes on may still end well
                with self._guard.armed(not self._last):
                    try:
                        on_rung(self._context, self._rungs[0], self.physical)
                        return action()
                    except Exception as error:
                        known = self._guard.trouble(title) or translated(error, title, self.memory_killed())
                        if self._last or self._cancelled.is_set() or not is_memory_trouble(known):
                            raise known from error
                before, self.rung = self.physical, self.rung + 1
                self._tell(f"{known.message}; tried again with {_changed(before, self.physical)}")
        finally:
            with suppress(Exception):  # the JVM may have gone
                on_rung(self._context, self._rungs[0], self._rungs[0])

    def memory_killed(self) -> bool:
        """Whether the memory killer has struck in this container (or machine) since the last look."""
        now = killed_so_far()
        struck, self._kills = now > self._kills, now
        return struck


def _changed(before: PhysicalPlan, now: PhysicalPlan) -> str:
    if now.cpu < before.cpu:
        return f"{now.cpu} worker{'s' if now.cpu > 1 else ''} at a time"
    return f"batches of {now.batch_size}"
