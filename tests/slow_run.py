"""A run that waits where a test wants it and can be cancelled, without an engine: what kernels in tests put behind
`session.submit`.

Not a test. A real thread goes through real events; the session's own driving, background and listing are at work.
Nothing depends on how fast the machine is: a run that holds goes on when the test says `let_go()`.
"""

from __future__ import annotations

import itertools
import queue
import threading
from typing import Any

from sample_run import sample_events, sample_outcome, sample_plan, sample_score, sample_workload

from vista_nb.errors import VistaCancelled, VistaRunError
from vista_nb.outcome.events import Event, LayerScored, RunFinished
from vista_nb.outcome.scores import RunOutcome
from vista_nb.result import VistaResult
from vista_nb.session import runs

__all__ = ["SlowRun", "submit_slow"]

_PACE = 0.005  # seconds between two events
_numbers = itertools.count(1)


class SlowRun:
    """A RunHandle. hold: wait for `let_go()` at the `start`, once a layer is `scored`, or at the `end`; empty: nowhere.
    stubborn: a cancel does not end it either before `let_go()`; fails: it ends in an error once a layer is scored.
    """

    def __init__(self, hold: str = "", stubborn: bool = False, fails: bool = False) -> None:
        self.run_id = f"r{next(_numbers)}"
        self.plan = sample_plan()
        self.workload = sample_workload(self.plan.layers, self.plan.cnn)
        self.hold, self.stubborn, self.fails = hold, stubborn, fails
        self.status = "planned"
        self.error: BaseException | None = None
        self.outcome = RunOutcome()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._finished, self._cancelled, self._free = threading.Event(), threading.Event(), threading.Event()

    def let_go(self) -> None:
        """What holds it, or keeps it from ending, is over."""
        self._free.set()

    def start(self) -> None:
        threading.Thread(target=self._work, name=f"vista-{self.run_id}", daemon=True).start()

    def _work(self) -> None:
        self.status = "running"
        done: list[str] = []
        events = sample_events(self.plan)[:-1]
        for place, event in enumerate(events):
            if self._cancelled.wait(_PACE) or (self._holds(place, len(events), done) and self._held()):
                if self.stubborn:
                    self._free.wait()
                return self._end("cancelled", VistaCancelled("the run was cancelled", done))
            self._events.put(event)
            if isinstance(event, LayerScored) and event.score and not event.score.is_baseline:
                done.append(event.score.layer)
                self.outcome = sample_outcome(self.plan, scores=tuple(map(sample_score, done)), tests=())
                if self.fails:
                    return self._end("failed", VistaRunError("VST501", "worker lost", "try again"))
        self.outcome = sample_outcome(self.plan)
        return self._end("done", None)

    def _holds(self, place: int, events: int, done: list[str]) -> bool:
        """`start`: the first step has ended, and with it its line of text."""
        return {"start": place == 3, "scored": len(done) == 1, "end": place == events - 1}.get(self.hold, False)

    def _held(self) -> bool:
        """Wait for `let_go` or for a cancel; whether it was a cancel."""
        while not self._free.is_set() and not self._cancelled.wait(0.02):
            pass
        return self._cancelled.is_set()

    def _end(self, status: str, error: BaseException | None) -> None:
        self.status, self.error = status, error
        self._events.put(RunFinished(status=status, seconds=1.0))
        self._finished.set()

    def poll(self) -> list[Event]:
        found = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    def wait(self, timeout: float | None = None) -> bool:
        return self._finished.wait(timeout)

    def cancel(self) -> None:
        self._cancelled.set()

    def features(self, layer: str) -> Any:
        raise NotImplementedError

    def model(self, layer: str) -> Any:
        raise NotImplementedError


def submit_slow(**how: Any) -> Any:
    """A `session.submit` that starts SlowRuns, known to the session by name; `how` as SlowRun takes it."""

    def submit(source: Any, **options: Any) -> VistaResult:
        run = SlowRun(**how)
        result = VistaResult(run)
        runs._results[run.run_id] = result
        run.start()
        return result

    return submit
