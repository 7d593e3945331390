"""Which of two options is better, and why the other loses.

Reads priced options; returns an order and sentences. May touch: nothing. DESIGN.md section 7: least predicted
seconds; ties by smaller peak, then eager, staged, lazy; pushed_down; after_join; broadcast; deserialized; driver;
smaller cpu; smaller batch; fewer nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import COMPONENTS, Cost
from vista_nb.optimizer.memory import Admission
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite
from vista_nb.units import format_bytes, format_seconds

__all__ = ["Priced", "order", "preference", "why_it_lost"]


@dataclass(frozen=True)
class Priced:
    """One option with its admission and cost. seconds are rounded to milliseconds, so that ties are ties."""

    option: Option
    admission: Admission
    cost: Cost

    @property
    def seconds(self) -> float:
        return round(self.cost.seconds, 3)

    @property
    def peak_bytes(self) -> int:
        return self.admission.peak(self.option.physical.nodes).total


_PREFERRED: dict[object, int] = {
    choice: place
    for choices in (
        (Materialization.EAGER, Materialization.STAGED, Materialization.LAZY),
        (PoolingPlace.PUSHED_DOWN, PoolingPlace.PULLED_UP),
        (Inference.AFTER_JOIN, Inference.BEFORE_JOIN),
        (JoinOperator.BROADCAST, JoinOperator.SHUFFLE),
        (Persistence.DESERIALIZED, Persistence.SERIALIZED),
        (TrainingSite.DRIVER, TrainingSite.CLUSTER),
    )
    for place, choice in enumerate(choices)
}


def order(priced: Priced) -> tuple[float | int, ...]:
    """Sort key: the smallest is the best."""
    logical, physical = priced.option.logical, priced.option.physical
    choices = (
        logical.materialization,
        logical.pooling,
        logical.inference,
        physical.join,
        physical.persistence,
        physical.training,
    )
    preferred = (preference(choice) for choice in choices)
    return (priced.seconds, priced.peak_bytes, *preferred, physical.cpu, physical.batch_size, physical.nodes)


def preference(choice: object) -> int:
    """Place of a decision among its alternatives, where predictions are equal; 0 is preferred."""
    return _PREFERRED[choice]


def why_it_lost(priced: Priced, best: Priced) -> str:
    """By how much the option is slower than the chosen one, and on what it spends that time."""
    if priced.admission.constraint is not None:
        return priced.admission.constraint
    slower = round(priced.seconds - best.seconds, 3)
    if slower <= 0:
        return _tie(priced, best)
    mine, other = priced.cost.components, best.cost.components
    worst = max(COMPONENTS, key=lambda name: mine[name] - other[name])
    return f"{_plus(slower)}, most of it {COMPONENTS[worst]} ({_plus(mine[worst] - other[worst])})"


def _tie(priced: Priced, best: Priced) -> str:
    more = priced.peak_bytes - best.peak_bytes
    return f"as fast, but {format_bytes(more)} more memory" if more > 0 else "as fast; the tie goes to the simpler plan"


def _plus(seconds: float) -> str:
    return f"+{round(seconds * 1000)} ms" if seconds < 0.95 else f"+{format_seconds(seconds)}"
