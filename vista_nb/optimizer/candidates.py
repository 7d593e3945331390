"""The space of plans: every combination of decisions that the optimizer weighs.

Reads facts and what the user forces; returns logical plans and physical options, not yet admitted nor priced.
May touch: nothing. Paper: section 4.2.2 (logical) and Table 1(B) (physical), widened by pooling's place, stored raw
layers to start from, nodes, batch and training site. `search` walks the physical half without building it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from vista_nb.catalog.estimators import training_sites
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.reuse import starts
from vista_nb.optimizer.steps import logical_plan
from vista_nb.optimizer.stopovers import stopovers
from vista_nb.optimizer.tables import plan_sizes
from vista_nb.plan.logical import Inference, LogicalPlan, Materialization, PoolingPlace
from vista_nb.plan.memory import Sizes
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite

__all__ = [
    "BATCHES",
    "CPU_MAX",
    "EVERYTHING",
    "P_MAX",
    "Option",
    "Outline",
    "PhysicalSpace",
    "Shape",
    "Space",
    "allowed_sites",
    "enumerate_options",
    "logical_shapes",
    "node_counts",
    "outlines",
    "partitions",
    "physical_plan",
    "physical_space",
]

Shape = tuple[Materialization, Inference, PoolingPlace]


@dataclass(frozen=True)
class Space:
    """The logical plans to weigh, each from images and from every stored raw layer that lies low enough.

    stopovers: whether a staged plan may pass through untrained layers.
    """

    shapes: tuple[Shape, ...]
    stopovers: bool = False


EVERYTHING = Space(tuple(product(Materialization, Inference, PoolingPlace)), stopovers=True)
"""All twelve shapes; the executor runs each."""

CPU_MAX = 8  # workers per node beyond which the paper saw no gain
P_MAX = 100_000_000  # bytes of one partition, at most
BATCHES = (32, 16, 8, 4, 2, 1)  # 32 is the batch that resident memory is measured with


@dataclass(frozen=True)
class Outline:
    """A logical plan with its table sizes: half of an option."""

    logical: LogicalPlan
    sizes: Sizes


@dataclass(frozen=True)
class Option:
    """One point of the space."""

    logical: LogicalPlan
    physical: PhysicalPlan
    sizes: Sizes


@dataclass(frozen=True)
class PhysicalSpace:
    """What each physical decision may be, the preferred value of a tie first where ties are broken by value."""

    cpus: tuple[int, ...]
    nodes: tuple[int, ...]
    batches: tuple[int, ...]
    joins: tuple[JoinOperator, ...]
    formats: tuple[Persistence, ...]
    sites: tuple[TrainingSite, ...]

    @property
    def thriftiest(self) -> PhysicalSpace:
        """The part that needs least memory for each cpu: every need falls with nodes, and grows with the batch."""
        return replace(self, nodes=(max(self.nodes),), batches=(min(self.batches),))

    @property
    def points(self) -> int:
        """How many combinations there are."""
        fields = (self.cpus, self.nodes, self.batches, self.joins, self.formats, self.sites)
        count = 1
        for field in fields:
            count *= len(field)
        return count


def logical_shapes(snapshot: Snapshot, space: Space = EVERYTHING) -> tuple[Shape, ...]:
    """The shapes of the space that agree with what is forced; where none does, all that do."""
    forced = snapshot.workload.spec.plan
    wanted = (forced.materialization, forced.inference, forced.pooling)

    def agrees(shape: Shape) -> bool:
        return all(want is None or want == part.value for want, part in zip(wanted, shape, strict=True))

    return tuple(filter(agrees, space.shapes)) or tuple(filter(agrees, EVERYTHING.shapes))


def allowed_sites(snapshot: Snapshot) -> tuple[TrainingSite, ...]:
    """Where M can be trained with the same result."""
    workload = snapshot.workload
    chosen = training_sites(workload.call, workload.estimator, workload.spec.tune)
    sites = tuple(TrainingSite(site) for site in chosen)
    forced = workload.spec.plan.training
    return tuple(site for site in sites if site.value == forced) or sites


def partitions(s_single: int, cpu: int, nodes: int) -> int:
    """Np = ceil(s_single / (p_max x cpu x nodes)) x cpu x nodes: whole rounds of tasks, none above p_max."""
    slots = cpu * nodes
    return max(1, -(-s_single // (P_MAX * slots))) * slots


def outlines(facts: Facts, space: Space = EVERYTHING) -> tuple[Outline, ...]:
    """Every logical plan: shape x where it starts, in a fixed order."""
    snapshot = facts.snapshot
    names, baseline = snapshot.workload.layer_names, snapshot.workload.spec.baseline
    found = []
    for shape in logical_shapes(snapshot, space):
        staged = space.stopovers and shape[0] is Materialization.STAGED
        for reuse in starts(snapshot, facts.reuse):
            for stops in stopovers(facts, reuse) if staged else ((),):
                logical = logical_plan(*shape, names, reuse, baseline=baseline, stops=stops)
                sizes = plan_sizes(snapshot, *shape, count_encoded_images=True, via=logical.via)
                found.append(Outline(logical, sizes))
    return tuple(found)


def physical_space(snapshot: Snapshot, *, every_node_count: bool = False) -> PhysicalSpace:
    """What the user leaves open. every_node_count: 1 .. nodes one by one, for checking the pruned search."""
    forced, system = snapshot.workload.spec.plan, snapshot.system
    return PhysicalSpace(
        cpus=(forced.cpu,) if forced.cpu else tuple(range(1, min(system.cores, CPU_MAX) + 1)),
        nodes=tuple(range(1, system.nodes + 1)) if every_node_count else tuple(node_counts(system.nodes)),
        batches=(forced.batch_size,) if forced.batch_size else BATCHES,
        joins=(JoinOperator(forced.join),) if forced.join else (JoinOperator.BROADCAST, JoinOperator.SHUFFLE),
        formats=(
            (Persistence(forced.persistence),)
            if forced.persistence
            else (Persistence.DESERIALIZED, Persistence.SERIALIZED)
        ),
        sites=tuple(sorted(allowed_sites(snapshot), reverse=True)),
    )


def node_counts(nodes: int) -> Sequence[int]:
    """Powers of two and all of them: between two powers more nodes are never worse.

    Whatever costs more on more nodes is sent along a tree of depth ceil(log2 nodes), which is the same from one power
    of two (exclusive) to the next; everything else, and the memory needed per node, only falls. So the largest
    count of each such range dominates the range (docs/adr/0009).
    """
    return [*(2**k for k in range(nodes.bit_length()) if 2**k < nodes), nodes]


def physical_plan(
    snapshot: Snapshot,
    sizes: Sizes,
    *,
    cpu: int,
    nodes: int,
    batch: int,
    join: JoinOperator,
    persistence: Persistence,
    site: TrainingSite,
) -> PhysicalPlan:
    """The decisions with what follows from them: threads and partitions."""
    return PhysicalPlan(
        cpu=cpu,
        threads_per_task=max(1, snapshot.system.cores // cpu),
        num_partitions=snapshot.workload.spec.plan.num_partitions or partitions(sizes.s_single, cpu, nodes),
        batch_size=batch,
        join=join,
        persistence=persistence,
        training=site,
        nodes=nodes,
    )


def enumerate_options(facts: Facts, space: Space = EVERYTHING, *, every_node_count: bool = False) -> Iterator[Option]:
    """The whole cross product, one by one: what the pruned search must agree with."""
    snapshot = facts.snapshot
    free = physical_space(snapshot, every_node_count=every_node_count)
    for outline in outlines(facts, space):
        fields = (free.cpus, free.nodes, free.batches, free.joins, free.formats, free.sites)
        for chosen in product(*fields):
            named = dict(zip(("cpu", "nodes", "batch", "join", "persistence", "site"), chosen, strict=True))
            physical = physical_plan(snapshot, outline.sizes, **named)  # type: ignore[arg-type]
            yield Option(outline.logical, physical, outline.sizes)
