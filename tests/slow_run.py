"""A run that takes its time and can be cancelled, without an engine: what kernels in tests put behind `session.submit`.

Not a test. A real thread goes through real events; the session's own driving, background and listing are at work.
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

_numbers = itertools.count(1)


class SlowRun:
    """A RunHandle. pace: seconds per event, last: per event once a layer is scored; stubborn: seconds it goes on after
    a cancel; fails: it ends in an error.
    """

    def __init__(
        self, pace: float = 0.05, stubborn: float = 0.0, fails: bool = False, last: float | None = None
    ) -> None:
        self.run_id = f"r{next(_numbers)}"
        self.plan = sample_plan()
        self.workload = sample_workload(self.plan.layers, self.plan.cnn)
        self.pace, self.stubborn, self.fails = pace, stubborn, fails
        self.last = pace if last is None else last
        self.status = "planned"
        self.error: BaseException | None = None
        self.outcome = RunOutcome()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._finished, self._cancelled = threading.Event(), threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._work, name=f"vista-{self.run_id}", daemon=True).start()

    def _work(self) -> None:
        self.status = "running"
        done: list[str] = []
        for event in sample_events(self.plan)[:-1]:
            if self._cancelled.wait(self.last if done else self.pace):
                self._finished.wait(self.stubborn)  # a step that cannot be stopped
                return self._end("cancelled", VistaCancelled("the run was cancelled", done))
            self._events.put(event)
            if isinstance(event, LayerScored) and event.score and not event.score.is_baseline:
                done.append(event.score.layer)
                self.outcome = sample_outcome(self.plan, scores=tuple(map(sample_score, done)), tests=())
                if self.fails:
                    return self._end("failed", VistaRunError("VST501", "worker lost", "try again"))
        self.outcome = sample_outcome(self.plan)
        return self._end("done", None)

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
    """A `session.submit` that starts SlowRuns, known to the session by name."""

    def submit(source: Any, **options: Any) -> VistaResult:
        run = SlowRun(**how)
        result = VistaResult(run)
        runs._results[run.run_id] = result
        run.start()
        return result

    return submit
