"""One plan the optimizer looked at, chosen or not, and the chosen plan as a whole.

Reads nothing, returns frozen values. May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vista_nb.plan.logical import LogicalPlan
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.plan.physical import PhysicalPlan

__all__ = ["Candidate", "Plan"]


@dataclass(frozen=True)
class Candidate:
    """seconds: predicted, at one wave; interim_seconds: what further waves cost more; first_result_seconds: until the
    first accuracy.

    peak_bytes: the most one worker holds; flops: of the whole run; why: for a rejected plan the inequality that
    failed or by how much it loses, None for the chosen one. seconds, first_result_seconds and flops are None
    in the profile `sigmod2020`, which predicts no time. seconds_low, seconds_high: all rates at the ends of their
    spread. bytes_*: over all nodes and the whole run (`optimizer.volumes`). peak: peak_bytes by region.
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
    seconds_low: float | None = None
    seconds_high: float | None = None
    bytes_read: int | None = None
    bytes_shuffled: int | None = None
    bytes_materialized: int | None = None
    bytes_spilled: int | None = None
    peak: MemoryRegions | None = None


@dataclass(frozen=True)
class Plan:
    """What the executor obeys and the views draw.

    profile: default | sigmod2020. seconds_by_step: (title, predicted seconds) in execution order; start_seconds: before
    the first of them, until the engines are up; interim_by_step: what the waves before the last add to each.
    ladder: physical plans to fall back to on memory trouble, mildest first, so that the executor never plans.
    driver_node: on a cluster the regions of the driver's own machine, else None.
    model, cnn: names for people. notes: sentences for the user. looked_at: points of the space that were weighed, of
    which `candidates` are the best of their kind. store: what is stored of the layers, and why it is used or not.
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
    looked_at: int = 0
    store: tuple[str, ...] = ()
    start_seconds: float | None = None
    interim_by_step: tuple[float, ...] = ()

    def __str__(self) -> str:
        """EXPLAIN: what `print(vista_nb.explain(...))` is for."""
        from vista_nb.plan.explain import explain  # which reads plans, so it cannot be above

        return explain(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 (IPython's form)
        printer.text(str(self))
