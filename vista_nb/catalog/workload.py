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

    library: pyspark, sklearn, or variable for an object of the notebook; kind: what that is (pyspark, sklearn, keras,
    callable). tasks: of `classification`, `regression`. sites: `cluster`, `driver` where it can be trained.
    iterations: passes over the data that the cost model assumes. module: where its class is imported from.
    binary: two classes only. non_negative: no feature below 0. scores: what it says of a row beside its class:
    probabilities, margins, predictions (nothing more). needs: arguments without a default; nested: those that take
    another estimator.
    """

    library: str
    name: str
    tasks: tuple[str, ...]
    parameters: tuple[str, ...]
    sites: tuple[str, ...]
    family: str  # linear | tree | ensemble | other
    iterations: int = 10
    supported: bool = True  # False: not for one layer's features and one label
    module: str = ""
    binary: bool = False
    non_negative: bool = False
    scores: str = "probabilities"
    needs: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class FeatureUse:
    """One structured column as it will be encoded: `number` (imputed, standardized), `category` (one-hot), `date` or
    `datetime` (a number and its place in the year, and in the day).
    """

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
