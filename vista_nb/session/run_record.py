"""Calibration for nothing: what a run's own workers needed becomes the measured numbers of the next plan.

Reads what the workers told of themselves (executor/cnn/usage.py), merges it into the calibration cache. May touch: that
cache. DESIGN.md section 7, "Calibration: measured on first use". No process is started and no run waits: a probe beside
the user's next cell would take a core and the memory of a worker. `vista-nb doctor --calibrate` measures more finely,
and its seconds are never overwritten; its memory is raised where a worker held more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts
from vista_nb.optimizer.calibration import Measured, calibrate
from vista_nb.optimizer.precision import in_doubt
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.session.calibrating import LEAST_SPREAD, mode, of_this_machine
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord, MachineRecord, merged
from vista_nb.session.folders import cache_root
from vista_nb.session.step_rates import folded, scales_of

if TYPE_CHECKING:
    from vista_nb.executor.cnn.usage import PassUsage
    from vista_nb.outcome.scores import RunOutcome
    from vista_nb.plan.candidate import Plan
    from vista_nb.session.prepare import Prepared

__all__ = ["decode_scale", "record_steps", "record_usage", "seen"]

_IMAGES = 64  # of a pass beyond the workers' first batches: fewer say little
_LEAST_BATCH = 16  # of a pass whose seconds per image are kept
_BATCHES = 4  # of one worker before its peak counts: memory grows over the first few


def record_usage(prepared: Prepared, passes: Sequence[PassUsage]) -> None:
    """Keep what the passes from the photo showed of this machine; a cache that cannot be written is no error."""
    system, workload = prepared.snapshot.system, prepared.workload
    if mode() != "auto" or prepared.model is None or system.gpu_memory or not of_this_machine(workload, system):
        return
    cache = CalibrationCache(cache_root())
    fresh = CNNRecord(
        workload.cnn.name, workload.cnn.builder, prepared.model.digest, workload.precision.value, time.time(), "run"
    )
    with suppress(OSError, ValueError):
        known = next((r for r in cache.cnns() if (r.digest, r.precision) == (fresh.digest, fresh.precision)), None)
        found = merged(known, seen(fresh, workload.cnn, passes))
        if found is not None and found != known:
            cache.keep(found)


def record_steps(prepared: Prepared, plan: Plan, outcome: RunOutcome, passes: Sequence[PassUsage]) -> None:
    """Keep what the steps of a run that ended well took, as one sample more of this machine's rates."""
    if mode() != "auto" or not of_this_machine(prepared.workload, prepared.snapshot.system):
        return
    snapshot, used = prepared.snapshot, in_doubt(DEFAULT, prepared.workload)
    if prepared.calibration is not None:
        snapshot, used = calibrate(snapshot, used, prepared.calibration)
    cache = CalibrationCache(cache_root())
    with suppress(OSError, ValueError):
        known = cache.machine() or MachineRecord(time.time(), {})
        decoded = decode_scale(passes, snapshot.statistics.mean_pixels)
        samples = folded(known.samples, scales_of(plan, outcome, snapshot, used) | decoded)
        if samples != known.samples:
            cache.keep(replace(known, when=time.time(), samples=samples))


def seen(record: CNNRecord, cnn: CNNFacts, passes: Sequence[PassUsage]) -> CNNRecord:
    """The record with what these passes show; as it was where they show too little."""
    for one in passes:
        if one.start is not None:
            continue
        top = max(one.layers, key=[layer.name for layer in cnn.layers].index)
        timed = [worker for worker in one.workers if worker.images]
        # small batches pay a call for few images, and raw outputs are packed: neither is the CNN's
        whole = one.pooled and one.batch_size >= _LEAST_BATCH
        if whole and sum(worker.images for worker in timed) >= _IMAGES:
            seconds = Measured.middle([worker.infer_seconds for worker in timed]).widened(LEAST_SPREAD)
            record = replace(record, layer_seconds={**record.layer_seconds, top: seconds})
            started = [worker.start_seconds for worker in timed if worker.start]
            if started:
                record = replace(record, start=Measured.middle(started).widened(LEAST_SPREAD))
        if one.pooled and _to_the_top(top, cnn):
            record = replace(record, peaks=_raised(record.peaks, one))
    return record


def _to_the_top(top: str, cnn: CNNFacts) -> bool:
    """Whether a pass to this layer holds about what a whole one does; one that stops early shows too little memory."""
    places = {layer.name: place for place, layer in enumerate(cnn.layers)}
    default = [layer for layer in cnn.layers if layer.name in cnn.default_layers]
    # the class layer may be absent from the weights; VGG16's fc6 and fc7, most of its bytes, must be there
    needed = [layer for layer in default if not layer.is_class] or default
    return places[top] >= max((places[layer.name] for layer in needed), default=0)


def _raised(peaks: tuple[tuple[int, int], ...], one: PassUsage) -> tuple[tuple[int, int], ...]:
    held = [worker.peak for worker in one.workers if worker.alone and worker.batches >= _BATCHES]
    known = dict(peaks)
    if held:
        known[one.batch_size] = max(*held, known.get(one.batch_size, 0))
    return tuple(sorted(known.items()))


def decode_scale(passes: Sequence[PassUsage], pixels: int) -> dict[str, float]:
    """What this machine took to decode photos of this size, against the usual rates; nothing where there were few."""
    workers = [worker for one in passes for worker in one.workers if worker.decoded]
    if sum(worker.decoded for worker in workers) < _IMAGES:
        return {}
    usual = DEFAULT.decode_seconds + DEFAULT.file_seconds + DEFAULT.decode_pixel_seconds * pixels
    return {"decode": median(worker.decode_seconds / worker.decoded / usual for worker in workers)}
