"""Where the plan changes as memory, nodes or cores vary: a what-if over a range.

Reads a snapshot and a range; returns a `Variation`. May touch: nothing. DESIGN.md section 7. Plans are made on a coarse
grid, then halfway between neighbours that differ until the change is known to 1 % (whole nodes and cores exactly).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.errors import NoFeasiblePlan
from vista_nb.plan.candidate import Plan
from vista_nb.plan.variation import Segment, Variation

__all__ = ["VARIED", "vary"]

VARIED = ("memory", "nodes", "cores")
_GRID = 12  # steps between which the plan is taken to change at most once
_FINE = 100  # a change is known to 1 / 100 of its place


@dataclass(frozen=True)
class _Tried:
    plan: Plan | None
    constraint: str
    signature: tuple[object, ...]


def vary(snapshot: Snapshot, key: str, low: int, high: int, plan: Callable[[Snapshot], Plan]) -> Variation:
    """Every plan chosen for `key` from low to high. Raises ValueError for another key or an empty range."""
    if key not in VARIED or not 0 < low <= high:
        raise ValueError(f"cannot vary {key} from {low} to {high}")
    tried: dict[int, _Tried] = {}

    def at(value: int) -> _Tried:
        if value not in tried:
            tried[value] = _try(_with(snapshot, key, value), key, plan)
        return tried[value]

    for left, right in pairwise(_grid(low, high)):
        _refine(left, right, at, 1 if key != "memory" else _FINE)
    at(low)
    found = sorted(tried.items())
    points = tuple((value, _seconds(one.plan)) for value, one in found)
    return Variation(key, _segments(found), points)


def _with(snapshot: Snapshot, key: str, value: int) -> Snapshot:
    changes: dict[str, object] = {key: value}
    if key == "nodes" and value > 1 and snapshot.system.is_local:
        changes["master"] = "cluster"  # more than one node is never local
    if key == "nodes" and value == 1 and snapshot.workload.spec.resources.master is None:
        changes |= {"master": "local", "driver_memory": None}  # as `resources: {nodes: 1}` is planned
    return replace(snapshot, system=replace(snapshot.system, **changes))  # type: ignore[arg-type]


def _try(snapshot: Snapshot, key: str, plan: Callable[[Snapshot], Plan]) -> _Tried:
    try:
        found = plan(snapshot)
    except NoFeasiblePlan as error:
        return _Tried(None, error.constraint, ())
    return _Tried(found, "", _signature(found, key))


def _signature(plan: Plan, key: str) -> tuple[object, ...]:
    """What makes two plans the same: the decisions, without what follows from the varied number by itself."""
    logical, physical = plan.logical, plan.physical
    shape = (logical.materialization, logical.inference, logical.pooling, logical.start_layer, logical.waves)
    rest = (physical.cpu, physical.batch_size, physical.join, physical.persistence, physical.training)
    nodes = physical.nodes == plan.nodes if key == "nodes" else physical.nodes
    return (*shape, *rest, nodes)


def _grid(low: int, high: int) -> list[int]:
    """About evenly spaced in ratio, whole, both ends in."""
    ratio = (high / low) ** (1 / _GRID)
    return sorted({low, high, *(round(low * ratio**k) for k in range(1, _GRID))})


def _refine(left: int, right: int, at: Callable[[int], _Tried], fine: int) -> None:
    """Between two values that differ, try halfway until they are as near as asked."""
    near = 1 if fine == 1 else max(1, left // fine)
    if at(left).signature != at(right).signature and right - left > near:
        middle = (left + right) // 2
        _refine(left, middle, at, fine)
        _refine(middle, right, at, fine)


def _segments(found: list[tuple[int, _Tried]]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    signature: tuple[object, ...] | None = None
    for value, one in found:
        if segments and one.signature == signature:
            segments[-1] = replace(segments[-1], high=value, last=one.plan)
        else:
            segments.append(Segment(value, value, one.plan, one.plan, one.constraint))
        signature = one.signature
    return tuple(segments)


def _seconds(plan: Plan | None) -> float | None:
    return plan.chosen.seconds if plan is not None and plan.chosen is not None else None
