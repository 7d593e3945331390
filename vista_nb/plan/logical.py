"""The logical plan: which layers come from where, in which order, joined when, pooled where.

Reads nothing, returns frozen values. May touch: nothing. Paper: section 4.2.2 and Figure 5 (Lazy, Eager, Staged;
inference before or after the join), widened by the pooling's place and by layers loaded from the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Infer",
    "Inference",
    "Join",
    "Load",
    "LogicalPlan",
    "Materialization",
    "Pool",
    "PoolingPlace",
    "Release",
    "Save",
    "ScanImages",
    "ScanStructured",
    "Step",
    "Train",
    "TrainBaselines",
]


class Materialization(StrEnum):
    LAZY = "lazy"
    EAGER = "eager"
    STAGED = "staged"


class Inference(StrEnum):
    BEFORE_JOIN = "before_join"
    AFTER_JOIN = "after_join"


class PoolingPlace(StrEnum):
    PULLED_UP = "pulled_up"
    PUSHED_DOWN = "pushed_down"


@dataclass(frozen=True)
class Step:
    """A node of the plan, in execution order; `number` counts from 1. Events carry it as their stage."""

    number: int


@dataclass(frozen=True)
class ScanStructured(Step):
    """Read T_str: keys, label, encoded structured features (fitted on train rows)."""


@dataclass(frozen=True)
class ScanImages(Step):
    """Read T_img: the link table (key, view, digest) and one row per distinct digest."""


@dataclass(frozen=True)
class Join(Step):
    """T_str with T_img's links on the key. before the CNN: only joined images are inferred."""


@dataclass(frozen=True)
class Load(Step):
    """Take `layers` (pooled features) from the store, for the images it holds.

    raw: the raw tensors of one lower cut instead, which inference starts from in the place of images; images: of how
    many. memory: also from the tables that this session keeps in Storage Memory.
    """

    layers: tuple[str, ...]
    raw: bool = False
    images: int = 0
    memory: bool = False


@dataclass(frozen=True)
class Infer(Step):
    """f̂ from `start` (None: the image) to `layers`, in one pass over the images the store lacks.

    pooled: outputs are g_l of each layer (push-down); else raw tensors (lists of name, dtype, shape, bytes).
    images: how many go through. beside: layers that lie on the way anyway, pooled too and kept for later cells.
    """

    start: str | None
    layers: tuple[str, ...]
    pooled: bool
    images: int
    beside: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the pass gives, in the order of its artifact: the wanted layers first."""
        return (*self.layers, *self.beside)


@dataclass(frozen=True)
class Pool(Step):
    """g_l of one raw layer (pooling pulled up)."""

    layer: str


@dataclass(frozen=True)
class Save(Step):
    """Pooled features of `layers` into the store's disk tier; raw: the raw tensors of one, of so many images.

    beside: of these too, where the store has room to spare.
    """

    layers: tuple[str, ...]
    raw: bool = False
    images: int = 0
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainBaselines(Step):
    """The structured features alone: same model, and a tree model."""


@dataclass(frozen=True)
class Train(Step):
    """Train and score M on the structured features joined with `layer`'s."""

    layer: str


@dataclass(frozen=True)
class Release(Step):
    """Drop the raw tensors of `layer`: their last reader is done."""

    layer: str


@dataclass(frozen=True)
class LogicalPlan:
    """The decisions of section 4.2.2. start_layer None means from images. steps: in execution order.

    waves: rows come in this many growing samples (about 10 %, 30 %, 100 % for 3; 30 %, 100 % for 2). via: untrained
    layers that a staged plan passes through, low to high. cut: the layer whose raw tensors are loaded from the store,
    or made for it, and that all else is inferred from.
    """

    materialization: Materialization
    inference: Inference
    pooling: PoolingPlace
    start_layer: str | None = None
    waves: int = 1
    steps: tuple[Step, ...] = ()
    via: tuple[str, ...] = ()
    cut: str | None = None

    @property
    def name(self) -> str:
        """`staged, after join, pulled up`: the plan in words."""
        place = self.pooling.value.replace("_", " ")
        return f"{self.materialization.value}, inference {self.inference.value.replace('_', ' ')}, pooling {place}"
