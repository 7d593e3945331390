"""Train where the rows are: any pyspark.ml estimator on the records of T_str joined with one layer.

Reads a Spark DataFrame, returns FitResults. May touch: the Spark session of that DataFrame. DESIGN.md sections 10 and
11: rows are sorted by key in fixed partitions before the fit, so that sums are taken in one order under every plan;
vectors travel as `array<float>` and become MLlib's once, with `array_to_vector`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaError, VistaRunError
from vista_nb.executor.downstream.fit import FitResult, FittedModel, LinearModel
from vista_nb.executor.downstream.make import make_spark, refused
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.spark_model import Said, SparkModel, collect_said
from vista_nb.executor.finite import infinite
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ClusterFit", "fit_cluster"]

# gradient descent over raw activations stands still, and unlike pyspark.ml's linear models these do not scale
_SCALED_FIRST = frozenset({"MultilayerPerceptronClassifier", "FMClassifier", "FMRegressor"})
_BY_THRESHOLD = frozenset({"threshold", "thresholds"})


def fit_cluster(
    records: DataFrame, call: EstimatorCall, classes: Sequence[str], trained: Sequence[int], num_partitions: int
) -> FitResult:
    """Fit on the rows where `is_test` is false, score the others: one call of a ClusterFit."""
    fitting = ClusterFit(records, tuple(classes), num_partitions)
    return fitting.fit(None, tuple(trained), (call,))[0]


@dataclass(frozen=True)
class ClusterFit:
    """One layer's rows. records: (key: string, label_index: double, is_test: boolean, features: array<float>), and
    `inner`: int, the fold of a grid search, where one is made; no null anywhere. It is read three times for each call
    (fit, score, count), so the caller persists it.

    classes: of `Labels.classes`, none for a regression, whose label_index is the number itself. own: the user's own
    estimator. layer: for messages.
    """

    records: DataFrame
    classes: tuple[str, ...]
    num_partitions: int
    seed: int = 0
    own: OwnModel | None = None
    layer: str = ""

    def fit(self, inner: int | None, trained: tuple[int, ...], calls: Sequence[EstimatorCall]) -> list[FitResult]:
        """inner: of a grid search, the fold that is scored; None for the whole. trained: classes with train rows."""
        train = "not is_test" if inner is None else f"not is_test and inner != {inner}"
        held = "is_test" if inner is None else f"not is_test and inner = {inner}"
        # not persisted: MLlib keeps blocks of its own, and a second copy as doubles is what crashes wide layers
        ordered = self._ordered(trained)
        rows_train = int(self.records.where(train).count())
        return [self._one(call, ordered.where(train), ordered.where(held), trained, rows_train) for call in calls]

    def _one(
        self, call: EstimatorCall, train: DataFrame, held: DataFrame, trained: tuple[int, ...], rows_train: int
    ) -> FitResult:
        started = time.perf_counter()
        native = self._fitted(call, train, len(trained))
        (keys, truth), said = collect_said(native.transform(held), ("key", "label_index"))
        model = self._model(native, call, trained, said)
        spark = SparkModel(native, trained, self.classes)
        probabilities = spark.shares(said) if self.classes else np.zeros((len(keys), 0))
        return FitResult(
            classes=self.classes,
            keys=tuple(keys.tolist()),
            truth=truth.astype(np.int32 if self.classes else np.float64),
            predictions=spark.places(said.predictions),
            probabilities=probabilities,
            model=model,
            seconds=time.perf_counter() - started,
            rows_train=rows_train,
            native=native,
            has_probabilities=getattr(model, "has_probabilities", True),
        )

    def _ordered(self, trained: tuple[int, ...]) -> DataFrame:
        """Rows in partitions by a hash of the key (range bounds would be sampled anew each time), sorted inside.

        `label` numbers the classes with train rows 0, 1, ...: Spark would take a class without rows for a real one.
        """
        from pyspark.ml.functions import array_to_vector
        from pyspark.sql.functions import col, create_map, lit, try_element_at

        rest = [name for name in ("inner",) if name in self.records.columns]
        rows = (
            self.records.repartition(self.num_partitions, "key")
            .sortWithinPartitions("key")
            .select("key", "label_index", "is_test", *rest, array_to_vector("features").alias("features"))
        )
        if not self.classes:
            return rows.withColumn("label", col("label_index"))
        place = create_map(*(lit(float(v)) for pair in zip(trained, range(len(trained)), strict=True) for v in pair))
        names = {"type": "nominal", "name": "label", "vals": [self.classes[i] for i in trained]}
        label = try_element_at(place, col("label_index")).alias("label", metadata={"ml_attr": names})
        return rows.select("*", label)

    def _fitted(self, call: EstimatorCall, train: DataFrame, classes: int) -> Any:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        own = None if self.own is None else self.own.value
        try:
            layers = (_width(train), classes) if call.name in _SCALED_FIRST else None
            estimator = make_spark(call, own, seed=self.seed, layers=layers)
            return self._scaled_first(estimator).fit(train) if call.name in _SCALED_FIRST else estimator.fit(train)
        except (PySparkException, Py4JJavaError) as error:
            coded = self._coded(call, error, train)
            if coded is None:
                raise  # memory, a lost worker, a cancel: the backend knows these
            raise coded from error

    def _scaled_first(self, estimator: Any) -> Any:
        from pyspark.ml import Pipeline
        from pyspark.ml.feature import StandardScaler

        scaler = StandardScaler(inputCol="features", outputCol="_scaled", withMean=True, withStd=True)
        estimator.set(estimator.getParam("featuresCol"), "_scaled")
        return Pipeline(stages=[scaler, estimator])

    def _coded(self, call: EstimatorCall, error: Exception, train: DataFrame) -> VistaError | None:
        """What MLlib refuses of the data or the parameters; None for anything else."""
        said, where = str(error), self.layer or "the table"
        if "MUST NOT be" in said or "nonnegative" in said:
            keys = _keys_of_infinite(train)
            if keys:
                return infinite(where, keys)
            message = f"{call} takes no negative feature, and {where} has some"
            return VistaRunError("VST526", message, "NaiveBayes(modelType='gaussian') takes any number", "train")
        known = "requirement failed" in said or type(error).__name__ == "IllegalArgumentException"
        return refused(call, error) if known else None

    def _model(self, native: Any, call: EstimatorCall, trained: tuple[int, ...], said: Said) -> FittedModel:
        """The fitted numbers where they are all there is, so that new rows need no JVM."""
        kind, given = type(native).__name__, dict(call.parameters)
        if kind == "LogisticRegressionModel" and not (given.keys() & _BY_THRESHOLD) and self.own is None:
            coefficients, intercepts = native.coefficientMatrix.toArray(), native.interceptVector.toArray()
            return LinearModel(coefficients, intercepts, trained, self.classes)
        if kind == "LinearRegressionModel" and self.own is None:
            coefficients = np.asarray(native.coefficients.toArray())[np.newaxis]
            return LinearModel(coefficients, np.array([native.intercept]), (), ())
        return SparkModel(native, trained, self.classes, bool(self.classes) and said.are_probabilities)


def _width(train: DataFrame) -> int:
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql.functions import size

    first = train.select(size(vector_to_array("features")).alias("width")).first()
    return int(first["width"]) if first is not None else 0


def _keys_of_infinite(train: DataFrame) -> list[str]:
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql.functions import abs as magnitude
    from pyspark.sql.functions import exists, isnan, lit

    wrong = exists(vector_to_array("features"), lambda value: isnan(value) | (magnitude(value) == lit(float("inf"))))
    return [str(row["key"]) for row in train.where(wrong).select("key").limit(5).collect()]
