"""How long an option will take, and how many bytes it moves.

Reads an option, its admission and the rates; returns predicted seconds by step and by component. May touch:
nothing. Paper: sections 4.2 and 5 argue with the same terms (redundant FLOPs, joins, spills); DESIGN.md section 7
adds start-up, decoding, the wire to Python workers, and training. `fraction` prices a sample of the rows (a wave).
Every term falls or stays with more cores and nodes, but for what is sent along a tree over the nodes (`hops`), and
no forced value outside the space is priced below the space's own (docs/adr/0009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from vista_nb.optimizer.candidates import BATCHES, CPU_MAX, Option
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.reducing import reduction_seconds
from vista_nb.optimizer.starting import (
    engine_seconds,
    first_jobs_seconds,
    hops,
    mllib_start_seconds,
    pass_start_seconds,
    tensorflow_threads,
)
from vista_nb.optimizer.tensors import cuts_beside, received_bytes, sent_bytes
from vista_nb.optimizer.training import fits_of_one_training, training_seconds
from vista_nb.plan.logical import (
    Infer,
    Inference,
    Join,
    Load,
    LogicalPlan,
    Materialization,
    Pool,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite

__all__ = [
    "COMPONENTS",
    "Cost",
    "Work",
    "flops",
    "predict",
    "shuffled_bytes",
    "spill_seconds",
    "step_parts",
    "step_seconds",
    "work_of",
]

COMPONENTS: Mapping[str, str] = {
    "start": "starting engines and workers",
    "scan": "reading the tables",
    "decode": "decoding photos",
    "cnn": "CNN inference",
    "wire": "moving tensors between JVM and Python",
    "serialize": "serializing tables",
    "join": "the join",
    "pool": "pooling raw tensors",
    "store": "reading and writing the store",
    "spill": "spilling to disk",
    "train": "training",
}
"""Component -> words for `why`."""

_LINK_BYTES = 16  # key and digest of a photo


@dataclass(frozen=True)
class Cost:
    """engines: seconds before the first step. by_step: of each step of the logical plan, in order. components: all of
    these seconds by kind.
    """

    engines: float
    by_step: tuple[float, ...]
    components: dict[str, float]

    @property
    def seconds(self) -> float:
        return self.engines + sum(self.by_step)

    def until(self, steps: int) -> float:
        """Seconds from the cell's start to the end of so many steps."""
        return self.engines + sum(self.by_step[:steps])


@dataclass(frozen=True)
class Work:
    """What every step of one option shares. speed: cores' worth of inference; cores: all of the used nodes.

    batch: that calls are counted by. photos: some go through the CNN. first_*: numbers of steps; the first layer's
    training bears the spill. beside: see `tensors.cuts_beside`.
    """

    option: Option
    facts: Facts
    fraction: float
    workers: int
    batch: int
    speed: float
    cores: int
    photos: bool
    first_join: int
    first_train: int
    first_layer: int
    spill: int
    beside: tuple[str, ...]


Parts = list[tuple[str, float]]


def predict(option: Option, spill: int, facts: Facts, fraction: float = 1.0) -> Cost:
    """Seconds of every step; rows and images scaled by `fraction`, start-up not."""
    work = work_of(option, spill, facts, fraction)
    engines = engine_seconds(facts, option.logical, option.physical.training)
    components = dict.fromkeys(COMPONENTS, 0.0) | {"start": engines}
    by_step = []
    for step in option.logical.steps:
        total = 0.0
        for name, seconds in step_parts(step, work):
            components[name] += seconds
            total += seconds
        by_step.append(total)
    return Cost(engines, tuple(by_step), components)


def flops(option: Option, facts: Facts) -> int:
    """Floating point operations of all CNN passes of the plan."""
    return sum(s.images * _span_flops(s, facts) for s in option.logical.steps if isinstance(s, Infer))


def step_seconds(step: Step, work: Work) -> float:
    """All seconds of one step."""
    return sum(seconds for _, seconds in step_parts(step, work))


def spill_seconds(spill: int, work: Work) -> float:
    """Spilled bytes are written once and read by each reader of the live tables, which share the nodes' disks."""
    rates = work.facts.rates
    readers = _readers(work.option.logical)
    return spill * work.fraction * (1 / rates.disk_write + readers / rates.disk_read) / work.option.physical.nodes


