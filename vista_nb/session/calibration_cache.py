"""What was measured on this machine, kept: one small file per model and precision, one for the machine itself.

Reads and writes `calibration/MACHINE/*.json` below the cache folder; returns frozen records. May touch: those files
only. MACHINE names what a number depends on: CPU features, cores, TensorFlow, Keras, the artifact's format; a number of
another machine or version is simply not there. Files are replaced whole, so two kernels never read half of one.
DESIGN.md section 7, "Calibration".
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vista_nb.optimizer.calibration import Measured

__all__ = ["CNNRecord", "CalibrationCache", "MachineRecord", "machine_key", "merged"]

FORMAT = 1


@dataclass(frozen=True)
class CNNRecord:
    """What was measured of one model. when: seconds since 1970. source: `doctor` (a process of its own) or `run`.

    layer_seconds: layer -> seconds per image on one core from the image to it. start: of a worker, to its first batch.
    peaks: (batch size, most resident bytes of a worker). serialized: bytes of the artifact.
    """

    cnn: str
    builder: str
    digest: str
    precision: str
    when: float
    source: str
    layer_seconds: Mapping[str, Measured] = field(default_factory=dict)
    start: Measured | None = None
    peaks: tuple[tuple[int, int], ...] = ()
    serialized: int = 0


@dataclass(frozen=True)
class MachineRecord:
    """rates: field of `Rates` -> Measured, by `doctor` or from a first run's decoding. samples: what the steps of the
    last runs say, by group of rates (`step_rates.GROUPS`).
    """

    when: float
    rates: Mapping[str, Measured]
    samples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class CalibrationCache:
    """The records of this machine, or of the one named by `machine`."""

    def __init__(self, root: Path, machine: str = "") -> None:
        self._folder = root / "calibration" / (machine or machine_key())

    def cnn(self, builder: str, digest: str, precision: str) -> CNNRecord | None:
        """The model's own record, or that of the same architecture with other weights, which takes as long and holds as
        much: the best measured one, with its memory raised where a run of this very model held more. A model of the
        user's (`file:`) has its own record only.
        """
        same = [record for record in self.cnns() if (record.builder, record.precision) == (builder, precision)]
        own = next((record for record in same if record.digest == digest), None)
        if builder.startswith("file:"):
            return own
        best = max(same, key=lambda r: (r.source == "doctor", r.digest == digest, r.when), default=None)
        return merged(best, own) if best is not None and own is not None and best is not own else best

    def cnns(self) -> tuple[CNNRecord, ...]:
        """Every readable record, by name."""
        records = (_cnn(_read(path)) for path in sorted(self._folder.glob("cnn-*.json")))
        return tuple(sorted((r for r in records if r), key=lambda r: (r.cnn, r.precision, r.digest)))

    def machine(self) -> MachineRecord | None:
        return _machine(_read(self._folder / "machine.json"))

    def keep(self, record: CNNRecord | MachineRecord) -> None:
        """Replace the record of that model, or of the machine. A cache that cannot be written stays as it is."""
        name = "machine.json"
        if isinstance(record, CNNRecord):
            name = f"cnn-{hashlib.sha256(record.digest.encode()).hexdigest()[:16]}-{record.precision}.json"
        with suppress(OSError):
            _write(self._folder / name, {"format": FORMAT, **asdict(record)})


def merged(known: CNNRecord | None, fresh: CNNRecord) -> CNNRecord | None:
    """Both: what `doctor` measured stays, but for peaks that a worker went beyond. None where nothing is known."""
    if not (fresh.layer_seconds or fresh.start or fresh.peaks):
        return known
    if known is None:
        return fresh
    peaks = dict(known.peaks)
    for batch, peak in fresh.peaks:
        if peak > _expected(known, batch):
            peaks[batch] = peak
    raised = replace(known, peaks=tuple(sorted(peaks.items())))
    if known.source == "doctor":
        return raised
    return replace(
        raised,
        when=fresh.when,
        layer_seconds={**known.layer_seconds, **fresh.layer_seconds},
        start=fresh.start or known.start,
    )


def _expected(known: CNNRecord, batch: int) -> int:
    """Peak that the record already tells of at this batch size; 0 where it says nothing."""
    from vista_nb.executor.cnn.measuring import ResidentLine

    if len(known.peaks) > 1:
        return ResidentLine.through(dict(known.peaks)).at(batch)
    return dict(known.peaks).get(batch, 0)


def machine_key() -> str:
    """16 hex digits: CPU features, cores, versions."""
    from vista_nb.executor.cnn import artifact
    from vista_nb.executor.probe_machine import machine

    parts = [FORMAT, artifact.FORMAT, machine().cores, *artifact.runtime()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as made:
        json.dump(data, made, indent=1)
    Path(made.name).replace(path)


def _read(path: Path) -> dict[str, Any]:
    """Empty where absent, broken or of another format: then it is measured again."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and data.pop("format", None) == FORMAT else {}


def _cnn(data: dict[str, Any]) -> CNNRecord | None:
    try:
        return CNNRecord(
            **{
                **data,
                "layer_seconds": {name: Measured(**value) for name, value in data["layer_seconds"].items()},
                "start": Measured(**data["start"]) if data["start"] else None,
                "peaks": tuple((int(batch), int(peak)) for batch, peak in data["peaks"]),
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _machine(data: dict[str, Any]) -> MachineRecord | None:
    try:
        rates = {name: Measured(**value) for name, value in data["rates"].items()}
        samples = {group: tuple(map(float, scales)) for group, scales in data.get("samples", {}).items()}
        return MachineRecord(float(data["when"]), rates, samples)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
