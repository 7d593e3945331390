"""What of a plan a user's own SparkSession can take over, what it cannot, and what that costs.

Reads a plan's decisions, the facts of a running session and a snapshot; returns an `Applied`. May touch: nothing.
DESIGN.md section 10: a session that is not ours is used as it is, and what could not be set is said. Spark's memory
model: of the heap 300 MiB are Spark's own, `spark.memory.fraction` of the rest is execution and storage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import predict
from vista_nb.optimizer.facts import Facts, gather
from vista_nb.optimizer.memory import Needs, memory_needs
from vista_nb.optimizer.rates import DEFAULT, Rates
from vista_nb.optimizer.reuse import find_reuse
from vista_nb.plan.candidate import Plan
from vista_nb.units import MIB, format_bytes, format_seconds

__all__ = ["Applied", "Setting", "SparkFacts", "apply_to_session"]

_SPARK_OWN = 300 * MIB


@dataclass(frozen=True)
class SparkFacts:
    """A running session. heap: bytes of one executor's heap (of the driver's on a local master).

    outside: bytes of one worker beside the heap that Python workers may use (memory overhead, or what the machine
    has left). cores and executors: task slots of one executor, and how many executors there are.
    """

    heap: int
    outside: int
    cores: int
    executors: int = 1
    memory_fraction: float = 0.6

    @property
    def unified(self) -> int:
        """Execution and Storage Memory together."""
        return round(max(0, self.heap - _SPARK_OWN) * self.memory_fraction)

    @property
    def user(self) -> int:
        return max(0, self.heap - _SPARK_OWN) - self.unified


@dataclass(frozen=True)
class Setting:
    """One decision of the plan. applied: what the session gets, which is `wanted` where nothing stands against it."""

    name: str
    wanted: str
    applied: str
    why: str = ""

    @property
    def kept(self) -> bool:
        return self.wanted == self.applied


@dataclass(frozen=True)
class Applied:
    """plan: as it can run there. settings: every decision. seconds: predicted there; extra: more than planned.

    constraint: the inequality that fails even so, or None: then the session cannot run the plan.
    """

    plan: Plan
    settings: tuple[Setting, ...]
    seconds: float | None
    extra: float | None
    constraint: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """What could not be had, a line each, and what it costs."""
        lines = [f"{s.name}: {s.applied} instead of {s.wanted}, as {s.why}" for s in self.settings if not s.kept]
        if self.constraint is not None:
            lines.append(f"this SparkSession cannot run the plan: {self.constraint}")
        elif self.extra is not None and round(self.extra, 1) > 0:
            lines.append(f"this costs {format_seconds(self.extra)} more than a session of vista_nb's own")
        return tuple(lines)


def apply_to_session(plan: Plan, snapshot: Snapshot, session: SparkFacts, *, rates: Rates = DEFAULT) -> Applied:
    """The plan as a running session can hold it. Join, partitions, persistence, batch and training site always can."""
    facts = gather(snapshot, find_reuse(snapshot), rates)
    wanted = plan.physical
    option = Option(plan.logical, wanted, plan.sizes)
    worker = max(1, memory_needs(option, facts).dl_execution // wanted.cpu)
    nodes = min(wanted.nodes, session.executors)
    there = _fewer_workers(replace(option, physical=replace(wanted, nodes=nodes)), facts, session, worker)
    physical, needs = there.physical, memory_needs(there, facts)
    storage = max(0, session.unified - plan.memory.core)
    applied = replace(plan, physical=physical, memory=replace(plan.memory, storage=storage))
    settings = (*_workers(plan, physical.cpu, nodes, session, worker), *_memory(plan, needs, session, storage))
    constraint = _constraint(needs, session, worker)
    seconds = None if constraint else _seconds(there, needs, storage, facts, session)
    planned = plan.chosen.seconds if plan.chosen else None
    extra = None if seconds is None or planned is None else max(0.0, seconds - planned)
    return Applied(applied, settings, seconds, extra, constraint)


def _fewer_workers(option: Option, facts: Facts, session: SparkFacts, worker: int) -> Option:
    """Fewer inference workers are a semaphore: as many as slots, memory outside and User Memory allow, one at least."""
    most = max(1, min(option.physical.cpu, session.cores, session.outside // worker))
    for cpu in range(most, 0, -1):
        physical = replace(option.physical, cpu=cpu, threads_per_task=max(1, session.cores // cpu))
        option = replace(option, physical=physical)
        if memory_needs(option, facts).user <= session.user:
            break
    return option


def _seconds(option: Option, needs: Needs, storage: int, facts: Facts, session: SparkFacts) -> float:
    """The session's cores and storage in the place of the machine's; a started session costs no start."""
    system = replace(facts.snapshot.system, cores=session.cores, nodes=session.executors)
    there = replace(facts, snapshot=replace(facts.snapshot, system=system))
    spill = max(0, needs.live - storage * option.physical.nodes)
    return round(max(0.0, sum(predict(option, spill, there).by_step)), 3)


def _workers(plan: Plan, cpu: int, nodes: int, session: SparkFacts, worker: int) -> tuple[Setting, ...]:
    wanted = plan.physical
    held = session.outside // worker
    why = f"{format_bytes(session.user)} of User Memory hold no more"
    if cpu == held:
        why = f"{format_bytes(session.outside)} outside the heap hold {held} of {format_bytes(worker)}"
    if cpu == session.cores:
        why = f"it has {session.cores} task slots per executor"
    return (
        Setting("nodes", str(wanted.nodes), str(nodes), f"it has {session.executors} executors"),
        Setting("cpu", str(wanted.cpu), str(cpu), why),
        Setting("join", wanted.join.value, wanted.join.value),
        Setting("num_partitions", str(wanted.num_partitions), str(wanted.num_partitions)),
        Setting("persistence", wanted.persistence.value, wanted.persistence.value),
        Setting("batch_size", str(wanted.batch_size), str(wanted.batch_size)),
        Setting("training", wanted.training.value, wanted.training.value),
    )


def _memory(plan: Plan, needs: Needs, session: SparkFacts, storage: int) -> tuple[Setting, ...]:
    """Sizes of the heap are set when a JVM starts: a running one keeps its own. More than planned is no loss."""
    fixed = "a running JVM keeps its heap"

    def setting(name: str, wanted: int, found: int) -> Setting:
        enough = found >= wanted
        return Setting(name, format_bytes(wanted), format_bytes(wanted if enough else found), "" if enough else fixed)

    return (
        setting("heap", plan.memory.heap, session.heap),
        setting("user", needs.user, session.user),
        setting("storage", min(plan.memory.storage, -(-needs.live // plan.physical.nodes)), storage),
    )


def _constraint(needs: Needs, session: SparkFacts, worker: int) -> str | None:
    if not worker <= session.outside:
        return f"one worker {format_bytes(worker)} <= memory outside the heap {format_bytes(session.outside)}"
    if not needs.user <= session.user:
        return f"user {format_bytes(needs.user)} <= user memory of the heap {format_bytes(session.user)}"
    return None