def _readers(logical: LogicalPlan) -> int:
    """Eager: every layer's training reads the one table. Staged: the training and the next pass. Lazy: the training."""
    trained = sum(1 for step in logical.steps if isinstance(step, Train))
    return {Materialization.EAGER: trained, Materialization.STAGED: min(2, trained)}.get(logical.materialization, 1)


def work_of(option: Option, spill: int, facts: Facts, fraction: float = 1.0) -> Work:
    """What pricing a step of this option needs. Workers beyond cores and cpu_max add nothing."""
    physical, steps = option.physical, option.logical.steps
    workers = physical.nodes * min(physical.cpu, facts.snapshot.system.cores, CPU_MAX)
    cores = physical.nodes * facts.snapshot.system.cores
    threads = tensorflow_threads(physical, facts)
    return Work(
        option=option,
        facts=facts,
        fraction=fraction,
        workers=workers,
        batch=_paying_batch(physical.batch_size),
        speed=min(workers * threads**facts.rates.thread_exponent, cores),
        cores=cores,
        photos=any(isinstance(s, Infer) and s.images for s in steps),
        first_join=next((s.number for s in steps if isinstance(s, Join)), 0),
        first_train=next((s.number for s in steps if isinstance(s, Train | TrainBaselines)), 0),
        first_layer=next((s.number for s in steps if isinstance(s, Train)), 0),
        spill=spill,
        beside=cuts_beside(option.logical),
    )


def step_parts(step: Step, work: Work) -> Parts:
    """(component, seconds) of one step."""
    match step:
        case Infer():
            return _infer(step, work)
        case Train():
            spill = spill_seconds(work.spill, work) if step.number == work.first_layer else 0.0
            fits = _train(step.number, work.facts.widths[step.layer], work)
            return [*fits, ("train", _reduced(step.layer, work)), ("spill", spill)]
        case TrainBaselines():
            return _baselines(step, work)
        case Pool():
            rates = work.facts.rates
            size = _bytes(work, work.facts.raw[step.layer])
            # two jobs: the vectors are made and kept, then counted
            return [("pool", 2 * rates.job_seconds + size / (rates.pool * work.cores))]
        case Save() | Load():
            return _store(step, work)
        case Join():
            return _join(step, work)
        case ScanStructured():
            return [("scan", _scan_table(work))]
        case ScanImages():
            # names and sizes: the files themselves are opened by the workers
            return [("scan", _LINK_BYTES * work.facts.snapshot.images * work.fraction / work.facts.rates.disk_read)]
    return []


def _bytes(work: Work, values_per_record: int) -> float:
    return 4.0 * values_per_record * work.facts.snapshot.statistics.rows * work.fraction


def _scan_table(work: Work) -> float:
    """The kernel reads it, before any job of Spark's."""
    return work.option.sizes.t_str * work.fraction / (work.facts.rates.disk_read * work.option.physical.nodes)


def _infer(step: Infer, work: Work) -> Parts:
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    images = step.images * work.fraction
    per_image = max(facts.layers[name].seconds for name in step.layers)
    if step.start is not None:
        per_image -= facts.layers[step.start].seconds
    calls = ceil(images / work.batch) * rates.call_seconds / work.workers
    received, sent = received_bytes(step, facts), sent_bytes(step, work.beside, facts)
    parts = [
        ("start", pass_start_seconds(step, work.option, work.facts)),
        ("cnn", images * max(per_image, 0.0) * rates.cnn_factor / work.speed + calls),
        ("wire", rates.job_seconds + images * (received + sent) / (rates.wire * work.workers)),
    ]
    if step.start is None:
        stats = facts.snapshot.statistics
        decode = rates.decode_seconds + rates.file_seconds + rates.decode_pixel_seconds * stats.mean_pixels
        parts.append(("decode", images * decode / work.speed))
    if physical.persistence is Persistence.SERIALIZED:
        parts.append(("serialize", 2 * images * sent / (rates.serialize * work.cores)))
    return parts


def _paying_batch(batch_size: int) -> int:
    """Between the batches of the space nothing is gained: a forced batch of 20 calls as often as one of 16."""
    return max(batch for batch in BATCHES if batch <= batch_size)


def _span_flops(step: Infer, facts: Facts) -> int:
    below = facts.layers[step.start].flops if step.start is not None else 0
    return max(facts.layers[name].flops for name in step.layers) - below


