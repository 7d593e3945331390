"""The spec as a value: what one `%%vista` cell says, typed, before any name in it is looked up.

Reads nothing, returns frozen values. May touch: nothing (standard library only).
The four inputs of the paper's API (section 3.3): system, CNN and layers, downstream routine, data tables.
Names are still text here; `catalog.bind` checks them against roster, estimators and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "Argument",
    "BadImages",
    "DataSource",
    "EstimatorCall",
    "FeatureColumn",
    "ImageSource",
    "LayerChoice",
    "Literal",
    "PlanChoice",
    "Pooling",
    "Position",
    "Precision",
    "Resources",
    "Spec",
    "StatisticsOverrides",
    "Task",
    "Tune",
]

Literal = None | bool | int | float | str | tuple["Literal", ...]


@dataclass(frozen=True)
class Position:
    """Where a key's value starts in the cell text; both count from 1, 0 means no text."""

    line: int = 0
    column: int = 0
    length: int = 1


@dataclass(frozen=True)
class DataSource:
    """T_str: `$name` or a bare name (kind `variable` or `either`), a path, URI or glob (kind `path`).

    `either`: an identifier without a path separator or suffix; a variable of that name wins unless a file has it too.
    """

    text: str
    kind: str  # "variable" | "path" | "either"

    @property
    def name(self) -> str:
        """The variable's name, without `$`."""
        return self.text.removeprefix("$")


@dataclass(frozen=True)
class ImageSource:
    """One view of T_img as written: a pattern holding `{column}`, a glob, or a folder or column name.

    kind: `pattern` | `glob` | `folder_or_column` (told apart by the table's columns at bind) | `variable`.
    """

    text: str
    kind: str


@dataclass(frozen=True)
class FeatureColumn:
    """One structured feature; `category` is `name:category`, which one-hots a numeric column."""

    name: str
    category: bool = False


@dataclass(frozen=True)
class LayerChoice:
    """L as written: `top 5` (kind top), `conv5_1, fc6` (names), `a..b` (range), `all`, or `default`."""

    kind: str = "default"  # "top" | "names" | "range" | "all" | "default"
    count: int = 0
    names: tuple[str, ...] = ()


class Pooling(StrEnum):
    """g_l: what happens to a layer's H x W x C tensor before it becomes a vector."""

    MAX_2X2 = "max 2x2"
    AVG = "avg"
    MAX = "max"
    NONE = "none"


class Task(StrEnum):
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class BadImages(StrEnum):
    DROP = "drop"
    FAIL = "fail"


class Precision(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class EstimatorCall:
    """M as written: `LogisticRegression(regParam=0.01)`; literal arguments only, never evaluated.

    library: `pyspark` (bare name), `sklearn` (`sklearn.Name(...)`), `variable` (`$name`, or `$name(epochs=5)`).
    An argument may be a call itself: `OneVsRest(classifier=LinearSVC())`.
    """

    library: str
    name: str
    parameters: tuple[tuple[str, Argument], ...] = ()

    def __str__(self) -> str:
        prefix = {"sklearn": "sklearn.", "variable": "$"}.get(self.library, "")
        if self.library == "variable" and not self.parameters:
            return f"${self.name}"
        return f"{prefix}{self.name}({', '.join(f'{k}={_shown(v)}' for k, v in self.parameters)})"


Argument = Literal | EstimatorCall | tuple["Argument", ...]


def _shown(value: Argument) -> str:
    if isinstance(value, EstimatorCall):
        return str(value)
    if isinstance(value, tuple) and any(isinstance(item, EstimatorCall | tuple) for item in value):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return repr(value)


@dataclass(frozen=True)
class Tune:
    """Grid: parameter -> values, scored with `folds`-fold cross validation."""

    grid: tuple[tuple[str, tuple[Literal, ...]], ...]
    folds: int = 3


@dataclass(frozen=True)
class Resources:
    """What the user says of the machine; None is detected. memory, cores, gpu_memory are per worker node."""

    memory: int | None = None
    cores: int | None = None
    gpu_memory: int | None = None
    nodes: int | None = None
    master: str | None = None
    spark: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PlanChoice:
    """Decisions the user forces; None is the optimizer's."""

    profile: str | None = None  # "default" | "sigmod2020"
    materialization: str | None = None  # "lazy" | "eager" | "staged"
    materialize: str | None = None  # a layer: its raw tensors are kept
    start: str | None = None  # "images" | a layer whose raw tensors are stored
    speculate: str | None = None  # "auto" | "always" | "never"
    inference: str | None = None  # "before_join" | "after_join"
    pooling: str | None = None  # "pulled_up" | "pushed_down"
    waves: int | None = None
    join: str | None = None  # "shuffle" | "broadcast"
    persistence: str | None = None  # "serialized" | "deserialized"
    cpu: int | None = None
    num_partitions: int | None = None
    batch_size: int | None = None
    training: str | None = None  # "cluster" | "driver"


@dataclass(frozen=True)
class StatisticsOverrides:
    """Numbers that replace measured ones (what-if). `rows` makes a plan without any data possible."""

    rows: int | None = None
    structured_features: int | None = None  # encoded width d_s
    image_bytes: int | None = None  # mean encoded bytes of one image
    decoded_image_values: int | None = None  # set: decoded images form a table of this many float32
    cnn_serialized: int | None = None
    cnn_resident: int | None = None
    cnn_gpu: int | None = None
    model_resident: int | None = None
    model_gpu: int | None = None


@dataclass(frozen=True)
class Spec:
    """One parsed spec. None means not given, so defaults are applied in one place (`catalog.bind`)."""

    structured: DataSource | None = None
    images: tuple[ImageSource, ...] = ()
    on: str = "id"
    label: str | None = None
    features: tuple[FeatureColumn, ...] | None = None  # None: all others; (): photo alone
    cnn: str | None = None  # roster name, `.keras` path, or `$variable`
    weights: str | None = None  # imagenet | random | bundled | own | a path
    preprocessing: str | None = None  # tf | caffe | torch | none
    layers: LayerChoice = LayerChoice()
    pool: Pooling = Pooling.MAX_2X2
    views: str = "concat"  # concat | mean
    reduce: int | None = None  # pca K
    model: EstimatorCall | None = None
    tune: Tune | None = None
    task: Task | None = None
    metric: str | None = None
    test: float = 0.2
    folds: int | None = None
    seed: int = 0
    baseline: bool = True
    bad_images: BadImages = BadImages.DROP
    precision: Precision = Precision.FLOAT32
    resources: Resources = Resources()
    plan: PlanChoice = PlanChoice()
    statistics: StatisticsOverrides = StatisticsOverrides()
    text: str = field(default="", compare=False)
    positions: Mapping[str, Position] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    @property
    def held_share(self) -> float:
        """The share of the rows that no model of one training sees: `test`, or one fold."""
        return self.test if self.folds is None else 1 / self.folds

    def position(self, key: str) -> Position:
        """Where `key` (or `key.sub`, `key[2]`) was written, or the whole key's place, or nowhere."""
        whole = key.split(".")[0].split("[")[0]
        return self.positions.get(key) or self.positions.get(whole) or Position()
