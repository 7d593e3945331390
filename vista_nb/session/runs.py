"""One run: its worker thread, its queue of events, what it found so far; and the runs of this kernel by name.

Reads a `Prepared` workload and its plan; returns a handle that `VistaResult` wraps. May touch: threads, the JVM,
the store, the caches. The worker thread draws and prints nothing: it emits typed events, the cell's main thread
drains them (DESIGN.md section 6).
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaCancelled, VistaEnvironmentError, VistaError, VistaRunError, VistaUsageError
from vista_nb.outcome.events import Event, LogLine, RunFinished
from vista_nb.outcome.scores import LayerScore, RunOutcome, TestRow
from vista_nb.plan.candidate import Plan
from vista_nb.session.options import Options
from vista_nb.session.prepare import Prepared, unsupported

if TYPE_CHECKING:
    import pyarrow as pa

    from vista_nb.executor.leaving.pipeline import Pipeline
    from vista_nb.executor.thumbnails import Thumbnail
    from vista_nb.result import VistaResult

__all__ = ["GOING", "Run", "find_going", "find_prepared", "find_run", "going", "known_runs", "refuse_unsupported"]

GOING: Final = ("planned", "running")

_numbers = itertools.count(1)
_results: dict[str, VistaResult] = {}
_one_at_a_time = threading.Lock()
_at_work: list[Run] = []  # one at most
_engines: list[Any] = []


def refuse_unsupported(prepared: Prepared) -> None:
    """A spec that can only be planned, or that this machine cannot run, ends here with what is missing named."""
    if prepared.not_yet:
        raise unsupported(prepared.not_yet)
    if prepared.unfit:
        first = prepared.unfit[0]
        raise VistaEnvironmentError(first.code, "; ".join(p.message for p in prepared.unfit), first.hint)


def known_runs() -> tuple[VistaResult, ...]:
    """Every run of this kernel, in the order of their cells."""
    return tuple(_results.values())


def going() -> tuple[VistaResult, ...]:
    """Those that have not ended."""
    return tuple(result for result in _results.values() if result.status in GOING)


def find_run(name: str | None) -> VistaResult:
    """The last run, or the one named. Raises VistaUsageError."""
    if not _results:
        raise VistaUsageError("VST010", "no run in this kernel yet", "run a %%vista cell first")
    if name is None:
        return next(reversed(_results.values()))
    if name not in _results:
        raise VistaUsageError("VST010", f"no run named {name!r}", f"there are: {', '.join(_results)}")
    return _results[name]


def find_going(name: str | None) -> VistaResult:
    """The last run that has not ended, or the one named, ended or not. Raises VistaUsageError."""
    if name is not None:
        return find_run(name)
    if not going():
        raise VistaUsageError("VST010", "no run is going on", "%vista runs lists what there was")
    return going()[-1]


def find_prepared(name: str | None) -> Prepared:
    """What the last run, or the one named, was planned from."""
    handle = find_run(name)._handle
    assert isinstance(handle, Run)
    return handle.prepared


class Run:
    """The handle of one run. `plan` may be replaced once, early, when the store turns out to hold layers."""

    def __init__(self, prepared: Prepared, plan: Plan, options: Options) -> None:
        self.run_id = f"r{next(_numbers)}"
        self.status = "planned"
        self.error: BaseException | None = None
        self.plan = plan
        self.prepared = prepared
        self.options = options
        self.fetched: frozenset[str] = frozenset()  # keys of the layer sets that came from the remote store
        self.outcome = RunOutcome(task=self.workload.task.value, metric=self.workload.metric)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._cancelled = threading.Event()
        self._backend: Any = None
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin the work in a thread of its own. A plain one: pyspark's InheritableThread asks the JVM before it runs,
        and fails where that JVM has died or was stopped; the backend sets the job group inside the thread anyway.
        """
        threading.Thread(target=self._work, name=f"vista-{self.run_id}", daemon=True).start()

    @property
    def workload(self) -> Workload:
        return self.prepared.workload

    def remember(self, result: VistaResult) -> None:
        """Keep the result for `%vista show`."""
        _results[self.run_id] = result

    def poll(self) -> list[Event]:
        """All events since the last call."""
        events = []
        while not self._events.empty():
            events.append(self._events.get())
        return events

    def wait(self, timeout: float | None = None) -> bool:
        return self._finished.wait(timeout)

    def cancel(self) -> None:
        """Ask it to stop, from any thread, as often as one likes; a run that has ended stays as it is."""
        if self._finished.is_set():
            return
        self._cancelled.set()
        if self._backend is not None:
            self._backend.shelf.stop_sending()
            self._backend.cancel()

    def features(self, layer: str) -> pa.Table:
        with _coded(f"reading the features of {layer}"):
            return self._engine().features(layer)

    def model(self, layer: str) -> object:
        with _coded(f"reading the model of {layer}"):
            return self._engine().model(layer)

    def pipeline(self, layer: str) -> Pipeline:
        from vista_nb.session.leaving import pipeline_of

        return pipeline_of(self, self._engine(), layer)

    def save(self, result: VistaResult, path: Path, layers: Sequence[str], *, overwrite: bool) -> Path:
        from vista_nb.session.leaving import save

        with _coded("saving the result"):
            return save(result, [self.pipeline(layer) for layer in layers], path, overwrite=overwrite)

    @property
    def saveable(self) -> tuple[str, ...]:
        return tuple(score.layer for score in self.outcome.scores)

    def held_out(self, layer: str) -> tuple[TestRow, ...]:
        from vista_nb.executor.looking import held_out_rows

        return held_out_rows(self._engine(), layer)

    def metrics(self, layer: str) -> tuple[LayerScore, ...]:
        from vista_nb.executor.looking import every_metric

        return every_metric(self._engine(), layer)

    def photos(self, keys: Sequence[str], side: int) -> Mapping[str, Thumbnail]:
        from vista_nb.executor.looking import photos

        return photos(self._engine(), keys, side)

    def _engine(self) -> Any:
        if self._backend is None:
            raise VistaRunError("VST501", "the run has no engine yet", "wait for it: result.wait()")
        return self._backend

    @property
    def clock(self) -> float:
        """Seconds since the cell was submitted."""
        return time.monotonic() - self._began

    def emit(self, event: Event) -> None:
        self._events.put(replace(event, at=self.clock))

    def _work(self) -> None:
        try:
            with self._turn():
                self.status = "running"
                self._execute()
                self.status = "done"
        except VistaCancelled as error:
            self.status, self.error = "cancelled", error
        except VistaError as error:
            self.status, self.error = self._ended_by(error)
        except BaseException as error:  # the thread must report whatever happened, or the cell waits for ever
            self.status, self.error = self._ended_by(_wrapped(error))
        message = str(self.error) if self.error else ""
        self.emit(RunFinished(status=self.status, seconds=self.clock, message=message))
        self._finished.set()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One run at a time: one may go on in the background, a cancelled one be in a fit that cannot be stopped."""
        said = False
        while not _one_at_a_time.acquire(timeout=0.2):
            if self._cancelled.is_set():
                raise VistaCancelled("the run was cancelled before it began")
            if not said:
                self._say_who_works()
                said = True
        _at_work.append(self)
        try:
            yield
        finally:
            _at_work.remove(self)
            _one_at_a_time.release()

    def _say_who_works(self) -> None:
        for other in _at_work:
            stuck = other.cancelled.is_set()
            who = f"the step that run {other.run_id} could not stop" if stuck else f"run {other.run_id}"
            self.say(f"waiting for {who}")

    def _ended_by(self, error: VistaError) -> tuple[str, BaseException]:
        """A step that fails because the run was cancelled is a cancelled run."""
        if not self._cancelled.is_set():
            return "failed", error
        kept = [score.layer for score in self.outcome.scores if not score.is_baseline]
        cancelled = VistaCancelled("the run was cancelled", kept)
        cancelled.__cause__ = error
        return "cancelled", cancelled

    def _execute(self) -> None:
        from vista_nb.session.execute import execute

        execute(self)

    def attach(self, backend: Any) -> None:
        """The engine is there: cancelling reaches it from now on, also a cancel that came before."""
        self._backend = backend
        _close_before(backend)
        if self._cancelled.is_set():
            backend.shelf.stop_sending()
            backend.cancel()

    @property
    def cancelled(self) -> threading.Event:
        return self._cancelled

    def record(self, outcome: RunOutcome) -> None:
        self.outcome = outcome

    def say(self, text: str, level: str = "info") -> None:
        self.emit(LogLine(level=level, text=text))

    @property
    def store_dir(self) -> Path:
        """Of the store on this machine."""
        from vista_nb.store.place import store_place

        return store_place(self.options.store_dir).folder


@contextmanager
def _coded(what: str) -> Iterator[None]:
    """What an engine raises long after its run, its JVM gone perhaps, as a coded error with the way out."""
    from vista_nb.executor.spark_errors import translated

    try:
        yield
    except Exception as error:
        coded = translated(error, what)
        if coded is error:
            raise
        raise coded from error


def _close_before(backend: Any) -> None:
    """The tables of the run before give their storage memory to this one; what it saved stays readable."""
    if _engines:
        _engines.pop().close()
    _engines.append(backend)


def _wrapped(error: BaseException) -> VistaRunError:
    wrapped = VistaRunError("VST502", f"{type(error).__name__}: {error}".strip(), "please report this: it is a defect")
    wrapped.__cause__ = error
    return wrapped
