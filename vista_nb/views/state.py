"""The state of the panel as a value, folded over the run's events: state + event -> state.

Reads `outcome.events`, returns frozen values. May touch: nothing. DESIGN.md section 6.
Everything a live view shows is computed here, so drawing is a pure function of one value and can be tested
without a browser, a kernel or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Final

from vista_nb.outcome import events as ev
from vista_nb.outcome.scores import LayerScore, RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.titles import step_kind
from vista_nb.plan.waves import wave_bounds

__all__ = ["LOG_LINES", "ONCE", "LayerState", "PanelState", "apply", "apply_all", "settled"]

LOG_LINES: Final = 500

_ACTIVE: Final = ("inferring", "training")
_FINISHED: Final = ("done", "reused")
ONCE: Final = ("scan_structured", "scan_images", "join", "load", "train_baselines")


@dataclass(frozen=True)
class LayerState:
    """One row: phase is queued | inferring | ready | training | done | reused | failed | stopped.

    `final` is false while `score` comes from an early wave; `reused` says where stored features came from.
    """

    name: str
    phase: str = "queued"
    score: LayerScore | None = None
    final: bool = False
    reused: ev.LayerReused | None = None


@dataclass(frozen=True)
class PanelState:
    """stage, wave: where the run is; done, total: images of this stage; seconds are since the run's start.

    first_batch: (seconds, images) at this stage's first report, from which images per second are counted, so
    that the start of TensorFlow does not hide the speed. schedule: (stage, wave, predicted seconds) in the order of
    the walk, ones where no time was predicted (`timed` false); finished: (stage, wave, measured seconds).
    peak: the most of each kind of process; memory_now: the last sample.
    """

    status: str = "planned"
    layers: tuple[LayerState, ...] = ()
    baselines: tuple[LayerScore, ...] = ()
    stage: int = 0
    stages: int = 0
    wave: int = 1
    waves: int = 1
    kind: str = ""
    title: str = ""
    at: float = 0.0
    stage_began: float = 0.0
    done: int = 0
    total: int = 0
    first_batch: tuple[float, int] | None = None
    finished: tuple[tuple[int, int, float], ...] = ()
    schedule: tuple[tuple[int, int, float], ...] = ()
    timed: bool = False
    peak: ev.MemorySampled | None = None
    memory_now: ev.MemorySampled | None = None
    store: ev.StoreListed | None = None
    start_seconds: float = 0.0  # predicted, until the engines are up
    log: tuple[ev.LogLine, ...] = ()
    seconds: float = 0.0
    message: str = ""
    cuts: tuple[ev.LayerReused, ...] = ()  # raw tensors that inference goes on from
    stored: tuple[ev.LayerStored, ...] = ()  # what this run put into the store, each layer once per wave

    @property
    def reused(self) -> tuple[ev.LayerReused, ...]:
        """What came from the store: layers, then raw tensors."""
        return (*(layer.reused for layer in self.layers if layer.reused), *self.cuts)

    @classmethod
    def of(cls, plan: Plan) -> PanelState:
        """Before the first event: every layer queued, the plan's predicted seconds at hand."""
        layers = tuple(LayerState(layer) for layer in plan.layers)
        timed = 0 < len(plan.seconds_by_step) == len(plan.logical.steps)
        stages, waves = len(plan.logical.steps), plan.logical.waves
        start = plan.start_seconds or 0.0
        return cls(
            layers=layers, stages=stages, waves=waves, schedule=_schedule(plan, timed), timed=timed, start_seconds=start
        )

    def planned_again(self, plan: Plan) -> PanelState:
        """The same state under the plan that replaced the first one, before any of its steps began."""
        fresh = PanelState.of(plan)
        known = {layer.name: layer for layer in self.layers}
        layers = tuple(known.get(layer.name, layer) for layer in fresh.layers)
        return replace(
            self,
            layers=layers,
            stages=fresh.stages,
            waves=fresh.waves,
            schedule=fresh.schedule,
            timed=fresh.timed,
            start_seconds=fresh.start_seconds,
        )

    def layer(self, name: str) -> LayerState | None:
        return next((layer for layer in self.layers if layer.name == name), None)

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    @property
    def scores(self) -> tuple[LayerScore, ...]:
        """Of every layer that has one, low to high, then the baselines."""
        return (*(layer.score for layer in self.layers if layer.score), *self.baselines)

    @property
    def images_per_second(self) -> float | None:
        """Of the stage that runs now; None before two reports."""
        if self.first_batch is None or not self.total:
            return None
        began, images = self.first_batch
        return (self.done - images) / (self.at - began) if self.at > began and self.done > images else None

    @property
    def stage_share(self) -> float:
        """How much of the running stage is done, in [0, 1]; 0 where it cannot be counted."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def measured(self) -> dict[int, float]:
        """Seconds per finished step, its waves together."""
        taken: dict[int, float] = {}
        for stage, _, seconds in self.finished:
            taken[stage] = taken.get(stage, 0.0) + seconds
        return taken

    @property
    def progress(self) -> float:
        """Of the whole run, in [0, 1]: finished steps weighed by their predicted seconds, else counted."""
        if self.status == "done":
            return 1.0
        done = {(stage, wave) for stage, wave, _ in self.finished}
        past = sum(weight for stage, wave, weight in self.schedule if (stage, wave) in done)
        whole = sum(weight for *_, weight in self.schedule)
        return min(1.0, (past + self._weight_now * self.stage_share) / whole) if whole > 0 else 0.0

    @property
    def _weight_now(self) -> float:
        return next((w for stage, wave, w in self.schedule if (stage, wave) == (self.stage, self.wave)), 0.0)

    @property
    def eta(self) -> float | None:
        """Seconds left at the last event, None before the first."""
        return None if self.status == "planned" else self.left(0.0)

    def left(self, since: float) -> float | None:
        """Seconds left, `since` seconds after the last event: the running step by its own speed where it has one, else
        as predicted; the later ones as predicted. None after the run, and where nothing is predicted.
        """
        if self.is_over or not self.timed:
            return None
        places = [place for place, entry in enumerate(self.schedule) if entry[:2] == (self.stage, self.wave)]
        if not places:  # the engines are starting
            return max(0.0, self.start_seconds - self.at - since) + sum(weight for *_, weight in self.schedule)
        later = sum(weight for *_, weight in self.schedule[places[0] + 1 :])
        return max(0.0, self._step_left(since)) + later

    def _step_left(self, since: float) -> float:
        if any((stage, wave) == (self.stage, self.wave) for stage, wave, _ in self.finished):
            return 0.0
        rate = self.images_per_second
        if rate is not None:
            return (self.total - self.done) / rate - since
        return self._weight_now - (self.at + since - self.stage_began)


def _schedule(plan: Plan, timed: bool) -> tuple[tuple[int, int, float], ...]:
    """What the walk will do, with its weight: base tables once, the CNN its share of the rows in every wave."""
    seconds = [value for _, value in plan.seconds_by_step] if timed else [1.0] * len(plan.logical.steps)
    entries = []
    for wave, (low, high) in enumerate(wave_bounds(plan.logical.waves), start=1):
        for step, predicted in zip(plan.logical.steps, seconds, strict=True):
            if wave == 1 or step_kind(step) not in ONCE:
                share = 1.0 if step_kind(step) in ONCE else high if step_kind(step) == "train" else high - low
                entries.append((step.number, wave, predicted * share))
    return tuple(entries)


def apply_all(state: PanelState, events: Iterable[ev.Event]) -> PanelState:
    """`apply` over all of them, in order."""
    for event in events:
        state = apply(state, event)
    return state


def apply(state: PanelState, event: ev.Event) -> PanelState:
    """The state after `event`. Unknown events only move the clock."""
    return _fold(event, replace(state, at=max(state.at, event.at)))


@singledispatch
def _fold(event: ev.Event, state: PanelState) -> PanelState:  # noqa: ARG001
    return state


@_fold.register
def _(event: ev.RunStarted, state: PanelState) -> PanelState:
    known = {layer.name: layer for layer in state.layers}
    layers = tuple(known.get(layer, LayerState(layer)) for layer in event.layers) or state.layers
    return replace(
        state, status="running", layers=layers, stages=event.stages or state.stages, waves=max(1, event.waves)
    )


@_fold.register
def _(event: ev.StageStarted, state: PanelState) -> PanelState:
    state = replace(state, status="running", stage=event.stage, wave=event.wave, kind=event.kind, title=event.title)
    state = replace(state, stage_began=event.at, done=0, total=0, first_batch=None)
    phase = {"infer": "inferring", "pool": "inferring", "train": "training"}.get(event.kind)
    return _with_phase(state, event.layers, phase) if phase else state


@_fold.register
def _(event: ev.StageFinished, state: PanelState) -> PanelState:
    state = replace(
        state, finished=(*state.finished, (event.stage, event.wave, event.seconds)), done=0, total=0, first_batch=None
    )
    return _with_phase(state, event.layers, "ready") if event.kind in ("infer", "pool") else state


@_fold.register
def _(event: ev.BatchDone, state: PanelState) -> PanelState:
    first = state.first_batch or (event.at, event.done)
    return replace(state, done=max(state.done, event.done), total=event.total, first_batch=first)


@_fold.register
def _(event: ev.LayerScored, state: PanelState) -> PanelState:
    score = event.score
    if score is None:
        return state
    if score.is_baseline:
        others = tuple(known for known in state.baselines if known.layer != score.layer)
        return replace(state, baselines=tuple(sorted((*others, score), key=lambda s: s.layer)))
    return replace(state, layers=tuple(_scored(layer, score, event.final) for layer in state.layers))


def _scored(layer: LayerState, score: LayerScore, final: bool) -> LayerState:
    if layer.name != score.layer:
        return layer
    phase = "reused" if layer.reused or score.source == "reused" else "done"
    return replace(layer, score=score, final=final, phase=phase if final else "ready")


@_fold.register
def _(event: ev.LayerReused, state: PanelState) -> PanelState:
    if event.raw:
        return replace(state, cuts=(*state.cuts, event))

    def marked(layer: LayerState) -> LayerState:
        return replace(layer, reused=event, phase="reused") if layer.name == event.layer else layer

    return replace(state, layers=tuple(marked(layer) for layer in state.layers))


@_fold.register
def _(event: ev.LayerStored, state: PanelState) -> PanelState:
    return replace(state, stored=(*state.stored, event))


@_fold.register
def _(event: ev.MemorySampled, state: PanelState) -> PanelState:
    old = state.peak or event
    names = ("driver", "jvm", "workers")
    peak = replace(event, **{n: max(getattr(old, n), getattr(event, n)) for n in names})
    return replace(state, peak=peak, memory_now=event)


@_fold.register
def _(event: ev.StoreListed, state: PanelState) -> PanelState:
    return replace(state, store=event)


@_fold.register
def _(event: ev.LogLine, state: PanelState) -> PanelState:
    return replace(state, log=(*state.log, event)[-LOG_LINES:])


@_fold.register
def _(event: ev.RunFinished, state: PanelState) -> PanelState:
    return _ended(replace(state, seconds=event.seconds, message=event.message), event.status)


def _ended(state: PanelState, status: str) -> PanelState:
    """No row may look as if it still ran: the one that was running failed, the others never came to it."""

    def closed(layer: LayerState) -> LayerState:
        if (layer.phase in _FINISHED and layer.score) or status == "done":
            return layer
        return replace(layer, phase="failed" if status == "failed" and layer.phase in _ACTIVE else "stopped")

    return replace(state, status=status, layers=tuple(closed(layer) for layer in state.layers))


def _with_phase(state: PanelState, names: tuple[str, ...], phase: str) -> PanelState:
    """The named layers in `phase`; one that already has its final score keeps it."""

    def moved(layer: LayerState) -> LayerState:
        return replace(layer, phase=phase) if layer.name in names and not layer.final else layer

    return replace(state, layers=tuple(moved(layer) for layer in state.layers))


def settled(state: PanelState, outcome: RunOutcome, status: str) -> PanelState:
    """The state of a run that is known by its outcome: the outcome's scores stand, whatever events were seen."""
    for score in outcome.scores:
        state = apply(state, ev.LayerScored(score=score, final=True))
    if status in ("done", "failed", "cancelled") and not state.is_over:
        state = _ended(state, status)
    return replace(state, status=status, seconds=outcome.seconds or state.seconds)
