"""One plan the optimizer looked at, chosen or not, and the chosen plan as a whole.

Reads nothing, returns frozen values. May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.plan.logical import LogicalPlan
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.plan.physical import PhysicalPlan

__all__ = ["Candidate", "Plan"]


@dataclass(frozen=True)
class Candidate:
    """seconds: predicted, interim training left out; first_result_seconds: until the first accuracy.

    peak_bytes: the most one worker holds; flops: of the whole run; why: for a rejected plan the inequality that
    failed or by how much it loses, None for the chosen one. seconds, first_result_seconds and flops are None
    in the profile `sigmod2020`, which predicts no time.
    """

    logical: LogicalPlan
    physical: PhysicalPlan
    feasible: bool
    peak_bytes: int
    seconds: float | None = None
    interim_seconds: float = 0.0
    first_result_seconds: float | None = None
    flops: int | None = None
    why: str | None = None


@dataclass(frozen=True)
class Plan:
    """What the executor obeys and the views draw.

    profile: default | sigmod2020. seconds_by_step: (title, predicted seconds) in execution order.
    ladder: physical plans to fall back to on memory trouble, mildest first, so that the executor never plans.
    driver_node: on a cluster the regions of the driver's own machine, else None.
    model, cnn: names for people. notes: sentences for the user.
    """

    profile: str
    cnn: str
    layers: tuple[str, ...]
    model: str
    pool: str
    logical: LogicalPlan
    physical: PhysicalPlan
    memory: MemoryRegions
    sizes: Sizes
    candidates: tuple[Candidate, ...]
    ladder: tuple[PhysicalPlan, ...] = ()
    seconds_by_step: tuple[tuple[str, float], ...] = ()
    chosen: Candidate | None = None
    rows: int = 0
    images: int = 0
    nodes: int = 1
    driver_node: MemoryRegions | None = None
    notes: tuple[str, ...] = ()
