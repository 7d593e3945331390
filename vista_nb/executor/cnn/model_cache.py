"""The models of one worker process: loaded once, kept from task to task, never more than the plan counts.

Reads artifacts, returns them as functions. May touch: TensorFlow, through `artifact.load`. DESIGN.md section 8. Spark
rebuilds closures for every task but not this module, and it reuses its workers. The passes of a staged plan are parts
of one CNN: together they weigh what the whole does, so they stay side by side.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vista_nb.executor.cnn.artifact import GRAPH_FILE, WEIGHTS_FILE, Infer, load

__all__ = ["forget", "held", "loads", "model"]


@dataclass(frozen=True)
class _Held:
    """size: bytes of weights."""

    infer: Infer
    size: int


_models: dict[str, _Held] = {}  # least recently used first
_loads: list[str] = []  # every load of this process, in order


def model(folder: Path, most: int = 0) -> Infer:
    """The artifact as a function; a rebuilt artifact is another. most: bytes of weights to keep (this one always)."""
    state = (folder / GRAPH_FILE).stat()
    key = f"{folder}:{state.st_mtime_ns}:{state.st_ino}"
    found = _models.pop(key, None)
    if found is None:
        size = (folder / WEIGHTS_FILE).stat().st_size
        _make_room(most - size)
        found = _Held(load(folder), size)
        _loads.append(str(folder))
    _models[key] = found
    return found.infer


def loads() -> tuple[str, ...]:
    """The folders of the artifacts that this process has loaded, in order; one twice if it was loaded twice."""
    return tuple(_loads)


def held() -> tuple[str, ...]:
    """The folders of the artifacts in memory now."""
    return tuple(key.rsplit(":", 2)[0] for key in _models)


def forget() -> None:
    """Drop every model and hand the freed memory back to the system (glibc keeps it otherwise)."""
    _models.clear()
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def _make_room(most: int) -> None:
    while _models and sum(one.size for one in _models.values()) > most:
        _models.pop(next(iter(_models)))
