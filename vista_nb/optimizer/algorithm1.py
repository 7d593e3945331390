"""Algorithm 1 of the paper, as published: the profile `sigmod2020`.

Reads a snapshot, returns a plan; raises NoFeasiblePlan. May touch: nothing. Paper: section 4.3, Algorithm 1 and
equations 9 to 15; DESIGN.md section 7, "Profile sigmod2020". The plan is Staged, inference after join, pooling
pulled up (raw lengths count), unless the user forces another shape. docs/adr/0003 says how line 15 is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import CPU_MAX, allowed_sites, partitions
from vista_nb.optimizer.changes import changes_that_fit
from vista_nb.optimizer.facts import given, model_bytes
from vista_nb.optimizer.infeasible import hint_words, slack_words
from vista_nb.optimizer.ladder import fallback_ladder
from vista_nb.optimizer.reuse import no_reuse
from vista_nb.optimizer.smallest import smallest_memory
from vista_nb.optimizer.steps import logical_plan
from vista_nb.optimizer.tables import plan_sizes
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.logical import Inference, LogicalPlan, Materialization, PoolingPlace
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite
from vista_nb.units import GB, MB, format_bytes

__all__ = ["Footprint", "Trial", "line_15", "plan_sigmod2020", "try_cpu"]

OS_RSV = 3 * GB
CORE = 2_400 * MB
B_MAX = 100 * MB
ALPHA = 2
BATCH = 32


@dataclass(frozen=True)
class Footprint:
    """|f|_ser, |f|_mem, |f|_mem_gpu, |M|_mem, |M|_mem_gpu in bytes. model_in_dl: cases 10(b), 11(b)."""

    f_ser: int
    f_mem: int
    f_gpu: int
    m_mem: int
    m_gpu: int
    model_in_dl: bool = False


@dataclass(frozen=True)
class Trial:
    """One x of the linear search. why: the inequality that failed, or None."""

    cpu: int
    num_partitions: int
    regions: MemoryRegions
    why: str | None


def line_15(storage: int, s_double: int, nodes: int) -> Persistence:
    """Line 15 read per node, as equation 7: serialized iff storage < s_double / nodes."""
    return Persistence.SERIALIZED if storage * nodes < s_double else Persistence.DESERIALIZED


def try_cpu(cpu: int, system: SystemFacts, sizes: Sizes, foot: Footprint, forced_np: int | None = None) -> Trial:
    """Lines 6 to 14 for one x: partitions, worker and User Memory, what is left for Storage Memory."""
    count = forced_np or partitions(sizes.s_single, cpu, system.nodes)
    dl_execution = cpu * (max(foot.f_mem, foot.m_mem) if foot.model_in_dl else foot.f_mem)
    user = foot.f_ser + cpu * ALPHA * -(-sizes.s_single // count)
    if not foot.model_in_dl:
        user = max(user, cpu * foot.m_mem)
    storage = system.memory - OS_RSV - dl_execution - user - CORE
    regions = MemoryRegions(OS_RSV, 0, dl_execution, user, CORE, storage)
    return Trial(cpu, count, regions, _failure(cpu, system, regions, foot))


def _failure(cpu: int, system: SystemFacts, regions: MemoryRegions, foot: Footprint) -> str | None:
    gpu = cpu * max(foot.f_gpu, foot.m_gpu)
    if system.gpu_memory and not gpu < system.gpu_memory:
        return f"cpu x max(f_gpu, M_gpu) {format_bytes(gpu)} < mem_gpu {format_bytes(system.gpu_memory)}"
    worker = system.memory - regions.os_reserved - regions.dl_execution
    if not worker - regions.user > regions.core:
        return (
            f"worker {format_bytes(worker)} - user {format_bytes(regions.user)} > core {format_bytes(regions.core)} "
            f"(cpu {cpu}; short by {format_bytes(-regions.storage)})"
        )
    return None


def plan_sigmod2020(snapshot: Snapshot) -> Plan:
    """Search x from min(cpu_sys, cpu_max) - 1 down to 1; the first feasible x is the plan."""
    logical, sizes = _logical(snapshot)
    foot, system = _footprint(snapshot), snapshot.system
    trials = _trials(snapshot, sizes, foot)
    candidates = tuple(_candidate(trial, snapshot, logical, sizes) for trial in trials)
    found = next(((t, c) for t, c in zip(trials, candidates, strict=True) if c.feasible), None)
    if found is None:
        raise _infeasible(snapshot, trials[-1], sizes, foot)
    trial, chosen = found
    workload = snapshot.workload
    return Plan(
        profile="sigmod2020",
        cnn=workload.cnn.name,
        layers=workload.layer_names,
        model=str(workload.call),
        pool=workload.pool.value,
        logical=chosen.logical,
        physical=chosen.physical,
        memory=trial.regions,
        sizes=sizes,
        candidates=candidates,
        ladder=fallback_ladder(chosen.physical, system.cores),
        chosen=chosen,
        rows=snapshot.statistics.rows,
        images=snapshot.images,
        nodes=system.nodes,
        notes=workload.notes,
    )


def _search_range(snapshot: Snapshot) -> range | tuple[int]:
    forced = snapshot.workload.spec.plan.cpu
    if forced:
        return (forced,)
    # one core is held back for the system; a one-core machine has none to spare
    return range(max(1, min(snapshot.system.cores, CPU_MAX) - 1), 0, -1)


def _logical(snapshot: Snapshot) -> tuple[LogicalPlan, Sizes]:
    forced = snapshot.workload.spec.plan
    shape = (
        Materialization(forced.materialization or "staged"),
        Inference(forced.inference or "after_join"),
        PoolingPlace(forced.pooling or "pulled_up"),
    )
    names, baseline = snapshot.workload.layer_names, snapshot.workload.spec.baseline
    logical = logical_plan(*shape, names, no_reuse(snapshot), baseline=baseline)
    logical = replace(logical, waves=forced.waves or 1)
    return logical, plan_sizes(snapshot, *shape, count_encoded_images=False)


def _footprint(snapshot: Snapshot) -> Footprint:
    """The published constants of the roster, unless the spec's statistics override them."""
    cnn, stats = snapshot.workload.cnn, snapshot.statistics
    return Footprint(
        f_ser=given(stats.cnn_serialized, given(cnn.paper_serialized, cnn.serialized)),
        f_mem=given(stats.cnn_resident, given(cnn.paper_resident, cnn.resident)),
        f_gpu=given(stats.cnn_gpu, cnn.gpu),
        m_mem=model_bytes(snapshot),
        m_gpu=given(stats.model_gpu, 0),
        model_in_dl=snapshot.workload.estimator.family == "deep",
    )


