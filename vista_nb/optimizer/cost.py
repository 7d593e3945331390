"""How long an option will take: the first cost model.

Reads an option, its admission and the rates; returns predicted seconds by step and by component. May touch:
nothing. Paper: sections 4.2 and 5 argue with the same terms (redundant FLOPs, joins, spills); DESIGN.md section 7
adds start-up, decoding, the wire to Python workers, and training. `fraction` prices a sample of the rows (a wave).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.training import training_seconds
from vista_nb.plan.logical import (
    Infer,
    Inference,
    Join,
    Load,
    Pool,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite

__all__ = ["COMPONENTS", "Cost", "flops", "predict"]

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


@dataclass(frozen=True)
class Cost:
    """by_step: seconds of each step of the logical plan, in order. components: the same seconds by kind."""

    by_step: tuple[float, ...]
    components: dict[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.by_step)


@dataclass(frozen=True)
class _Work:
    """What every step of one option shares. speed: cores' worth of inference; cores: all of the used nodes."""

    option: Option
    facts: Facts
    fraction: float
    workers: int
    speed: float
    cores: int
    first_infer: int
    first_train: int
    spill: int
    shape: tuple[object, ...]


Parts = list[tuple[str, float]]
Memo = dict[tuple[object, ...], Parts]


def predict(option: Option, spill: int, facts: Facts, fraction: float = 1.0, memo: Memo | None = None) -> Cost:
    """Seconds of every step; rows and images scaled by `fraction`, start-up not.

    `memo`: one dict per ranking (same facts and fraction), as most options share most of their steps' seconds.
    """
    work = _work(option, spill, facts, fraction)
    components = dict.fromkeys(COMPONENTS, 0.0)
    by_step = []
    for step in option.logical.steps:
        total = 0.0
        for name, seconds in _remembered(step, work, {} if memo is None else memo):
            components[name] += seconds
            total += seconds
        by_step.append(total)
    return Cost(tuple(by_step), components)


def _remembered(step: Step, work: _Work, memo: Memo) -> Parts:
    key = (step.number, work.shape, *_deciding(step, work))
    found = memo.get(key)
    if found is None:
        found = memo[key] = _step_seconds(step, work)
    return found


def _deciding(step: Step, work: _Work) -> tuple[object, ...]:
    """The physical decisions that this step's seconds depend on."""
    physical = work.option.physical
    if isinstance(step, Infer):
        return physical.nodes, physical.cpu, physical.batch_size, physical.persistence
    if isinstance(step, Train | TrainBaselines):
        return physical.nodes, physical.training, work.spill if step.number == work.first_train else 0
    return (physical.nodes, physical.join) if isinstance(step, Join) else (physical.nodes,)


def flops(option: Option, facts: Facts) -> int:
    """Floating point operations of all CNN passes of the plan."""
    return sum(s.images * _span_flops(s, facts) for s in option.logical.steps if isinstance(s, Infer))


def _work(option: Option, spill: int, facts: Facts, fraction: float) -> _Work:
    physical, steps = option.physical, option.logical.steps
    workers = physical.nodes * physical.cpu
    return _Work(
        option=option,
        facts=facts,
        fraction=fraction,
        workers=workers,
        speed=workers * physical.threads_per_task**facts.rates.thread_exponent,
        cores=physical.nodes * facts.snapshot.system.cores,
        first_infer=next((s.number for s in steps if isinstance(s, Infer)), 0),
        first_train=next((s.number for s in steps if isinstance(s, Train | TrainBaselines)), 0),
        spill=spill,
        shape=(option.logical.materialization, option.logical.inference, option.logical.pooling),
    )


def _step_seconds(step: Step, work: _Work) -> Parts:
    match step:
        case Infer():
            return _infer(step, work)
        case Train():
            return _train(step.number, work.facts.widths[step.layer], work)
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


def _bytes(work: _Work, values_per_record: int) -> float:
    return 4.0 * values_per_record * work.facts.snapshot.statistics.rows * work.fraction


def _scan_table(work: _Work) -> float:
    rates = work.facts.rates
    return rates.job_seconds + work.option.sizes.t_str * work.fraction / (rates.disk_read * work.option.physical.nodes)


