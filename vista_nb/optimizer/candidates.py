"""The space of plans: every combination of decisions that the optimizer weighs.

Reads facts and what the user forces; returns options, not yet admitted nor priced. May touch: nothing.
Paper: section 4.2.2 (logical) and Table 1(B) (physical), widened by pooling's place, batch and training site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from vista_nb.catalog.estimators import training_sites
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.steps import logical_plan
from vista_nb.optimizer.tables import plan_sizes
from vista_nb.plan.logical import Inference, LogicalPlan, Materialization, PoolingPlace
from vista_nb.plan.memory import Sizes
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite

__all__ = [
    "BATCHES",
    "CPU_MAX",
    "P_MAX",
    "RUNNABLE",
    "Option",
    "Shape",
    "allowed_sites",
    "enumerate_options",
    "logical_shapes",
    "partitions",
]

Shape = tuple[Materialization, Inference, PoolingPlace]

RUNNABLE: tuple[Shape, ...] = (
    (Materialization.EAGER, Inference.AFTER_JOIN, PoolingPlace.PUSHED_DOWN),
    (Materialization.STAGED, Inference.AFTER_JOIN, PoolingPlace.PULLED_UP),
)
"""Plans that the executor of this version runs; any other is planned only where the user forces it."""

ALL_SHAPES: tuple[Shape, ...] = tuple(product(Materialization, Inference, PoolingPlace))

CPU_MAX = 8  # workers per node beyond which the paper saw no gain
P_MAX = 100_000_000  # bytes of one partition, at most
BATCHES = (32, 16, 8)  # 32 is the batch that resident memory is measured with


@dataclass(frozen=True)
class Option:
    """One point of the space."""

    logical: LogicalPlan
    physical: PhysicalPlan
    sizes: Sizes


def logical_shapes(snapshot: Snapshot) -> tuple[Shape, ...]:
    """The runnable shapes that agree with what is forced; else all that do."""
    forced = snapshot.workload.spec.plan
    wanted = (forced.materialization, forced.inference, forced.pooling)

    def agrees(shape: Shape) -> bool:
        return all(want is None or want == part.value for want, part in zip(wanted, shape, strict=True))

    return tuple(filter(agrees, RUNNABLE)) or tuple(filter(agrees, ALL_SHAPES))


def allowed_sites(snapshot: Snapshot) -> tuple[TrainingSite, ...]:
    """Where M can be trained with the same result."""
    workload = snapshot.workload
    return tuple(TrainingSite(site) for site in training_sites(workload.call, workload.estimator))


def partitions(s_single: int, cpu: int, nodes: int) -> int:
    """Np = ceil(s_single / (p_max x cpu x nodes)) x cpu x nodes: whole rounds of tasks, none above p_max."""
    slots = cpu * nodes
    return max(1, -(-s_single // (P_MAX * slots))) * slots


def enumerate_options(facts: Facts) -> tuple[Option, ...]:
    """The cross product, in a fixed order."""
    snapshot = facts.snapshot
    options: list[Option] = []
    for shape in logical_shapes(snapshot):
        logical = logical_plan(
            *shape, snapshot.workload.layer_names, facts.reuse, baseline=snapshot.workload.spec.baseline
        )
        sizes = plan_sizes(snapshot, *shape, count_encoded_images=True)
        options += (Option(logical, physical, sizes) for physical in _physical_plans(snapshot, sizes))
    return tuple(options)


def _physical_plans(snapshot: Snapshot, sizes: Sizes) -> list[PhysicalPlan]:
    forced, system = snapshot.workload.spec.plan, snapshot.system
    cpus = (forced.cpu,) if forced.cpu else range(1, min(system.cores, CPU_MAX) + 1)
    batches = (forced.batch_size,) if forced.batch_size else BATCHES
    joins = (JoinOperator(forced.join),) if forced.join else tuple(JoinOperator)
    formats = (Persistence(forced.persistence),) if forced.persistence else tuple(Persistence)
    space = product(cpus, _node_counts(system.nodes), batches, joins, formats, allowed_sites(snapshot))
    return [
        PhysicalPlan(
            cpu=cpu,
            threads_per_task=max(1, system.cores // cpu),
            num_partitions=forced.num_partitions or partitions(sizes.s_single, cpu, nodes),
            batch_size=batch,
            join=join,
            persistence=persistence,
            training=site,
            nodes=nodes,
        )
        for cpu, nodes, batch, join, persistence, site in space
    ]


def _node_counts(nodes: int) -> Sequence[int]:
    """1 .. nodes; on larger clusters powers of two and all, as a few nodes more change little."""
    if nodes <= 4:
        return range(1, nodes + 1)
    return [*(2**k for k in range(nodes.bit_length()) if 2**k < nodes), nodes]
