"""EXPLAIN as one JSON object.

Reads a plan or the error that there is none; returns dicts of plain values. May touch: nothing.
DESIGN.md section 4, `explain --json`: bytes are integers, names are those of the spec's `plan` key.
"""

from __future__ import annotations

from typing import Any

from vista_nb.errors import NoFeasiblePlan
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.logical import LogicalPlan
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.physical import PhysicalPlan

__all__ = ["infeasible_json", "to_json"]


def to_json(plan: Plan) -> dict[str, Any]:
    """The object of `explain --json`; `driver_node` only where the driver has its own machine."""
    sizes = plan.sizes
    result: dict[str, Any] = {
        "logical": _logical(plan.logical),
        "physical": _physical(plan.physical),
        "memory": _memory(plan.memory),
        "sizes": {
            "t_str": sizes.t_str,
            "t_img": sizes.t_img,
            "t_i": [{"layer": layer, "bytes": size} for layer, size in sizes.t_i],
            "s_single": sizes.s_single,
            "s_double": sizes.s_double,
        },
        "candidates": [_candidate(candidate) for candidate in plan.candidates],
    }
    if plan.driver_node is not None:
        result["driver_node"] = _memory(plan.driver_node)
    return result


def infeasible_json(error: NoFeasiblePlan) -> dict[str, Any]:
    """What `explain --json` prints with exit status 3."""
    return {"error": error.message, "constraint": error.constraint, "smallest_memory": error.smallest_memory}


def _logical(logical: LogicalPlan) -> dict[str, Any]:
    found: dict[str, Any] = {
        "materialization": logical.materialization.value,
        "inference": logical.inference.value,
        "pooling": logical.pooling.value,
        "start_layer": logical.start_layer,
        "waves": logical.waves,
    }
    return found | ({"via": list(logical.via)} if logical.via else {})


def _physical(physical: PhysicalPlan) -> dict[str, Any]:
    return {
        "cpu": physical.cpu,
        "threads_per_task": physical.threads_per_task,
        "num_partitions": physical.num_partitions,
        "batch_size": physical.batch_size,
        "join": physical.join.value,
        "persistence": physical.persistence.value,
        "training": physical.training.value,
        "nodes": physical.nodes,
    }


def _memory(regions: MemoryRegions) -> dict[str, int]:
    return {**dict(regions.items()), "total": regions.total}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        **_logical(candidate.logical),
        **_physical(candidate.physical),
        "feasible": candidate.feasible,
        "seconds": candidate.seconds,
        "interim_seconds": candidate.interim_seconds,
        "first_result_seconds": candidate.first_result_seconds,
        "peak_bytes": candidate.peak_bytes,
        "flops": candidate.flops,
        "why": candidate.why,
        "seconds_low": candidate.seconds_low,
        "seconds_high": candidate.seconds_high,
        "bytes_read": candidate.bytes_read,
        "bytes_shuffled": candidate.bytes_shuffled,
        "bytes_materialized": candidate.bytes_materialized,
        "bytes_spilled": candidate.bytes_spilled,
        "peak": None if candidate.peak is None else _memory(candidate.peak),
    }
