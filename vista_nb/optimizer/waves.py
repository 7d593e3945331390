"""How many waves the chosen plan runs in: as many as cost at most a tenth of its time.

Reads an option and its cost; returns waves and the seconds that the interim accuracies cost. May touch: nothing.
DESIGN.md section 7, "Waves". `plan: {waves: k}` overrides; with nothing to infer there is nothing to wait for.
"""

from __future__ import annotations

from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import Cost, predict, step_seconds, work_of
from vista_nb.optimizer.facts import Facts
from vista_nb.plan.logical import Infer, Load, Pool, Save, Train
from vista_nb.plan.waves import MOST_WAVES, wave_bounds

__all__ = ["INTERIM_SHARE", "choose_waves", "first_result_seconds", "interim_seconds"]

INTERIM_SHARE = 0.10


def interim_seconds(waves: int, option: Option, facts: Facts) -> float:
    """Training of every layer, and of the baselines, at the end of each wave but the last; what a pass and its saving
    take however few its photos are; and reading a stored cut once more, as a wave's photos lie all over it.
    """
    shares = [high for _, high in wave_bounds(waves)[:-1]]
    trained = sum((predict(option, 0, facts, share).components["train"] for share in shares), 0.0)
    return trained + len(shares) * (_of_no_photo(option, facts) + _reading_the_cut(option, facts))


def _of_no_photo(option: Option, facts: Facts) -> float:
    """Jobs, and parts of the store. (ResNet50's top 5 on 1 000 photos: 1 s for each wave, as much as its training.)"""
    work, steps = work_of(option, 0, facts, 0.0), option.logical.steps
    passes = sum(isinstance(step, Infer) for step in steps)
    again = sum(step_seconds(step, work) for step in steps if isinstance(step, Save | Pool))
    return passes * facts.rates.job_seconds + again


def _reading_the_cut(option: Option, facts: Facts) -> float:
    loads = [isinstance(step, Load) and step.raw for step in option.logical.steps]
    if not any(loads):
        return 0.0
    return sum(s for s, raw in zip(predict(option, 0, facts).by_step, loads, strict=True) if raw)


def choose_waves(option: Option, cost: Cost, facts: Facts) -> tuple[int, float]:
    """(waves, interim seconds): 3, else 2, else 1."""
    forced = facts.snapshot.workload.spec.plan.waves
    if forced:
        return forced, interim_seconds(forced, option, facts)
    most = MOST_WAVES if facts.reuse.images else 1
    for waves in range(most, 1, -1):
        interim = interim_seconds(waves, option, facts)
        if interim <= INTERIM_SHARE * cost.seconds:
            return waves, interim
    return 1, 0.0


def first_result_seconds(waves: int, option: Option, spill: int, facts: Facts) -> float:
    """Until the first layer has an accuracy: the first wave up to its first training."""
    cost = predict(option, spill, facts, wave_bounds(waves)[0][1])
    first = next(k for k, step in enumerate(option.logical.steps) if isinstance(step, Train))
    return cost.until(first + 1)