def _infer(step: Infer, work: _Work) -> Parts:
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    images = step.images * work.fraction
    per_image = max(facts.layers[name].seconds for name in step.layers)
    if step.start is not None:
        per_image -= facts.layers[step.start].seconds
    calls = ceil(images / physical.batch_size) * rates.call_seconds / work.workers
    received, sent = _image_bytes(step, facts)
    parts = [
        ("start", _start_seconds(step, work)),
        ("cnn", images * max(per_image, 0.0) / work.speed + calls),
        ("wire", rates.job_seconds + images * (received + sent) / (rates.wire * work.workers)),
    ]
    if step.start is None:
        stats = facts.snapshot.statistics
        decode = rates.decode_seconds + rates.file_seconds + rates.decode_pixel_seconds * stats.mean_pixels
        parts.append(("decode", images * decode / work.speed))
    if physical.persistence is Persistence.SERIALIZED:
        parts.append(("serialize", 2 * images * sent / (rates.serialize * work.cores)))
    return parts


def _image_bytes(step: Infer, facts: Facts) -> tuple[float, float]:
    """Bytes per image into and out of the worker."""
    stats = facts.snapshot.statistics
    lengths = facts.pooled if step.pooled else facts.raw
    sent = 4 * sum(lengths[name] for name in step.layers) / stats.views
    received = stats.image_bytes if step.start is None else 4 * facts.raw[step.start] / stats.views
    return received, sent


def _start_seconds(step: Infer, work: _Work) -> float:
    """The first pass starts the workers, together; each later one loads another cut into running workers."""
    if step.images == 0:
        return 0.0
    rates, cpu = work.facts.rates, work.option.physical.cpu
    crowd = 1 + rates.start_contention * (cpu - 1)
    if step.number == work.first_infer:
        return work.facts.snapshot.workload.cnn.start_seconds * crowd
    return rates.artifact_seconds * crowd


def _span_flops(step: Infer, facts: Facts) -> int:
    below = facts.layers[step.start].flops if step.start is not None else 0
    return max(facts.layers[name].flops for name in step.layers) - below


def _store(step: Save | Load, work: _Work) -> Parts:
    facts, rates = work.facts, work.facts.rates
    images = facts.reuse.loaded_images if isinstance(step, Load) else facts.reuse.images
    values = sum(facts.pooled[name] for name in step.layers) / facts.snapshot.statistics.views
    rate = rates.disk_read if isinstance(step, Load) else rates.disk_write
    size = 4.0 * values * images * work.fraction
    return [("store", rates.job_seconds + size / (rate * work.option.physical.nodes))]


def _join(work: _Work) -> Parts:
    """Broadcast: T_str to the driver and, as nodes pass it on, about once to all; shuffle moves both sides once."""
    rates, physical, sizes = work.facts.rates, work.option.physical, work.option.sizes
    if physical.join is JoinOperator.BROADCAST:
        return [("join", rates.job_seconds + 2 * sizes.t_str / rates.broadcast)]
    after = work.option.logical.inference is Inference.AFTER_JOIN
    other = sizes.t_img if after else sizes.s_single
    moved = (sizes.t_str + other) * work.fraction
    return [("join", 2 * rates.job_seconds + moved / (rates.shuffle * physical.nodes))]


def _train(number: int, width: int, work: _Work) -> Parts:
    facts, rates, physical = work.facts, work.facts.rates, work.option.physical
    workload = facts.snapshot.workload
    seconds = training_seconds(
        facts, workload.estimator.family, width, work.fraction, physical.training, physical.nodes
    )
    if number != work.first_train:
        return [("train", seconds)]
    cold = rates.mllib_first if physical.training is TrainingSite.CLUSTER else 0.0
    spill = work.spill * work.fraction * (1 / rates.disk_write + 1 / rates.disk_read) / physical.nodes
    return [("start", cold), ("train", seconds), ("spill", spill)]


def _baselines(step: TrainBaselines, work: _Work) -> Parts:
    """The same model and a tree on the table alone; with no structured features there is nothing to fit."""
    d_s = work.facts.snapshot.statistics.structured_features
    if d_s == 0:
        return _train(step.number, 0, work)
    physical = work.option.physical
    tree = training_seconds(work.facts, "tree", d_s, work.fraction, physical.training, physical.nodes)
    return [*_train(step.number, d_s, work), ("train", tree)]
