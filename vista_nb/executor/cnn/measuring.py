"""The kernel's side of measuring a CNN: which throw-away processes, and their answers as one value.

Reads an artifact's folder, starts `measure` once per number; returns a `MeasuredArtifact`. May touch: subprocesses, a
temporary folder; never TensorFlow itself. DESIGN.md section 7, "Calibration". The resident memory of a worker is a line
over the batch size, and each batch size has a process of its own: as in Spark, the model is loaded while the first
batches are already decoded.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vista_nb.catalog.roster import CNNFacts
from vista_nb.executor.cnn.artifact import artifact_bytes, usable_meta
from vista_nb.executor.cnn.throwaway import ask
from vista_nb.executor.cnn.worker import InferenceTask

__all__ = ["MeasuredArtifact", "ResidentLine", "measure_machine", "measure_prefixes", "measure_worker"]

_MODULE = "vista_nb.executor.cnn.measure"
_CPU_ONLY = {"CUDA_VISIBLE_DEVICES": ""}
BATCHES = (1, 8, 32)
ROUNDS = 4


@dataclass(frozen=True)
class ResidentLine:
    """Bytes of one worker: what loading takes (least) or what a batch takes (fixed + per_image x batch), if more."""

    fixed: int
    per_image: int
    least: int = 0

    def at(self, batch: int) -> int:
        return max(self.least, self.fixed + self.per_image * batch)

    @classmethod
    def through(cls, peaks: Mapping[int, int]) -> ResidentLine:
        """The least batch gives `least`, the others a slope that never falls, with none of them above the line."""
        least = min(peaks)
        others = {batch: peak for batch, peak in peaks.items() if batch > least} if len(peaks) > 2 else peaks
        low, high = min(others), max(others)
        per_image = max(0, -(-(others[high] - others[low]) // (high - low))) if high > low else 0
        return cls(max(peak - per_image * batch for batch, peak in others.items()), per_image, peaks[least])


@dataclass(frozen=True)
class MeasuredArtifact:
    """What a worker with this artifact costs. serialized: bytes of graph and weights. start_seconds: CPU seconds of a
    fresh process up to and with its first batch of 1, one per process. peaks: batch size -> bytes.
    """

    serialized: int
    start_seconds: tuple[float, ...] = ()
    peaks: Mapping[int, int] = field(default_factory=dict)

    @property
    def resident(self) -> ResidentLine:
        return ResidentLine.through(self.peaks)


def measure_worker(
    folder: Path,
    cnn: CNNFacts | Mapping[str, Any],
    *,
    batches: Sequence[int] = BATCHES,
    rounds: int = ROUNDS,
    cancel: threading.Event | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> MeasuredArtifact:
    """Start-up and resident memory of a worker with the artifact in `folder`: one fresh process per batch size.

    cnn: its roster facts (or a mapping with input_height, input_width, preprocessing). rounds: batches per process.
    Raises VST444 where the artifact cannot be used here, VST540 where the process dies; VistaCancelled.
    """
    meta = usable_meta(folder)
    facts = cnn if isinstance(cnn, Mapping) else vars(cnn)
    task = InferenceTask(
        artifact=str(folder),
        height=facts["input_height"],
        width=facts["input_width"],
        preprocessing=facts["preprocessing"],
        layers=meta.layers,
        pooled=meta.pooled,
        channels=facts.get("channels", 3),
    )
    started: list[float] = []
    peaks: dict[int, int] = {}
    for batch in batches:
        say(f"start-up, and resident memory at batch {batch}")
        given = asdict(replace(task, batch_size=batch))
        answer = _ask({"what": "worker", "task": given, "rounds": rounds}, cancel)
        started.append(float(answer["start_seconds"]))
        peaks[batch] = int(answer["peak"])
    return MeasuredArtifact(artifact_bytes(folder), tuple(started), peaks)


def measure_prefixes(
    folder: Path,
    layers: Sequence[str],
    *,
    batch: int = 16,
    repetitions: int = 3,
    cancel: threading.Event | None = None,
) -> dict[str, tuple[float, ...]]:
    """CPU seconds per image from the image to each layer, one per repetition; one thread, decoding left out.

    folder: an artifact from the image whose outputs hold `layers`. Raises what `measure_worker` raises.
    """
    ((_, _, input_shape),) = usable_meta(folder).inputs
    request = {
        "what": "prefixes",
        "folder": str(folder),
        "layers": list(layers),
        "batch": batch,
        "repetitions": repetitions,
        "input_shape": input_shape,
    }
    answer = _ask(request, cancel)
    return {name: tuple(map(float, seconds)) for name, seconds in answer["seconds"].items()}


def measure_machine(cancel: threading.Event | None = None) -> dict[str, tuple[float, ...]]:
    """Field of `Rates` -> what each repetition gave: decoding and the disk, about a second in all."""
    answer = _ask({"what": "machine"}, cancel)
    return {name: tuple(map(float, values)) for name, values in answer["rates"].items()}


def _ask(request: Mapping[str, Any], cancel: threading.Event | None) -> dict[str, Any]:
    room = Path(tempfile.gettempdir())
    return ask(_MODULE, request, room, cancel, environment=_CPU_ONLY, doing="measuring", step="measure")
