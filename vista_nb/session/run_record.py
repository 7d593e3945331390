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
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts
from vista_nb.optimizer.calibration import Measured
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.session.calibrating import LEAST_SPREAD, mode, of_this_machine
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord, MachineRecord, merged
from vista_nb.session.folders import cache_root

if TYPE_CHECKING:
    from vista_nb.executor.cnn.usage import PassUsage
    from vista_nb.session.prepare import Prepared

__all__ = ["record_usage", "seen"]

_IMAGES = 64  # of a pass beyond the workers' first batches: fewer say little
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
        machine = _decoding(passes, prepared.snapshot.statistics.mean_pixels)
        if machine is not None and cache.machine() is None:
            cache.keep(machine)


def seen(record: CNNRecord, cnn: CNNFacts, passes: Sequence[PassUsage]) -> CNNRecord:
    """The record with what these passes show; as it was where they show too little."""
    for one in passes:
        if one.start is not None:
            continue
        top = max(one.layers, key=[layer.name for layer in cnn.layers].index)
        timed = [worker for worker in one.workers if worker.images]
        if sum(worker.images for worker in timed) >= _IMAGES:
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


def _decoding(passes: Sequence[PassUsage], pixels: int) -> MachineRecord | None:
    """Both parts of the decoding model, scaled as one to what this machine took for photos of this size."""
    workers = [worker for one in passes for worker in one.workers if worker.decoded]
    if sum(worker.decoded for worker in workers) < _IMAGES:
        return None
    usual = DEFAULT.decode_seconds + DEFAULT.file_seconds + DEFAULT.decode_pixel_seconds * pixels
    scale = Measured.middle([worker.decode_seconds / worker.decoded / usual for worker in workers])
    names = ("decode_seconds", "decode_pixel_seconds", "file_seconds")
    rates = {
        name: Measured(*(getattr(DEFAULT, name) * s for s in (scale.value, scale.low, scale.high))) for name in names
    }
    return MachineRecord(time.time(), {name: rate.widened(LEAST_SPREAD) for name, rate in rates.items()})
