"""The walk: obey a plan step by step on a backend, tell what happens, stop when asked, never plan.

Reads a Plan and a Backend, returns a RunOutcome (and hands out what is finished so far after every score).
May touch: nothing but the backend and the callbacks it is given. DESIGN.md sections 6, 7 (waves) and 10.

Base tables are read, joined and loaded once, in the first wave; inference, pooling, saving and training are done
again in every wave, each on the rows so far. A training that an early wave cannot do (too few rows, one class) is
skipped and said: only the last wave's answer counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from vista_nb.errors import VistaCancelled, VistaDataError, VistaError, VistaRunError
from vista_nb.executor.backend import Backend, Wave
from vista_nb.executor.recorder import Recorder
from vista_nb.outcome.events import BatchDone, Emit, LayerScored, LogLine, StageFinished, StageStarted
from vista_nb.outcome.scores import LayerScore, RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import (
    Infer,
    Join,
    Load,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.titles import step_kind, step_layers, step_title
from vista_nb.plan.waves import wave_bounds

__all__ = ["walk", "waves_of"]

_ONCE = (ScanStructured, ScanImages, Join, Load, TrainBaselines)


def walk(
    plan: Plan,
    backend: Backend,
    emit: Emit,
    cancelled: threading.Event,
    on_outcome: Callable[[RunOutcome], None] | None = None,
) -> RunOutcome:
    """Run `plan` on `backend`; events go to `emit`, from the calling thread (BatchDone from any).

    cancelled: looked at between steps; whoever sets it also calls `backend.cancel()`. on_outcome: gets everything
    found so far after each final score and at the end, also at a bad end. Raises VistaCancelled (naming the finished
    layers), a VistaError of the backend as it is, or VistaRunError VST511 around anything else, with the step's
    title as `stage`.
    """
    task, metric, majority = backend.context()
    recorder = Recorder(task=task, metric=metric, majority=majority)
    walker = _Walker(plan, backend, emit, cancelled, recorder, on_outcome or (lambda _: None))
    try:
        walker.run()
    finally:
        outcome = walker.close()
    return outcome


def waves_of(plan: Plan) -> tuple[Wave, ...]:
    """The waves of a plan: growing samples of the rows, the last one all of them."""
    bounds = wave_bounds(plan.logical.waves)
    return tuple(Wave(number, low, high, number == len(bounds)) for number, (low, high) in enumerate(bounds, start=1))


class _Walker:
    """One walk: where it is (step, wave) and the clock. Not reusable."""

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        emit: Emit,
        cancelled: threading.Event,
        recorder: Recorder,
        on_outcome: Callable[[RunOutcome], None],
    ) -> None:
        self.plan = plan
        self.backend = backend
        self.emit = emit
        self.cancelled = cancelled
        self.recorder = recorder
        self.on_outcome = on_outcome
        self.start = time.monotonic()
        self.baselines: TrainBaselines | None = None
        self.bad_at_baselines = 0

    @property
    def clock(self) -> float:
        return time.monotonic() - self.start

    def run(self) -> None:
        waves = waves_of(self.plan)
        for wave in waves:
            for step in self.plan.logical.steps:
                if wave.number == 1 or not isinstance(step, _ONCE):
                    self._step(step, wave)
        self._baselines_again(waves[-1])
        with self._guard("comparing the layers"):
            self.recorder.comparison = self.backend.compare()

    def close(self) -> RunOutcome:
        """Keep what the backend knows, also after a failure; a broken engine must not hide the first error."""
        self.recorder.seconds = self.clock
        try:
            self.recorder.bad_images = tuple(self.backend.bad_images())
            self.recorder.rows = self.backend.row_counts()
            for note in self.backend.notes():
                self.recorder.note(note)
        except Exception as error:
            self.recorder.note(f"row counts are not complete: {_first_line(error)}")
        # what it knew when the walk began may have been less: the majority needs the table
        self.recorder.task, self.recorder.metric, self.recorder.majority = self.backend.context()
        outcome = self.recorder.outcome()
        self.on_outcome(outcome)
        return outcome

    def _step(self, step: Step, wave: Wave) -> None:
        self._check_cancelled()
        kind, layers, title = step_kind(step), step_layers(step), step_title(step)
        begin = self.clock
        self.emit(StageStarted(step.number, wave.number, begin, kind, layers, title))
        with self._guard(title):
            rows = self._call(step, wave)
        end = self.clock
        self.recorder.timeline.append((_in_wave(title, wave), begin, end))
        self.emit(StageFinished(step.number, wave.number, end, kind, layers, end - begin, rows))

    def _call(self, step: Step, wave: Wave) -> int:
        """One step on the backend; the number of rows it produced."""
        match step:
            case ScanStructured():
                return self.backend.scan_structured(step)
            case ScanImages():
                return self.backend.scan_images(step)
            case Join():
                return self._join(step, wave)
            case Load():
                return self._load(step)
            case Infer():
                return self._infer(step, wave)
            case Pool():
                return self.backend.pool(step, wave)
            case Save():
                return self._save(step, wave)
            case TrainBaselines():
                return self._train_baselines(step)
            case Train():
                return self._train(step, wave)
            case Release():
                self.backend.release(step, wave)
                return 0
            case _:
                raise VistaRunError("VST512", f"the plan holds a step this version cannot run: {step_kind(step)}")

    def _join(self, step: Join, wave: Wave) -> int:
        """What is odd about the data is said before the CNN has cost anything."""
        rows = self.backend.join(step)
        for note in self.backend.notes():
            self._log(step, wave, note)
        return rows

    def _load(self, step: Load) -> int:
        found = self.backend.load(step)
        for event in found:
            if not event.raw:
                self.recorder.reused.add(event.layer)
            self.emit(replace(event, stage=step.number, wave=1, at=self.clock))
        return max((event.rows for event in found), default=0)

    def _save(self, step: Save, wave: Wave) -> int:
        rows = self.backend.save(step, wave)
        for event in self.backend.news():
            self.emit(replace(event, stage=step.number, wave=wave.number, at=self.clock))
        return rows

    def _infer(self, step: Infer, wave: Wave) -> int:
        def progress(done: int, total: int) -> None:
            self.emit(BatchDone(step.number, wave.number, self.clock, done, total))

        images = self.backend.infer(step, wave, progress)
        if step.start is None:
            self.recorder.count_inferred(step.layers, images)
        return images

    def _train_baselines(self, step: TrainBaselines) -> int:
        """Once, on all rows: the structured side is complete before the first photo is looked at."""
        self.baselines, self.bad_at_baselines = step, len(self.backend.bad_images())
        scores = self.backend.train_baselines(step, Wave(1, 0.0, 1.0, True))
        for score in scores:
            self._scored(step, 1, score, final=True)
        return max((score.rows_test for score in scores), default=0)

    def _baselines_again(self, wave: Wave) -> None:
        """Photos that proved unreadable took their rows with them: score the table on the same rows again."""
        if self.baselines is None or len(self.backend.bad_images()) == self.bad_at_baselines:
            return
        self._log(self.baselines, wave, "rows without a readable photo left: the table-only scores are made again")
        with self._guard(step_title(self.baselines)):
            for score in self.backend.train_baselines(self.baselines, wave):
                self._scored(self.baselines, wave.number, score, final=True)

    def _train(self, step: Train, wave: Wave) -> int:
        try:
            score = self.backend.train(step, wave)
        except VistaDataError as error:
            if wave.last:
                raise
            self._log(step, wave, f"{step.layer}: no early score ({error.message})")
            return 0
        self._scored(step, wave.number, score, final=wave.last)
        return score.rows_test

    def _scored(self, step: Step, wave: int, score: LayerScore, final: bool) -> None:
        if final:
            self.recorder.score(score)
            self.on_outcome(self.recorder.outcome())
        self.emit(LayerScored(step.number, wave, self.clock, score, final))

    def _log(self, step: Step, wave: Wave, text: str) -> None:
        self.emit(LogLine(step.number, wave.number, self.clock, "info", text))

    def _check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise VistaCancelled("the run was cancelled", self.recorder.finished)

    @contextmanager
    def _guard(self, title: str) -> Iterator[None]:
        """Engine errors get the stage's name; an error after a cancel is the cancel."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except Exception as error:
            if self.cancelled.is_set():
                raise VistaCancelled("the run was cancelled", self.recorder.finished) from error
            if isinstance(error, VistaError):
                if isinstance(error, VistaRunError) and not error.stage:
                    error.stage = title
                raise
            raise VistaRunError("VST511", f"{title} failed: {_first_line(error)}", _HINT, title) from error


_HINT = "the whole traceback: %config VistaMagic.short_errors = False, then run the cell again"


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


def _in_wave(title: str, wave: Wave) -> str:
    return title if wave.number == 1 and wave.last else f"{title} (wave {wave.number})"