def _store(step: Save | Load, work: Work) -> Parts:
    facts, rates = work.facts, work.facts.rates
    if isinstance(step, Load) and step.raw and step.memory:
        return [("store", rates.job_seconds)]  # it lies in Storage Memory, where the passes find it
    if step.raw:
        images = step.images * (_cut_readers(work.option.logical) if isinstance(step, Load) else 1)
    else:
        images = facts.reuse.loaded_images if isinstance(step, Load) else facts.reuse.images
    lengths = facts.raw if step.raw else facts.pooled
    # what is kept for later cells is written once, by the last wave
    beside = step.beside if isinstance(step, Save) and work.fraction == 1.0 else ()
    layers = (*step.layers, *beside)
    values = sum(lengths[name] for name in layers) / facts.snapshot.statistics.views
    rate = rates.disk_read if isinstance(step, Load) else rates.disk_write
    size = 4.0 * values * images * work.fraction
    parts = len(layers) * rates.part_seconds
    return [("store", parts + size / (rate * work.option.physical.nodes))]


def _cut_readers(logical: LogicalPlan) -> int:
    """A stored cut is read from disk by each pass that starts from it: it takes no Storage Memory."""
    passes = sum(1 for step in logical.steps if isinstance(step, Infer) and step.start == logical.cut)
    return passes + sum(1 for step in logical.steps if isinstance(step, Pool) and step.layer == logical.cut)


def _join(step: Join, work: Work) -> Parts:
    """Broadcast: T_str to the driver and along a tree to the nodes; shuffle moves both sides once. Where no photo goes
    through the CNN the kernel links the rows, and Spark has nothing to join.

    A broadcast leaves the other side where it is, but all of it passes through the join: before inference links to
    photos, after it the tables made of them.
    """
    rates, physical, sizes = work.facts.rates, work.option.physical, work.option.sizes
    jobs = rates.join_seconds if work.photos else 0.0
    cold = first_jobs_seconds(work.facts) if work.photos and step.number == work.first_join else 0.0
    if physical.join is JoinOperator.BROADCAST:
        after = work.option.logical.inference is Inference.AFTER_JOIN
        passed = _LINK_BYTES * work.facts.snapshot.images if after else sizes.s_single
        sent = (2 + hops(physical.nodes)) * sizes.t_str / rates.broadcast
        seconds = jobs + sent + passed * work.fraction / (rates.pool * work.cores)
        return [("start", cold), ("join", seconds)]
    moved = shuffled_bytes(work.option) * work.fraction
    shuffled = rates.job_seconds + moved / (rates.shuffle * physical.nodes)
    return [("start", cold), ("join", jobs + shuffled)]


def shuffled_bytes(option: Option) -> int:
    """Both sides of one shuffle join: T_str with the images, or with the largest table made of them."""
    sizes = option.sizes
    return sizes.t_str + (sizes.t_img if option.logical.inference is Inference.AFTER_JOIN else sizes.s_single)


def _train(number: int, width: int, work: Work) -> Parts:
    facts, physical = work.facts, work.option.physical
    workload = facts.snapshot.workload
    seconds = fits_of_one_training(workload.spec, final=work.fraction >= 1) * training_seconds(
        facts, workload.estimator.family, width, work.fraction, physical.training, physical.nodes
    )
    if number != work.first_train:
        return [("train", seconds)]
    cold = mllib_start_seconds(facts) if physical.training is TrainingSite.CLUSTER else 0.0
    return [("start", cold), ("train", seconds)]


def _reduced(layer: str, work: Work) -> float:
    """`reduce: pca K` learns anew for every fold; a grid search's inner fits share what the fold learnt."""
    times = fits_of_one_training(work.facts.snapshot.workload.spec, final=work.fraction >= 1, tuned=False)
    return times * reduction_seconds(work.facts, layer, work.fraction, work.option.physical.training)


def _baselines(step: TrainBaselines, work: Work) -> Parts:
    """The same model and a tree on the table alone; with no structured features there is nothing to fit."""
    d_s = work.facts.snapshot.statistics.structured_features
    if d_s == 0:
        return _train(step.number, 0, work)
    physical = work.option.physical
    # scikit-learn's, on the driver whatever the plan's site: T_str alone is small
    fits = fits_of_one_training(work.facts.snapshot.workload.spec, final=True, tuned=False)
    tree = fits * (
        work.facts.rates.forest_seconds
        + training_seconds(work.facts, "tree", d_s, work.fraction, TrainingSite.DRIVER, physical.nodes)
    )
    return [*_train(step.number, d_s, work), ("train", tree)]
