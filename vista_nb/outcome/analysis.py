"""EXPLAIN ANALYZE as a value: for every step of a plan what was predicted and what a run measured.

Reads a Plan and a RunOutcome; returns frozen values that depend on nothing else. May touch: nothing. DESIGN.md section
4, `--analyze`: run, then predicted against measured. The view is `views/analyze_view.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import (
    Infer,
    Join,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.titles import START, step_title

__all__ = ["BETWEEN", "Analysis", "StepTimes", "analysis"]

BETWEEN = "Between the steps"
"""Planning again, comparing the layers, telling the views: what no step accounts for."""

_GROUPS = (("driver", ("driver",)), ("workers", ("dl_execution",)), ("jvm", ("user", "core", "storage")))


@dataclass(frozen=True)
class StepTimes:
    """number: of the plan's step, 0 for what lies before, between and after them. times: how often it ran (waves);
    measured: seconds of all of them, None where it did not run (to its end). predicted: None in a profile without
    times. work: what went through, in words. repeats: every wave does it again.
    """

    number: int
    title: str
    predicted: float | None
    measured: float | None
    times: int = 1
    work: str = ""
    repeats: bool = False

    @property
    def off(self) -> float:
        """Seconds that the prediction is off; what did not run, or was not predicted, is not off."""
        return 0.0 if self.predicted is None or self.measured is None else self.measured - self.predicted


@dataclass(frozen=True)
class Analysis:
    """steps: in execution order, the engines' start first, what lies between last. memory: (driver | workers | jvm,
    planned bytes, peak bytes). waves: as planned. whole: every step ran, in every wave.
    """

    steps: tuple[StepTimes, ...]
    memory: tuple[tuple[str, int, int], ...]
    predicted: float | None
    measured: float
    waves: int = 1

    @property
    def whole(self) -> bool:
        return all(self.ran(step) for step in self.steps)

    def ran(self, step: StepTimes) -> bool:
        """Whether the step ran to its end, in every wave that does it."""
        return step.measured is not None and (not step.repeats or step.times >= self.waves)

    @property
    def error(self) -> float | None:
        """Predicted over measured, less one; None for a run that broke off, or where nothing was predicted."""
        if self.predicted is None or not self.whole or not self.measured:
            return None
        return self.predicted / self.measured - 1

    @property
    def furthest(self) -> StepTimes | None:
        """The step whose prediction is off by most seconds."""
        worst = max(self.steps, key=lambda step: abs(step.off))
        return worst if worst.off else None


def analysis(plan: Plan, outcome: RunOutcome) -> Analysis:
    """What the run of this plan took, step by step."""
    chosen = plan.chosen
    predicted = None if chosen is None or chosen.seconds is None else chosen.seconds + chosen.interim_seconds
    steps = tuple(_steps(plan, outcome))
    ran = sum(end - start for _, start, end in outcome.timeline)
    between = StepTimes(0, BETWEEN, None, max(0.0, outcome.seconds - ran))
    start = StepTimes(0, START, plan.start_seconds, _seconds(outcome, START)[0])
    return Analysis(
        (start, *steps, between), _memory(plan.memory, outcome), predicted, outcome.seconds, plan.logical.waves
    )


def _steps(plan: Plan, outcome: RunOutcome) -> Iterator[StepTimes]:
    seconds = dict(zip((s.number for s in plan.logical.steps), _with_interim(plan), strict=False))
    seen: dict[str, int] = {}
    titles = [step_title(step) for step in plan.logical.steps]
    for step, title in zip(plan.logical.steps, titles, strict=True):
        place = seen[title] = seen.get(title, -1) + 1
        measured, times = _seconds(outcome, title, place, titles.count(title))
        yield StepTimes(
            step.number, title, seconds.get(step.number), measured, times, _work(step, outcome), _repeats(step)
        )


def _repeats(step: Step) -> bool:
    return isinstance(step, Infer | Pool | Save | Train | Release)


def _with_interim(plan: Plan) -> Sequence[float]:
    """Predicted seconds of each step, over all waves."""
    seconds = [value for _, value in plan.seconds_by_step]
    if not plan.interim_by_step:
        return seconds
    return [value + more for value, more in zip(seconds, plan.interim_by_step, strict=False)]


def _seconds(outcome: RunOutcome, title: str, place: int = 0, same: int = 1) -> tuple[float | None, int]:
    """Of a step over all waves, and how often it ran. Of `same` steps with one title it is number `place`."""
    ran = [end - start for name, start, end in outcome.timeline if name.partition(" (wave ")[0] == title]
    mine = ran[place::same]
    return (sum(mine), len(mine)) if mine else (None, 0)


def _work(step: Step, outcome: RunOutcome) -> str:
    rows = outcome.rows
    match step:
        case ScanStructured():
            return _counted(rows.structured, "rows")
        case ScanImages():
            return _counted(rows.distinct_images, "images")
        case Join():
            return _counted(rows.joined, "rows")
        case Infer():
            return _counted(step.images, "images")
        case Train() | TrainBaselines():
            return _counted(rows.train, "rows")
    return ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}".replace(",", " ") if number else ""


def _memory(regions: MemoryRegions, outcome: RunOutcome) -> tuple[tuple[str, int, int], ...]:
    peaks = dict(outcome.peak_bytes)
    return tuple(
        (group, sum(getattr(regions, name) for name in names), peaks[group])
        for group, names in _GROUPS
        if peaks.get(group)
    )
