"""How long an option will take, and how many bytes it moves.

Reads an option, its admission and the rates; returns predicted seconds by step and by component. May touch:
nothing. Paper: sections 4.2 and 5 argue with the same terms (redundant FLOPs, joins, spills); DESIGN.md section 7
adds start-up, decoding, the wire to Python workers, and training. `fraction` prices a sample of the rows (a wave).
Every term falls or stays with more cores and nodes, but for what is sent along a tree over the nodes (`_hops`), and
no forced value outside the space is priced below the space's own (docs/adr/0009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from vista_nb.optimizer.candidates import BATCHES, CPU_MAX, Option
from vista_nb.optimizer.facts import Facts, given
from vista_nb.optimizer.tensors import cuts_beside, received_bytes, sent_bytes
from vista_nb.optimizer.training import training_seconds
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
    "hops",
    "predict",
    "shuffled_bytes",
    "spill_seconds",
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
    """by_step: seconds of each step of the logical plan, in order. components: the same seconds by kind."""

    by_step: tuple[float, ...]
    components: dict[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.by_step)


@dataclass(frozen=True)
class Work:
    """What every step of one option shares. speed: cores' worth of inference; cores: all of the used nodes.

    batch: that calls are counted by. first_*: numbers of steps; the first layer's training bears the spill. beside:
    see `tensors.cuts_beside`.
    """

    option: Option
    facts: Facts
    fraction: float
    workers: int
    batch: int
    speed: float
    cores: int
    first_infer: int
    first_train: int
    first_layer: int
    spill: int
    beside: tuple[str, ...]


Parts = list[tuple[str, float]]


def predict(option: Option, spill: int, facts: Facts, fraction: float = 1.0) -> Cost:
    """Seconds of every step; rows and images scaled by `fraction`, start-up not."""
    work = work_of(option, spill, facts, fraction)
    components = dict.fromkeys(COMPONENTS, 0.0)
    by_step = []
    for step in option.logical.steps:
        total = 0.0
        for name, seconds in _step_seconds(step, work):
            components[name] += seconds
            total += seconds
        by_step.append(total)
    return Cost(tuple(by_step), components)


def flops(option: Option, facts: Facts) -> int:
    """Floating point operations of all CNN passes of the plan."""
    return sum(s.images * _span_flops(s, facts) for s in option.logical.steps if isinstance(s, Infer))


def step_seconds(step: Step, work: Work) -> float:
    """All seconds of one step."""
    return sum(seconds for _, seconds in _step_seconds(step, work))


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
    return Work(
        option=option,
        facts=facts,
        fraction=fraction,
        workers=workers,
        batch=_paying_batch(physical.batch_size),
        speed=workers * physical.threads_per_task**facts.rates.thread_exponent,
        cores=physical.nodes * facts.snapshot.system.cores,
        first_infer=next((s.number for s in steps if isinstance(s, Infer)), 0),
        first_train=next((s.number for s in steps if isinstance(s, Train | TrainBaselines)), 0),
        first_layer=next((s.number for s in steps if isinstance(s, Train)), 0),
        spill=spill,
        beside=cuts_beside(option.logical),
    )


def _step_seconds(step: Step, work: Work) -> Parts:
    match step:
        case Infer():
            return _infer(step, work)
        case Train():
            spill = spill_seconds(work.spill, work) if step.number == work.first_layer else 0.0
            return [*_train(step.number, work.facts.widths[step.layer], work), ("spill", spill)]
        case TrainBaselines():
            return _baselines(step, work)
        case Pool():
            rates = work.facts.rates
            size = _bytes(work, work.facts.raw[step.layer])
            return [("pool", rates.job_seconds + size / (rates.pool * work.cores))]
        case Save() | Load():
            return _store(step, work)
        case Join():
            return _join(work)
        case ScanStructured():
            return [("start", work.facts.rates.session_seconds), ("scan", _scan_table(work))]
        case ScanImages():
            rates, images = work.facts.rates, work.facts.snapshot.images * work.fraction
            return [("scan", rates.job_seconds + images * rates.file_seconds / work.cores)]
    return []


def _bytes(work: Work, values_per_record: int) -> float:
    return 4.0 * values_per_record * work.facts.snapshot.statistics.rows * work.fraction


def _scan_table(work: Work) -> float:
    rates = work.facts.rates
    return rates.job_seconds + work.option.sizes.t_str * work.fraction / (rates.disk_read * work.option.physical.nodes)


def _infer(step: Infer, work: Work) -> Parts:
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    images = step.images * work.fraction
    per_image = max(facts.layers[name].seconds for name in step.layers)
    if step.start is not None:
        per_image -= facts.layers[step.start].seconds
    calls = ceil(images / work.batch) * rates.call_seconds / work.workers
    received, sent = received_bytes(step, facts), sent_bytes(step, work.beside, facts)
    parts = [
        ("start", _start_seconds(step, work)),
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


def hops(nodes: int) -> int:
    """Depth of the tree along which something reaches all nodes."""
    return (nodes - 1).bit_length()


def _start_seconds(step: Infer, work: Work) -> float:
    """The first pass brings the CNN to the nodes and starts the workers; each later one only loads another cut."""
    if step.images == 0:
        return 0.0
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    crowd = 1 + rates.start_contention * (physical.cpu - 1)
    if step.number != work.first_infer:
        return rates.artifact_seconds * crowd
    cnn = facts.snapshot.workload.cnn
    serialized = given(facts.snapshot.statistics.cnn_serialized, cnn.serialized)
    shipped = hops(physical.nodes) * serialized / rates.broadcast
    return cnn.start_seconds * rates.start_factor * crowd + shipped


def _span_flops(step: Infer, facts: Facts) -> int:
    below = facts.layers[step.start].flops if step.start is not None else 0
    return max(facts.layers[name].flops for name in step.layers) - below


def _store(step: Save | Load, work: Work) -> Parts:
    facts, rates = work.facts, work.facts.rates
    raw = isinstance(step, Load) and step.raw
    images = facts.reuse.loaded_images if isinstance(step, Load) and not raw else facts.reuse.images
    lengths = facts.raw if raw else facts.pooled
    values = sum(lengths[name] for name in step.layers) / facts.snapshot.statistics.views
    rate = rates.disk_read if isinstance(step, Load) else rates.disk_write
    size = 4.0 * values * images * work.fraction
    return [("store", rates.job_seconds + size / (rate * work.option.physical.nodes))]


def _join(work: Work) -> Parts:
    """Broadcast: T_str to the driver and along a tree to the nodes; shuffle moves both sides once.

    A broadcast leaves the other side where it is, but all of it passes through the join: before inference links to
    photos, after it the tables made of them.
    """
    rates, physical, sizes = work.facts.rates, work.option.physical, work.option.sizes
    if physical.join is JoinOperator.BROADCAST:
        after = work.option.logical.inference is Inference.AFTER_JOIN
        passed = _LINK_BYTES * work.facts.snapshot.images if after else sizes.s_single
        sent = (2 + hops(physical.nodes)) * sizes.t_str / rates.broadcast
        return [("join", rates.job_seconds + sent + passed * work.fraction / (rates.pool * work.cores))]
    moved = shuffled_bytes(work.option) * work.fraction
    return [("join", 2 * rates.job_seconds + moved / (rates.shuffle * physical.nodes))]


def shuffled_bytes(option: Option) -> int:
    """Both sides of one shuffle join: T_str with the images, or with the largest table made of them."""
    sizes = option.sizes
    return sizes.t_str + (sizes.t_img if option.logical.inference is Inference.AFTER_JOIN else sizes.s_single)


def _train(number: int, width: int, work: Work) -> Parts:
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    workload = facts.snapshot.workload
    seconds = training_seconds(
        facts, workload.estimator.family, width, work.fraction, physical.training, physical.nodes
    )
    if number != work.first_train:
        return [("train", seconds)]
    cold = rates.mllib_first if physical.training is TrainingSite.CLUSTER else 0.0
    return [("start", cold), ("train", seconds)]


def _baselines(step: TrainBaselines, work: Work) -> Parts:
    """The same model and a tree on the table alone; with no structured features there is nothing to fit."""
    d_s = work.facts.snapshot.statistics.structured_features
    if d_s == 0:
        return _train(step.number, 0, work)
    physical = work.option.physical
    tree = training_seconds(work.facts, "tree", d_s, work.fraction, physical.training, physical.nodes)
    return [*_train(step.number, d_s, work), ("train", tree)]
