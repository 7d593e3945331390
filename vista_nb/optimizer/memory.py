"""How much memory each region of a worker needs, and whether an option fits.

Reads an option and the facts; returns regions, and the first inequality that fails. May touch: nothing.
Paper: section 4.1, equations 9 to 15, with this project's processes: TensorFlow lives in Python workers outside
the JVM's heap (dl_execution = cpu x resident memory of one worker), user + core + storage are the heap, `driver`
is the notebook's kernel. On a local master all six regions share one machine; on a cluster the driver has its own.
Small machines: docs/adr/0005. Strict inequalities: docs/adr/0004. Why needs only fall with nodes: docs/adr/0009.
Each region has one function of the decisions it depends on, so that `search` can ask for them once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from vista_nb.catalog.sizes import layer_table
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.optimizer.candidates import P_MAX, Option
from vista_nb.optimizer.facts import Facts, given
from vista_nb.optimizer.tensors import cuts_beside, raw_bytes
from vista_nb.plan.logical import LogicalPlan, Save
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite
from vista_nb.units import GB, MB, format_bytes

__all__ = [
    "BATCH_OF_ROSTER",
    "B_MAX",
    "MARGIN_PERCENT",
    "Admission",
    "Needs",
    "admit",
    "dl_bytes",
    "driver_bytes",
    "driver_limit",
    "gpu_bytes",
    "live_bytes",
    "memory_needs",
    "reserved",
    "user_bytes",
    "worker_resident",
]

ALPHA = 2  # bytes in the heap per byte of a partition that a task works on
B_MAX = 100 * MB  # largest table worth broadcasting

REFERENCE = 32 * GB  # the paper's machine, where os_rsv is 3 GB and core 2.4 GB
OS_FLOOR = 200 * MB  # the JVM's memory outside its heap, Spark's Python daemon
CORE_FLOOR = 480 * MB  # Spark refuses a heap under 471 859 200 bytes
DRIVER_BASE = 360 * MB  # 288 MB: an IPython kernel with every library of a run imported and a fit done; then its panel
TF_IMPORTED = 650 * MB  # one worker before it loads a CNN, where its memory was measured at one batch size only
BATCH_OF_ROSTER = 32  # the batch at which the roster's resident memory was measured
LEAST_BATCH = 8  # the least at which the roster's resident memory was measured
MARGIN_PERCENT = 8  # Spark's workers over the measuring process: 0 to 5 % seen (benchmarks/worker_memory.py)
RAW_COPIES = 5  # of a raw tensor in a worker: TensorFlow's, numpy's, the record's, Arrow's; 4.3 to 5.3 seen
DRIVER_BYTES_PER_VALUE = 4 + 8 + 4 + 4  # the matrix, its standardized doubles, this layer's features and the next one's
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

    def peak(self, nodes: int) -> MemoryRegions:
        """The most one worker holds: every region whole, storage as far as live tables fill it."""
        filled = max(0, min(self.regions.storage, -(-self.needs.live // nodes)))
        return replace(self.regions, storage=filled)


def reserved(memory: int) -> tuple[int, int]:
    """(os_reserved, core): the paper's 3 GB and 2.4 GB of 32 GB in proportion, capped there, with floors.

    Core is the rest of their sum, so that memory left over never shrinks when memory grows.
    """
    scaled = min(memory, REFERENCE)
    os_share, both = scaled * 15 // 160, scaled * 27 // 160
    return max(OS_FLOOR, os_share), max(CORE_FLOOR, both - os_share)


def worker_resident(facts: Facts, batch_size: int, raw: float = 0.0) -> int:
    """Resident memory of one inference worker: what a batch holds shrinks with it, TensorFlow and weights do not.

    Measured at several batch sizes it is a line, and no less than loading takes, with a margin on top, as a worker must
    never hold more than planned. From one number (`statistics: cnn_resident`) the batch's part is what TensorFlow and
    the weights leave. raw: bytes per image of tensors on their way in and out, which the measuring process (photos to
    vectors) did not have.
    """
    cnn, stats = facts.snapshot.workload.cnn, facts.snapshot.statistics
    if cnn.resident_per_image and stats.cnn_resident is None:
        # where loading was not measured by itself, a batch below the least one measured saves nothing
        batch = batch_size if cnn.resident_least else max(batch_size, LEAST_BATCH)
        line = cnn.resident + cnn.resident_per_image * (batch - BATCH_OF_ROSTER)
        peak = max(cnn.resident_least, line + ceil(RAW_COPIES * raw * batch_size))
        return -(-peak * (100 + MARGIN_PERCENT) // 100)
    resident = given(stats.cnn_resident, cnn.resident)
    fixed = TF_IMPORTED + given(stats.cnn_serialized, cnn.serialized)
    of_batch = max(0, resident - fixed)
    return resident - of_batch + -(-of_batch * batch_size // BATCH_OF_ROSTER)


def memory_needs(option: Option, facts: Facts) -> Needs:
    """What the option needs whatever the machine: equations 10 and 11, and the tables that live at once."""
    physical, sizes = option.physical, option.sizes
    site, cpu = physical.training, physical.cpu
    return Needs(
        driver=driver_bytes(facts, sizes.t_str, physical.join, site),
        dl_execution=cpu * dl_bytes(facts, option.logical, physical.batch_size, site),
        user=user_bytes(facts, sizes.s_single, cpu, physical.nodes, site),
        live=live_bytes(facts, option.logical, sizes.s_double, physical.persistence, site),
    )


def dl_bytes(facts: Facts, logical: LogicalPlan, batch_size: int, site: TrainingSite) -> int:
    """max(|f|_mem, |M|_mem) of one worker; nothing where every feature is stored and M is no deep model."""
    resident = worker_resident(facts, batch_size, raw_bytes(logical, facts)) if facts.reuse.images else 0
    in_dl = facts.model_in_dl and site is TrainingSite.CLUSTER
    return max(resident, facts.model_bytes) if in_dl else resident


def user_bytes(facts: Facts, s_single: int, cpu: int, nodes: int, site: TrainingSite) -> int:
    """Equation 11 without |f|_ser, as TensorFlow is outside the heap. A task is given room for the largest partition
    that num_partitions allows, p_max or a task's share of the table, so that a smaller table never needs more.
    """
    largest = min(P_MAX, -(-s_single // (cpu * nodes)))
    forced = facts.snapshot.workload.spec.plan.num_partitions
    if forced:
        # finer partitions than that are not credited: rows differ in size
        largest = max(largest, -(-s_single // forced))
    model_in_heap = site is TrainingSite.CLUSTER and not facts.model_in_dl
    return cpu * max(ALPHA * largest, facts.model_bytes if model_in_heap else 0)


def driver_bytes(facts: Facts, t_str: int, join: JoinOperator, site: TrainingSite) -> int:
    """The kernel, what it collects, and what it trains; `reduce: pca K` is learnt in the kernel, wherever M is."""
    rows = facts.snapshot.statistics.rows
    collected = rows * RESULT_BYTES_PER_ROW
    if site is TrainingSite.DRIVER or facts.snapshot.workload.spec.reduce:
        collected += rows * facts.widest_collected * DRIVER_BYTES_PER_VALUE
    collected += facts.model_bytes if site is TrainingSite.DRIVER else 0
    return DRIVER_BASE + collected + (t_str if join is JoinOperator.BROADCAST else 0)


def live_bytes(facts: Facts, logical: LogicalPlan, s_double: int, persistence: Persistence, site: TrainingSite) -> int:
    """s_double as stored (with the raw cuts that pushed-down staged passes hand on), and the blocks in doubles that
    pyspark.ml caches while it trains.
    """
    percent = facts.rates.serialized_percent if persistence is Persistence.SERIALIZED else 100
    live = -(-(s_double + _cut_bytes(facts, logical)) * percent // 100)
    return live + (8 * facts.train_rows * facts.widest if site is TrainingSite.CLUSTER else 0)


def _cut_bytes(facts: Facts, logical: LogicalPlan) -> int:
    """The most that two neighbouring raw cuts take, while the next pass reads one and writes the other."""
    rows = facts.snapshot.statistics.rows
    cuts = [layer_table(rows, facts.raw[name], 0) for name in cuts_beside(logical)]
    return max((low + high for low, high in pairwise([*cuts, 0])), default=0) + _made_cut_bytes(facts, logical)


def _made_cut_bytes(facts: Facts, logical: LogicalPlan) -> int:
    """The raw tensors that are made for the store lie in Storage Memory until their last reader; loaded ones do not."""
    made = sum(step.images for step in logical.steps if isinstance(step, Save) and step.raw)
    if logical.cut is None or not made:
        return 0
    return -(-layer_table(facts.snapshot.statistics.rows, facts.raw[logical.cut], 0) * made // facts.snapshot.images)


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


def driver_limit(system: SystemFacts) -> int | float | None:
    """The driver region of the driver's own machine; None where it shares the worker's, infinite where unknown."""
    if system.is_local:
        return None
    memory = system.driver_memory
    return float("inf") if memory is None else _driver_node(memory, 0).driver


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
    gpu = physical.cpu * gpu_bytes(facts)
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
    free = None if system.disk_free is None else system.disk_free * physical.nodes
    if free is not None and not spill <= free:
        return f"spill {format_bytes(spill)} <= free disk {format_bytes(free)}", free - spill, True
    return None


def gpu_bytes(facts: Facts) -> int:
    """max(|f|_mem_gpu, |M|_mem_gpu) of one worker; nothing where no CNN runs and M is no deep model."""
    stats, cnn = facts.snapshot.statistics, facts.snapshot.workload.cnn
    of_cnn = given(stats.cnn_gpu, cnn.gpu) if facts.reuse.images else 0
    return max(of_cnn, given(stats.model_gpu, 0))


def _worker_inequality(regions: MemoryRegions, physical: PhysicalPlan) -> str:
    """The inequality with its numbers, and by how much it misses."""
    parts = [f"{name} {format_bytes(size)}" for name, size in regions.items() if size and name != "storage"]
    workers = f"{physical.cpu} worker{'s' if physical.cpu > 1 else ''}, batch {physical.batch_size}"
    missing = f"short by {format_bytes(-regions.storage)}" if regions.storage else "nothing left for storage"
    return f"{' + '.join(parts)} < memory {format_bytes(regions.total)} ({workers}; {missing})"
