"""What an inference worker needed, told by itself: CPU seconds per image, start-up, peak memory. It costs nothing.

`watched` runs in the worker around its task and leaves one small file per process in a folder; `told` reads them in the
kernel. May touch: that folder, /proc/self/status. DESIGN.md section 7, "Calibration": measured on first use. CPU time
and not the clock: what else the machine does must not enter.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["PassUsage", "Usage", "decoding", "own_peak", "told", "watched"]


@dataclass
class Usage:
    """One process in one pass. images and seconds: CPU, decoding included, of the batches after its first; decode: the
    decoder's part of these seconds. decoded, decode_seconds: of all photos. start: CPU seconds of the process up to the
    end of its first batch (of first_images), 0 where it had started before this pass. peak: most resident bytes since
    it began; alone: it never loaded another artifact. batches: after the first.
    threads: TensorFlow's. held: folders of the artifacts in its memory afterwards.
    """

    process: int = 0
    images: int = 0
    batches: int = 0
    seconds: float = 0.0
    decode: float = 0.0
    decoded: int = 0
    decode_seconds: float = 0.0
    start: float = 0.0
    first_images: int = 0
    peak: int = 0
    alone: bool = False
    threads: int = 0
    held: tuple[str, ...] = ()

    @property
    def infer_seconds(self) -> float:
        """Core seconds per image without decoding."""
        return max(0.0, self.seconds - self.decode) / self.images if self.images else 0.0

    @property
    def start_seconds(self) -> float:
        """CPU seconds of the process up to a first batch of one photo, like the roster's; 0 where it was not fresh."""
        decode = self.decode_seconds / self.decoded if self.decoded else 0.0
        return max(0.0, self.start - (self.first_images - 1) * (self.infer_seconds + decode))


@dataclass(frozen=True)
class PassUsage:
    """One pass: its layers, where it started (None: the photo), whether vectors came out, and its workers."""

    layers: tuple[str, ...]
    start: str | None
    pooled: bool
    batch_size: int
    workers: tuple[Usage, ...]


_passes: dict[str, Usage] = {}  # folder -> this process' usage; only the last pass is kept
_ever: list[str] = []  # folders of passes in which this process yielded a batch


@contextmanager
def decoding(images: int) -> Iterator[None]:
    """Around the decoding of so many photos, in whichever thread does it."""
    began = time.thread_time()
    try:
        yield
    finally:
        for usage in _passes.values():
            usage.decoded += images
            usage.decode_seconds += time.thread_time() - began


def watched(folder: str, work: Callable[[Iterator[Any]], Iterator[Any]], batches: Iterator[Any]) -> Iterator[Any]:
    """`work(batches)`, in a worker, and afterwards this process' file in `folder`."""
    if folder not in _passes:
        _passes.clear()
        _passes[folder] = Usage(os.getpid())
    usage = _passes[folder]
    before, decoded = time.process_time(), usage.decode_seconds
    for batch in work(batches):
        now = time.process_time()
        if folder in _ever:
            usage.images += batch.num_rows
            usage.batches += 1
            usage.seconds += now - before
            usage.decode += usage.decode_seconds - decoded
        else:
            usage.start = now if not _ever else 0.0
            usage.first_images = batch.num_rows
            _ever.append(folder)
        before, decoded = now, usage.decode_seconds
        yield batch
    _tell(folder, usage)


def _tell(folder: str, usage: Usage) -> None:
    from vista_nb.executor.cnn.devices import own_threads
    from vista_nb.executor.cnn.model_cache import held, loads

    usage.threads, usage.held = own_threads(), held()
    usage.peak, usage.alone = own_peak() or 0, len(set(loads())) == 1
    with suppress(OSError):  # another machine: no shared folder, nothing to learn from
        place = Path(folder) / f"{usage.process}.json"
        part = place.with_suffix(".part")
        part.write_text(json.dumps(asdict(usage)), encoding="utf-8")
        part.replace(place)


def told(folder: str) -> tuple[Usage, ...]:
    """What the workers of a pass left, by process; a broken file is left out."""
    found = []
    for path in sorted(Path(folder).glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            found.append(Usage(**json.loads(path.read_text(encoding="utf-8"))))
    return tuple(found)


def own_peak() -> int | None:
    """Bytes this process has held at most; None where the system does not tell. Not ru_maxrss: on Linux that begins
    with the parent's peak.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else None
