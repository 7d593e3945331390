"""A spec whose names have all been looked up: what the optimizer plans and the executor runs.

Reads nothing, returns frozen values (made by `catalog.bind`). May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.spec.model import EstimatorCall, FeatureColumn, Pooling, Precision, Spec, Task

__all__ = ["IMAGES", "EstimatorFacts", "FeatureUse", "Workload"]

IMAGES = "images"  # `plan: {start: images}`


@dataclass(frozen=True)
class EstimatorFacts:
    """One downstream estimator as data: its library, names of its parameters, and what the optimizer must know.

    tasks: of `classification`, `regression`. sites: `cluster`, `driver` where it can be trained.
    defaults: parameter -> default for those that decide a plan (regParam, elasticNetParam, maxIter, C, ...).
    iterations: passes over the data that the cost model assumes.
    """

    library: str
    name: str
    tasks: tuple[str, ...]
    parameters: tuple[str, ...]
    sites: tuple[str, ...]
    family: str  # linear | tree | ensemble | other
    iterations: int = 10
    supported: bool = True  # False: planned, its engine comes later


@dataclass(frozen=True)
class FeatureUse:
    """One structured column as it will be encoded: `number` (imputed, standardized) or `category` (one-hot)."""

    column: str
    encoding: str
    width: int

    @property
    def is_category(self) -> bool:
        return self.encoding == "category"


@dataclass(frozen=True)
class Workload:
    """The bound spec. layers: low to high. weights: `imagenet`, `random`, `bundled` or a path.

    features is empty for photo alone. leaks names columns that predict the label alone (warned of).
    notes are sentences for the user (dropped columns, dropped class layers), in a fixed order.
    """

    spec: Spec
    cnn: CNNFacts
    layers: tuple[LayerFacts, ...]
    pool: Pooling
    precision: Precision
    weights: str
    label: str
    task: Task
    metric: str
    call: EstimatorCall
    estimator: EstimatorFacts
    features: tuple[FeatureUse, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    @property
    def kept_layer(self) -> str | None:
        """`plan: {materialize: ...}`: the layer whose raw tensors are to be kept in the store, by its own name."""
        layer = self.cnn.layer(self.spec.plan.materialize or "")
        return layer.name if layer else None

    @property
    def forced_start(self) -> str | None:
        """`plan: {start: ...}`: `images`, or the layer by its own name; None where the optimizer may choose."""
        start = self.spec.plan.start
        if start is None or start == IMAGES:
            return start
        layer = self.cnn.layer(start)
        return layer.name if layer else None

    @property
    def structured_width(self) -> int:
        """d_s: the encoded width of the structured features."""
        return sum(use.width for use in self.features)

    @property
    def feature_columns(self) -> tuple[FeatureColumn, ...]:
        return tuple(FeatureColumn(use.column, use.is_category) for use in self.features)
