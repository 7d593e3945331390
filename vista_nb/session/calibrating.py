"""Calibration of this machine: which measured numbers a plan may use, and measuring them when asked.

Reads and writes the calibration cache; starts throw-away processes for `doctor --calibrate` only. Returns the pure
optimizer's `Calibration`. May touch: the cache folder, subprocesses. DESIGN.md section 7, "Calibration"; what a run
records for nothing is `run_record`'s part. VISTA_NB_CALIBRATE: auto
(default), read (runs record nothing), never.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.catalog.workload import Workload
from vista_nb.optimizer.calibration import Calibration, Measured, measured_cnn
from vista_nb.optimizer.memory import BATCH_OF_ROSTER, MARGIN_PERCENT
from vista_nb.optimizer.rates import Rates
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord, MachineRecord
from vista_nb.session.folders import cache_root
from vista_nb.session.step_rates import rates_of
from vista_nb.spec.model import Pooling

if TYPE_CHECKING:
    from pathlib import Path

    from vista_nb.executor.inputs import ModelSource

__all__ = ["as_measured", "calibrate", "default_cnns", "known", "mode", "of_this_machine"]

LEAST_SPREAD = 0.1  # a worker shares caches and memory with its neighbours; the measuring process had none
_RATES = frozenset(field.name for field in fields(Rates))
Say = Callable[[str], None]


def mode() -> str:
    """`auto`, `read` or `never`; deterministic output (`VISTA_NB_UI=static`) uses no number of the machine either."""
    given = os.environ.get("VISTA_NB_CALIBRATE", "").strip().lower()
    if given in ("auto", "read", "never"):
        return given
    return "never" if os.environ.get("VISTA_NB_UI", "").strip().lower() == "static" else "auto"


def known(workload: Workload, system: SystemFacts, digest: str) -> Calibration | None:
    """What was measured here of this machine and this model; None for a plan about other machines, or in mode `never`.

    Reads small files and measures nothing: EXPLAIN may ask.
    """
    if mode() == "never" or not of_this_machine(workload, system):
        return None
    cache = CalibrationCache(cache_root())
    machine, cnn = cache.machine(), workload.cnn
    # with a GPU the worker computes elsewhere than what was measured
    record = None if system.gpu_memory else cache.cnn(cnn.builder, digest, workload.precision.value)
    if machine is None and record is None:
        return None
    rates = _machine_rates(machine) if machine else {}
    if record is None:
        return Calibration(rates, note=_note("rates", machine.when if machine else 0.0)) if rates else None
    resident, per_image, least = _line(cnn, record)
    return Calibration(
        rates,
        cnn.name,
        record.layer_seconds,
        record.start,
        resident,
        per_image,
        least,
        _note(f"{cnn.name}'s seconds and memory", record.when),
    )


def _machine_rates(machine: MachineRecord) -> dict[str, Measured]:
    """What the runs' steps say, and before it what `doctor` measured by itself."""
    found = {**rates_of(machine.samples), **machine.rates}
    return {name: value.widened(LEAST_SPREAD) for name, value in found.items() if name in _RATES}


def of_this_machine(workload: Workload, system: SystemFacts) -> bool:
    """Whether the plan is for the machine this runs on: one local node, no larger than what is here."""
    from vista_nb.executor.probe_machine import host_memory, machine

    given = workload.spec.resources
    if not system.is_local or (given.nodes or 1) > 1:
        return False
    return system.cores <= machine().cores and system.memory <= host_memory()


def as_measured(cnn: CNNFacts) -> tuple[CNNFacts, str]:
    """For listings: the CNN with this machine's seconds where there are any, and a sentence saying whose they are."""
    record = None if mode() == "never" else CalibrationCache(cache_root()).cnn(cnn.builder, "", "float32")
    if record is not None and record.layer_seconds:
        found = Calibration({}, cnn.name, record.layer_seconds)
        return measured_cnn(cnn, found), f"seconds {_measured_here(record.when)}"
    if cnn.builder.startswith("file:"):
        return cnn, "seconds estimated from FLOPs; `doctor --calibrate` and this file (or `$variable`) measures them"
    return cnn, f"seconds the roster's; `vista-nb doctor --calibrate {cnn.name}` measures this machine"


