"""What the measured steps of a run teach of this machine's rates: start-up, jobs, the store, training.

Reads a plan, its run's timeline and the rates it was predicted with; returns samples, and from a row of samples the
rates. May touch: nothing. DESIGN.md section 7, "Calibration"; docs/adr/0019. A step's prediction is a sum of terms, so
a run scales the few rates of a group together, by measured over predicted seconds. One run is no rate: the median of
the last few is, from the third on, and what a single odd run says is at most one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.calibration import Measured
from vista_nb.optimizer.rates import DEFAULT, Rates
from vista_nb.outcome.analysis import StepTimes, analysis
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer, Join, Pool, Save, Step, Train, TrainBaselines
from vista_nb.plan.physical import JoinOperator, TrainingSite

__all__ = ["GROUPS", "KEPT", "NEEDED", "Samples", "folded", "rates_of", "scales_of"]

Samples = Mapping[str, tuple[float, ...]]
"""Group -> the last scales against the usual rates, oldest first."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "decode": ("decode_seconds", "decode_pixel_seconds", "file_seconds"),
    "engines": ("session_seconds",),
    "first_jobs": ("first_jobs",),
    "join": ("join_seconds",),
    "jobs": ("job_seconds",),
    "shuffle": ("shuffle",),
    "store": ("part_seconds", "disk_write"),
    "driver": ("sklearn_fit", "sklearn_linear_value", "sklearn_value", "collect"),
    "baselines": ("forest_seconds",),
    "cluster": ("mllib_fit", "mllib_pass", "mllib_value"),
    "first_cluster": ("mllib_first",),
}
"""Rates that grow and fall together. Bytes per second shrink where seconds grow."""

KEPT, NEEDED = 9, 3
_SURE = frozenset({"decode"})  # CPU seconds of hundreds of photos, told by the workers: one sample is enough
_LEAST, _MOST = 0.2, 5.0  # beyond it the run was disturbed, or the formula is wrong: no rate should hide that
_PER_SECOND = frozenset({"disk_write", "collect", "shuffle"})
_LEAST_SECONDS = 0.02  # shorter steps are noise


@dataclass
class _Sums:
    """Predicted and measured seconds of one group in one run."""

    predicted: float = 0.0
    measured: float = 0.0

    def add(self, predicted: float, measured: float) -> None:
        self.predicted += predicted
        self.measured += measured


def scales_of(plan: Plan, outcome: RunOutcome, snapshot: Snapshot, used: Rates) -> dict[str, float]:
    """Group -> this run's scale against the usual rates. used: the rates that the plan was predicted with.

    A run that broke off teaches nothing.
    """
    found = analysis(plan, outcome)
    if not found.whole or plan.start_seconds is None:
        return {}
    sums: dict[str, _Sums] = {}
    for group, predicted, measured in _pairs(plan, found.steps, snapshot):
        sums.setdefault(group, _Sums()).add(predicted, measured)
    return {
        group: min(_MOST, max(_LEAST, _scale(group, used) * both.measured / both.predicted))
        for group, both in sums.items()
        if both.predicted >= _LEAST_SECONDS and both.measured >= _LEAST_SECONDS
    }


def _pairs(plan: Plan, steps: Sequence[StepTimes], snapshot: Snapshot) -> Iterator[tuple[str, float, float]]:
    """(group, predicted, measured) of the steps that one group of rates makes up."""
    start = steps[0]
    if not snapshot.warm.jvm and snapshot.warm.known_model:  # else the model's digest is in it too
        yield "engines", start.predicted or 0.0, start.measured or 0.0
    trained = [step.number for step in plan.logical.steps if isinstance(step, Train | TrainBaselines)]
    times = {step.number: step for step in steps}
    for step in plan.logical.steps:
        group = _group(step, plan, snapshot, first=step.number == trained[0])
        one = times[step.number]
        # a wave's share of a step is not predicted, but for what runs once
        if group and one.times == 1 and one.predicted is not None and one.measured is not None:
            yield group, one.predicted, one.measured


def _group(step: Step, plan: Plan, snapshot: Snapshot, *, first: bool) -> str:
    on_driver = plan.physical.training is TrainingSite.DRIVER
    cold = first and not on_driver and not snapshot.warm.mllib
    match step:
        case Join() if not any(isinstance(other, Infer) and other.images for other in plan.logical.steps):
            return ""  # the kernel's work alone
        case Join():
            # on one machine a shuffle moves hardly any bytes: links, or a small table's features
            if not snapshot.warm.jvm:
                return "first_jobs"
            return "join" if plan.physical.join is JoinOperator.BROADCAST or plan.nodes == 1 else "shuffle"
        case Pool():
            return "jobs"
        case Save():
            return "store"
        case Train() | TrainBaselines() if snapshot.workload.estimator.name != "LogisticRegression":
            return ""  # the rates are its own: a support vector machine says nothing of them
        case TrainBaselines():
            return "baselines" if on_driver else "first_cluster" if cold else ""
        case Train():
            return "first_cluster" if cold else "driver" if on_driver else "cluster"
    return ""


def _scale(group: str, used: Rates) -> float:
    """The rates that were used against the usual ones, as seconds."""
    name = GROUPS[group][0]
    ratio = float(getattr(used, name)) / float(getattr(DEFAULT, name))
    return 1 / ratio if name in _PER_SECOND else ratio


def folded(known: Samples, fresh: Mapping[str, float]) -> dict[str, tuple[float, ...]]:
    """The samples with those of one more run; only the last few are kept."""
    groups = sorted({*known, *fresh} & set(GROUPS))
    return {g: (*known.get(g, ()), *((fresh[g],) if g in fresh else ()))[-KEPT:] for g in groups}


def rates_of(samples: Samples) -> dict[str, Measured]:
    """Field of `Rates` -> the median, with the middle half of the samples as its spread."""
    rates: dict[str, Measured] = {}
    for group, scales in samples.items():
        if group not in GROUPS or len(scales) < (1 if group in _SURE else NEEDED):
            continue
        middle, low, high = _quartiles(scales)
        for name in GROUPS[group]:
            usual = float(getattr(DEFAULT, name))
            if name in _PER_SECOND:
                rates[name] = Measured(usual / middle, usual / high, usual / low)
            else:
                rates[name] = Measured(usual * middle, usual * low, usual * high)
    return rates


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """(median, lower quartile, upper quartile)."""
    ordered = sorted(values)
    quarter = (len(ordered) - 1) // 4
    return median(ordered), ordered[quarter], ordered[-1 - quarter]
