"""How much memory each region of a worker needs, and whether an option fits.

Reads an option and the facts; returns regions, and the first inequality that fails. May touch: nothing.
Paper: section 4.1, equations 9 to 15, with this project's processes: TensorFlow lives in Python workers outside
the JVM's heap (dl_execution = cpu x resident memory of one worker), user + core + storage are the heap, `driver`
is the notebook's kernel. On a local master all six regions share one machine; on a cluster the driver has its own.
Small machines: docs/adr/0005. Strict inequalities: docs/adr/0004.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.facts import Facts, given
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite
from vista_nb.units import GB, MB, format_bytes

__all__ = ["B_MAX", "Admission", "Needs", "admit", "memory_needs", "reserved", "worker_resident"]

ALPHA = 2  # bytes in the heap per byte of a partition that a task works on
B_MAX = 100 * MB  # largest table worth broadcasting

REFERENCE = 32 * GB  # the paper's machine, where os_rsv is 3 GB and core 2.4 GB
OS_FLOOR = 200 * MB  # the JVM's memory outside its heap, Spark's Python daemon
CORE_FLOOR = 480 * MB  # Spark refuses a heap under 471 859 200 bytes
DRIVER_BASE = 200 * MB  # kernel with pandas, pyarrow, matplotlib (140 MB) and the collected results
TF_IMPORTED = 650 * MB  # one worker before it loads a CNN
BATCH_OF_ROSTER = 32  # the batch at which the roster's resident memory was measured
DRIVER_BYTES_PER_VALUE = 4 + 8 + 8  # Arrow float, its double, the standardized copy
RESULT_BYTES_PER_ROW = 200


@dataclass(frozen=True)
class Needs:
    """Bytes that do not depend on how much memory there is. live: of materialized tables, over all nodes."""

    driver: int
    dl_execution: int
    user: int
    live: int


@dataclass(frozen=True)
class Admission:
    """regions: storage is what is left (negative where it does not fit). constraint: the failed inequality, or None.

    slack: bytes by which that inequality misses (negative). of_worker: more worker memory would cure it.
    spill: live bytes beyond Storage Memory, over all nodes. driver_node: on a cluster, else None.
    """

    regions: MemoryRegions
    driver_node: MemoryRegions | None
    needs: Needs
    spill: int
    constraint: str | None = None
    slack: int = 0
    of_worker: bool = True

    @property
    def feasible(self) -> bool:
        return self.constraint is None

    def peak_bytes(self, nodes: int) -> int:
        """The most one worker holds: every region whole, storage as far as live tables fill it."""
        regions = self.regions
        return regions.total - regions.storage + max(0, min(regions.storage, -(-self.needs.live // nodes)))


def reserved(memory: int) -> tuple[int, int]:
    """(os_reserved, core): the paper's 3 GB and 2.4 GB of 32 GB in proportion, capped there, with floors.

    Core is the rest of their sum, so that memory left over never shrinks when memory grows.
    """
    scaled = min(memory, REFERENCE)
    os_share, both = scaled * 15 // 160, scaled * 27 // 160
    return max(OS_FLOOR, os_share), max(CORE_FLOOR, both - os_share)


def worker_resident(facts: Facts, batch_size: int) -> int:
    """Resident memory of one inference worker: what a batch holds shrinks with it, TensorFlow and weights do not."""
    cnn, stats = facts.snapshot.workload.cnn, facts.snapshot.statistics
    resident = given(stats.cnn_resident, cnn.resident)
    fixed = TF_IMPORTED + given(stats.cnn_serialized, cnn.serialized)
    of_batch = max(0, resident - fixed)
    return resident - of_batch + -(-of_batch * batch_size // BATCH_OF_ROSTER)


def memory_needs(option: Option, facts: Facts) -> Needs:
    """What the option needs whatever the machine: equations 10 and 11, and the tables that live at once."""
    physical, sizes = option.physical, option.sizes
    task = ALPHA * -(-sizes.s_single // physical.num_partitions)
    on_cluster = physical.training is TrainingSite.CLUSTER
    model_in_heap = on_cluster and not facts.model_in_dl
    return Needs(
        driver=_driver_bytes(physical, facts, sizes.t_str),
        dl_execution=physical.cpu * _dl_bytes(physical, facts),
        user=physical.cpu * max(task, facts.model_bytes if model_in_heap else 0),
        live=_live_bytes(option, facts),
    )


def _dl_bytes(physical: PhysicalPlan, facts: Facts) -> int:
    """max(|f|_mem, |M|_mem) of one worker; nothing where every feature is stored and M is no deep model."""
    resident = worker_resident(facts, physical.batch_size) if facts.reuse.images else 0
    in_dl = facts.model_in_dl and physical.training is TrainingSite.CLUSTER
    return max(resident, facts.model_bytes) if in_dl else resident


def _driver_bytes(physical: PhysicalPlan, facts: Facts, t_str: int) -> int:
    rows = facts.snapshot.statistics.rows
    collected = rows * RESULT_BYTES_PER_ROW
    if physical.training is TrainingSite.DRIVER:
        collected += rows * facts.widest * DRIVER_BYTES_PER_VALUE + facts.model_bytes
    return DRIVER_BASE + collected + (t_str if physical.join is JoinOperator.BROADCAST else 0)


def _live_bytes(option: Option, facts: Facts) -> int:
    """s_double as stored, and the blocks in doubles that pyspark.ml caches while it trains."""
    percent = facts.rates.serialized_percent if option.physical.persistence is Persistence.SERIALIZED else 100
    live = -(-option.sizes.s_double * percent // 100)
    blocks = 8 * facts.train_rows * facts.widest if option.physical.training is TrainingSite.CLUSTER else 0
    return live + blocks


def admit(option: Option, facts: Facts, needs: Needs | None = None) -> Admission:
    """Apportion memory and name the first inequality that fails, if any."""
    needs = needs or memory_needs(option, facts)
    system, nodes = facts.snapshot.system, option.physical.nodes
    os_reserved, core = reserved(system.memory)
    driver = needs.driver if system.is_local else 0
    storage = system.memory - os_reserved - driver - needs.dl_execution - needs.user - core
    regions = MemoryRegions(os_reserved, driver, needs.dl_execution, needs.user, core, storage)
    spill = max(0, needs.live - max(0, storage) * nodes)
    driver_node = None if system.is_local else _driver_node(system.driver_memory, needs.driver)
    failed = _failure(option, facts, needs, regions, driver_node, spill)
    constraint, slack, of_worker = failed or (None, 0, True)
    return Admission(regions, driver_node, needs, spill, constraint, slack, of_worker)


def _driver_node(memory: int | None, needed: int) -> MemoryRegions:
    """The driver's own machine: what the system keeps, the kernel, the driver's JVM. Unknown memory: as needed."""
    os_reserved, core = (OS_FLOOR, CORE_FLOOR) if memory is None else reserved(memory)
    driver = needed if memory is None else memory - os_reserved - core
    return MemoryRegions(os_reserved, driver, 0, 0, core, 0)


def _failure(
    option: Option,
    facts: Facts,
    needs: Needs,
    regions: MemoryRegions,
    driver_node: MemoryRegions | None,
    spill: int,
) -> tuple[str, int, bool] | None:
    """(inequality, slack, whether worker memory cures it) of the first failed constraint."""
    system, physical, sizes = facts.snapshot.system, option.physical, option.sizes
    gpu = _gpu_bytes(physical, facts)
    if system.gpu_memory and not gpu < system.gpu_memory:
        text = f"{physical.cpu} x max(f_gpu, M_gpu) {format_bytes(gpu)} < gpu_memory {format_bytes(system.gpu_memory)}"
        return text, system.gpu_memory - gpu, False
    if physical.join is JoinOperator.BROADCAST and not sizes.t_str < B_MAX:
        return f"|T_str| {format_bytes(sizes.t_str)} < b_max {format_bytes(B_MAX)}", B_MAX - sizes.t_str, False
    if not regions.storage > 0:
        return _worker_inequality(regions, physical), regions.storage, True
    if driver_node is not None and not needs.driver <= driver_node.driver:
        text = f"driver {format_bytes(needs.driver)} <= driver machine {format_bytes(driver_node.driver)}"
        return text, driver_node.driver - needs.driver, False
    if system.disk_free is not None and not spill <= system.disk_free:
        text = f"spill {format_bytes(spill)} <= free disk {format_bytes(system.disk_free)}"
        return text, system.disk_free - spill, True
    return None


def _gpu_bytes(physical: PhysicalPlan, facts: Facts) -> int:
    stats, cnn = facts.snapshot.statistics, facts.snapshot.workload.cnn
    return physical.cpu * max(given(stats.cnn_gpu, cnn.gpu), given(stats.model_gpu, 0))


def _worker_inequality(regions: MemoryRegions, physical: PhysicalPlan) -> str:
    """The inequality with its numbers, and by how much it misses."""
    parts = [f"{name} {format_bytes(size)}" for name, size in regions.items() if size and name != "storage"]
    workers = f"{physical.cpu} worker{'s' if physical.cpu > 1 else ''}, batch {physical.batch_size}"
    missing = f"short by {format_bytes(-regions.storage)}" if regions.storage else "nothing left for storage"
    return f"{' + '.join(parts)} < memory {format_bytes(regions.total)} ({workers}; {missing})"