def _line(cnn: CNNFacts, record: CNNRecord) -> tuple[int | None, int | None, int | None]:
    """(resident at the roster's batch, per image, at least). From one batch size, the slope is the roster's.

    Without one, the number is taken with its margin where the batch was the roster's, else not at all.
    """
    from vista_nb.executor.cnn.measuring import ResidentLine

    peaks = dict(record.peaks)
    if not peaks:
        return None, None, None
    line = ResidentLine.through(peaks)
    if len(peaks) == 1:
        if not cnn.resident_per_image:
            at_roster = peaks.get(BATCH_OF_ROSTER)
            return (at_roster * (100 + MARGIN_PERCENT) // 100 if at_roster else None), None, None
        line = ResidentLine(max(peak - cnn.resident_per_image * b for b, peak in peaks.items()), cnn.resident_per_image)
    return line.at(BATCH_OF_ROSTER), max(1, line.per_image), line.least  # 0 would say that no line was measured


def _note(what: str, when: float) -> str:
    return f"{what} {_measured_here(when)}"


def _measured_here(when: float) -> str:
    return f"as measured on this machine, {time.strftime('%Y-%m-%d %H:%M', time.localtime(when))}"


def default_cnns() -> tuple[CNNFacts, ...]:
    """The bundled CNN, and those of the roster that were prepared on this machine before."""
    from vista_nb.executor.cnn.prepare import known_builders

    used = known_builders(cache_root())
    return tuple(cnn for cnn in load_roster().cnns if cnn.builder == "bundled" or cnn.builder in used)


def calibrate(cnns: Sequence[CNNFacts], say: Say) -> tuple[CNNRecord, ...]:
    """Measure the machine and these CNNs, one throw-away process after the other, and keep what was found.

    Raises what `resolve_model` and the processes raise; what was measured until then stays.
    """
    from vista_nb.executor.cnn.measuring import measure_machine

    cache = CalibrationCache(cache_root())
    say("this machine: decoding photos, writing and reading the disk")
    known_machine = cache.machine()
    samples = known_machine.samples if known_machine else {}
    cache.keep(MachineRecord(time.time(), _rates(measure_machine()), samples))
    records = []
    for cnn in cnns:
        records.append(_measured(cnn, partial(_said, say, cnn.name)))
        cache.keep(records[-1])
    return tuple(records)


def _said(say: Say, name: str, line: str) -> None:
    say(f"{name}: {line}")


def _rates(found: dict[str, tuple[float, ...]]) -> dict[str, Measured]:
    """Seconds by their least, bytes per second by their median."""
    return {
        name: (Measured.least(values) if name.endswith("seconds") else Measured.middle(values)).widened(LEAST_SPREAD)
        for name, values in found.items()
    }


def _measured(cnn: CNNFacts, say: Say) -> CNNRecord:
    from vista_nb.executor.cnn.measuring import measure_prefixes, measure_worker

    with ExitStack() as holding:
        say("making the inference artifact")
        source, layers, folder = _artifact(cnn, holding)
        worker = measure_worker(folder, cnn, say=say)
        say("seconds per image, layer by layer")
        seconds = measure_prefixes(folder, layers)
    return CNNRecord(
        cnn.name,
        cnn.builder,
        source.digest,
        "float32",
        time.time(),
        "doctor",
        {name: Measured.least(values).widened(LEAST_SPREAD) for name, values in seconds.items()},
        Measured.least(worker.start_seconds).widened(LEAST_SPREAD),
        tuple(worker.peaks.items()),
        worker.serialized,
    )


def _artifact(cnn: CNNFacts, holding: ExitStack) -> tuple[ModelSource, tuple[str, ...], Path]:
    """The artifact of a plain run: default layers, max 2x2. Random weights where ImageNet's are not on this disk: they
    take as long and hold as much.
    """
    from vista_nb.executor.cnn.applications import imagenet_file
    from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model

    weights = cnn.default_weights
    if weights == "imagenet" and not imagenet_file(cnn.builder).exists():
        weights = "random"
    root = cache_root()
    source = resolve_model(cnn, weights, 0, root)
    chosen = (cnn.layer(name) for name in cnn.default_layers)
    layers = tuple(layer.name for layer in chosen if layer and (source.include_top or not layer.is_class))
    folder = prepare_artifact(source, cnn, None, layers, Pooling.MAX_2X2, "float32", root, holding=holding)
    return source, layers, folder
