"""How many waves the chosen plan runs in: as many as cost at most a tenth of its time.

Reads an option and its cost; returns waves and the seconds that the interim accuracies cost. May touch: nothing.
DESIGN.md section 7, "Waves". `plan: {waves: k}` overrides; with nothing to infer there is nothing to wait for.
"""

from __future__ import annotations

from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import Cost, predict, step_parts, step_seconds, work_of
from vista_nb.optimizer.facts import Facts
from vista_nb.plan.logical import Infer, Load, Pool, Save, Step, Train
from vista_nb.plan.waves import MOST_WAVES, wave_bounds

__all__ = ["INTERIM_SHARE", "choose_waves", "first_result_seconds", "interim_by_step"]

INTERIM_SHARE = 0.10


def interim_by_step(waves: int, option: Option, facts: Facts) -> tuple[float, ...]:
    """What every wave but the last costs more, by step of the plan: the training of every layer; what a pass and its
    saving take however few its photos are; and reading a stored cut once more, as a wave's photos lie all over it.

    ResNet50's top 5 on 1 000 photos: jobs and parts of the store take 1 s a wave, as much as the training.
    """
    shares = [high for _, high in wave_bounds(waves)[:-1]]
    return tuple(sum(_again(step, share, option, facts) for share in shares) for step in option.logical.steps)


def _again(step: Step, share: float, option: Option, facts: Facts) -> float:
    """The table alone is trained once, on all rows."""
    match step:
        case Train():
            parts = step_parts(step, work_of(option, 0, facts, share))
            return sum(seconds for name, seconds in parts if name == "train")
        case Infer():
            return facts.rates.job_seconds
        case Save() | Pool():
            return step_seconds(step, work_of(option, 0, facts, 0.0))
        case Load() if step.raw:
            return step_seconds(step, work_of(option, 0, facts))
    return 0.0


def choose_waves(option: Option, cost: Cost, facts: Facts) -> tuple[int, tuple[float, ...]]:
    """(waves, interim seconds by step): 3, else 2, else 1."""
    forced = facts.snapshot.workload.spec.plan.waves
    if forced:
        return forced, interim_by_step(forced, option, facts)
    most = MOST_WAVES if facts.reuse.images else 1
    for waves in range(most, 1, -1):
        interim = interim_by_step(waves, option, facts)
        if sum(interim) <= INTERIM_SHARE * cost.seconds:
            return waves, interim
    return 1, interim_by_step(1, option, facts)


def first_result_seconds(waves: int, option: Option, spill: int, facts: Facts) -> float:
    """Until the first layer has an accuracy: the first wave up to its first training."""
    cost = predict(option, spill, facts, wave_bounds(waves)[0][1])
    first = next(k for k, step in enumerate(option.logical.steps) if isinstance(step, Train))
    return cost.until(first + 1)
