"""A run that takes its time without an engine: the sample run's events, told by a thread over some seconds.

Not a test. Panel, drive, events, scores and rendering are the real ones; only the RunHandle is stood in for. Used in
the kernels of browser tests, which look at what a front-end makes of a panel, and of the panel's benchmark.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import replace
from typing import Any

from sample_run import LAYERS, SampleRun, sample_events, sample_plan

from vista_nb.errors import VistaCancelled
from vista_nb.outcome import events as ev
from vista_nb.result import VistaResult

GB = 10**9


class ScriptedRun(SampleRun):
    """Emits `events` evenly over `seconds`; a cancel ends it as one ends a real run."""

    def __init__(self, seconds: float, names: tuple[str, ...] = LAYERS, number: int = 1) -> None:
        plan = replace(sample_plan(names), start_seconds=1.0)
        super().__init__([], plan)
        self.run_id = f"r{number}"
        self.state = "running"
        self.events: queue.SimpleQueue[ev.Event] = queue.SimpleQueue()
        self.ended = threading.Event()
        self.began = time.monotonic()
        self.script = script(plan)
        self.pause = seconds / len(self.script)
        threading.Thread(target=self._tell, daemon=True).start()

    @property
    def status(self) -> str:
        return self.state

    def _tell(self) -> None:
        for event in self.script:
            if self.cancelled.wait(self.pause):
                self.error = VistaCancelled("the run was cancelled", ["conv4_6"])
                break
            self._emit(event)
        self.state = "cancelled" if self.error else "done"
        self._emit(ev.RunFinished(status=self.state, seconds=self.clock, message=str(self.error or "")))
        self.ended.set()

    @property
    def clock(self) -> float:
        return time.monotonic() - self.began

    def _emit(self, event: ev.Event) -> None:
        self.events.put(replace(event, at=self.clock))

    def poll(self) -> list[ev.Event]:
        found = []
        while not self.events.empty():
            found.append(self.events.get())
        return found

    def wait(self, timeout: float | None = None) -> bool:
        return self.ended.wait(timeout)


def script(plan: Any) -> list[ev.Event]:
    """The sample run's events but its end, with a store, memory that moves, and lines of the engine."""
    told: list[ev.Event] = []
    entries = tuple(
        ev.StoreEntry("resnet50", name, "avg", 800, 26 * 10**6, "r0", 250.0, 2, 5.2) for name in plan.layers
    )
    listed = ev.StoreListed(entries=entries[:2], holds=4, size=GB, budget=20 * GB, saved_seconds=10.4)
    for event in sample_events(plan):
        if isinstance(event, ev.RunFinished):
            continue
        told.append(event)
        if isinstance(event, ev.RunStarted):
            told += [listed, ev.LogLine(text="Spark is up: local[2]")]
        if isinstance(event, ev.BatchDone):
            grown = 1_000_000_000 + 45_000_000 * (event.done // 32)
            told.append(ev.MemorySampled(5, 1, 0.0, 400_000_000, 900_000_000, grown))
        if isinstance(event, ev.StageFinished) and event.kind == "save":
            told.append(replace(listed, entries=tuple(replace(entry, written=True) for entry in entries), holds=7))
    return told


def stand_in(seconds: float, names: tuple[str, ...] = LAYERS) -> None:
    """Every `%%vista` cell of this kernel runs the script instead of an engine."""
    from vista_nb import session
    from vista_nb.session import runs

    def submit(source: object, **options: object) -> VistaResult:
        result = VistaResult(ScriptedRun(seconds, names, len(runs._results) + 1))
        runs._results[result.run_id] = result
        return result

    session.submit = submit  # type: ignore[assignment]