def _candidate(trial: Trial, snapshot: Snapshot, logical: LogicalPlan, sizes: Sizes) -> Candidate:
    forced, system = snapshot.workload.spec.plan, snapshot.system
    storage = trial.regions.storage
    broadcast = JoinOperator.BROADCAST if sizes.t_str < B_MAX else JoinOperator.SHUFFLE
    sites = allowed_sites(snapshot)
    physical = PhysicalPlan(
        cpu=trial.cpu,
        threads_per_task=max(1, system.cores // trial.cpu),
        num_partitions=trial.num_partitions,
        batch_size=forced.batch_size or BATCH,
        join=JoinOperator(forced.join) if forced.join else broadcast,
        persistence=(
            Persistence(forced.persistence) if forced.persistence else line_15(storage, sizes.s_double, system.nodes)
        ),
        # the published system trains in the cluster; scikit-learn estimators cannot
        training=TrainingSite.CLUSTER if TrainingSite.CLUSTER in sites else sites[0],
        nodes=system.nodes,
    )
    peak = replace(trial.regions, storage=0)
    return Candidate(logical, physical, trial.why is None, peak.total, why=trial.why, peak=peak)


def _infeasible(snapshot: Snapshot, last: Trial, sizes: Sizes, foot: Footprint) -> NoFeasiblePlan:
    """X = 1 needs least: its inequality; every x's slack; the smallest memory at which any x passes."""
    curable = [trial for trial in _trials(snapshot, sizes, foot) if trial.why is None or "mem_gpu" not in trial.why]
    need = [trial.regions.total - trial.regions.storage for trial in curable]
    memory = smallest_memory(lambda total: any(total > bytes_ for bytes_ in need)) if need else None
    slack = tuple(sorted((trial.cpu, trial.regions.storage) for trial in curable))
    changes = changes_that_fit(snapshot, _fits)
    assert last.why is not None
    hint = hint_words(memory, changes) if memory or changes else "it takes a GPU with more memory"
    message = f"no plan fits (profile sigmod2020): {last.why}{slack_words(slack)}"
    return NoFeasiblePlan(message, last.why, memory, hint, slack=slack, changes=changes)


def _trials(snapshot: Snapshot, sizes: Sizes, foot: Footprint) -> list[Trial]:
    forced = snapshot.workload.spec.plan.num_partitions
    return [try_cpu(x, snapshot.system, sizes, foot, forced) for x in _search_range(snapshot)]


def _fits(snapshot: Snapshot) -> bool:
    _, sizes = _logical(snapshot)
    return any(trial.why is None for trial in _trials(snapshot, sizes, _footprint(snapshot)))
