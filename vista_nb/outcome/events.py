"""What happens during a run, as typed values: the only way the executor speaks to the views.

Reads nothing, returns frozen values. May touch: nothing (standard library only).
Every event carries `stage` (the number of the plan's step, from 1; 0 for the run itself) and `wave` (from 1).
Seconds are since the run's start, set by the emitter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vista_nb.outcome.scores import LayerScore

__all__ = [
    "BatchDone",
    "Emit",
    "Event",
    "LayerReused",
    "LayerScored",
    "LayerStored",
    "LogLine",
    "MemorySampled",
    "RunFinished",
    "RunStarted",
    "StageFinished",
    "StageStarted",
    "StoreEntry",
    "StoreListed",
]


@dataclass(frozen=True)
class Event:
    stage: int = 0
    wave: int = 1
    at: float = 0.0


@dataclass(frozen=True)
class RunStarted(Event):
    """`layers` low to high, `images` distinct images that will be inferred, `stages` steps of the plan."""

    layers: tuple[str, ...] = ()
    images: int = 0
    stages: int = 0
    waves: int = 1


@dataclass(frozen=True)
class StageStarted(Event):
    """`kind` is the plan step's kind (`infer`, `train`, ...), `layers` what it works on, `title` for people."""

    kind: str = ""
    layers: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class StageFinished(Event):
    kind: str = ""
    layers: tuple[str, ...] = ()
    seconds: float = 0.0
    rows: int = 0


@dataclass(frozen=True)
class BatchDone(Event):
    """`done` of `total` images of this stage are through the CNN."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class LayerScored(Event):
    """A layer was trained and scored; `final` is false for an interim score of an early wave."""

    score: LayerScore | None = None
    final: bool = True


@dataclass(frozen=True)
class LayerReused(Event):
    """A layer came from the store: which run made it, its age, bytes, and the seconds that inference had cost.

    raw: its raw tensors, which inference goes on from. memory: it lay in Storage Memory, and came from no disk.
    pooling: it was made of the features of this other pooling, which hold it. remote: this run fetched some of it from
    the remote store.
    """

    layer: str = ""
    run: str = ""
    rows: int = 0
    size: int = 0
    age_seconds: float = 0.0
    saved_seconds: float = 0.0
    raw: bool = False
    memory: bool = False
    pooling: str = ""
    remote: bool = False


@dataclass(frozen=True)
class LayerStored(Event):
    """Rows of a layer went into the store, `size` bytes on disk. raw: its raw tensors; later: kept for later cells, not
    asked for by this one.
    """

    layer: str = ""
    rows: int = 0
    size: int = 0
    raw: bool = False
    later: bool = False


@dataclass(frozen=True)
class MemorySampled(Event):
    """Resident bytes now, per region of the plan (`driver`, `jvm`, `workers`)."""

    driver: int = 0
    jvm: int = 0
    workers: int = 0


@dataclass(frozen=True)
class StoreEntry:
    """One layer set of the store. form: `avg`, `raw`, ...; written: some of it by this run; times, saved_seconds: runs
    that read it, and the inference they did without.
    """

    cnn: str
    layer: str
    form: str = ""
    rows: int = 0
    size: int = 0
    run: str = ""
    age_seconds: float = 0.0
    times: int = 0
    saved_seconds: float = 0.0
    pinned: bool = False
    written: bool = False


@dataclass(frozen=True)
class StoreListed(Event):
    """What the store holds now: the entries of most use here first. holds: layer sets in all; size of `budget` bytes;
    saved_seconds: of all of them.
    """

    entries: tuple[StoreEntry, ...] = ()
    holds: int = 0
    size: int = 0
    budget: int = 0
    saved_seconds: float = 0.0


@dataclass(frozen=True)
class LogLine(Event):
    """`level` is info, warning or error; `text` is one line, not escaped."""

    level: str = "info"
    text: str = ""


@dataclass(frozen=True)
class RunFinished(Event):
    """`status` is done, failed or cancelled."""

    status: str = "done"
    seconds: float = 0.0
    message: str = ""


Emit = Callable[[Event], None]
