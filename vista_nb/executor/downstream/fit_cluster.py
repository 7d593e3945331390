"""Train logistic regression where the rows are: pyspark.ml on the records of T_str joined with one layer.

Reads a Spark DataFrame, returns a FitResult. May touch: the Spark session of that DataFrame. DESIGN.md sections 10 and
11: rows are sorted by key in fixed partitions before the fit, so that sums are taken in one order under every plan;
vectors travel as `array<float>` and become MLlib's once, with `array_to_vector`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import NotSupportedYet, VistaRunError
from vista_nb.executor.downstream.fit import FitResult, LinearModel, spread
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

__all__ = ["fit_cluster"]

_PROBABILITY = "_probability"
_LATER = ("threshold", "thresholds", "weightCol")


def fit_cluster(
    records: DataFrame, call: EstimatorCall, classes: Sequence[str], trained: Sequence[int], num_partitions: int
) -> FitResult:
    """Fit on the rows where `is_test` is false, score the others.

    records: (key: string, label_index: double, is_test: boolean, features: array<float>); no null anywhere. It is read
    three times (fit, score, count), so the caller persists it.
    classes: of `Labels.classes`; trained: of `Labels.trained`. Columns that `call` names for Spark are ours.
    """
    started = time.perf_counter()
    # not persisted: MLlib keeps blocks of its own, and a second copy as doubles is what crashes wide layers
    ordered = _ordered(records, trained, num_partitions)
    model = _estimator(call).fit(ordered.where("not is_test"))
    keys, truth, probabilities = _held_out(model, ordered)
    whole = spread(probabilities, tuple(trained), len(classes))
    return FitResult(
        classes=tuple(classes),
        keys=keys,
        truth=truth,
        predictions=whole.argmax(axis=1).astype(np.int32),
        probabilities=whole,
        model=_plain(model, tuple(trained), tuple(classes)),
        seconds=time.perf_counter() - started,
        rows_train=int(records.where("not is_test").count()),
        native=model,
    )


def _ordered(records: DataFrame, trained: Sequence[int], num_partitions: int) -> DataFrame:
    """Rows in partitions by a hash of the key (range bounds would be sampled anew each time), sorted inside.

    `_label` numbers the classes with train rows 0, 1, ...: Spark would take a class without rows for a real one.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql.functions import col, create_map, lit, try_element_at

    place = create_map(*(lit(float(v)) for pair in zip(trained, range(len(trained)), strict=True) for v in pair))
    return (
        records.repartition(num_partitions, "key")
        .sortWithinPartitions("key")
        .select("key", "label_index", "is_test", array_to_vector("features").alias("_features"))
        .withColumn("_label", try_element_at(place, col("label_index")))
    )


def _estimator(call: EstimatorCall) -> Any:
    from pyspark.ml.classification import LogisticRegression

    if call.library != "pyspark" or call.name != "LogisticRegression":
        raise NotSupportedYet("VST952", f"{call} on the cluster comes later", "use LogisticRegression(...)")
    later = [name for name, _ in call.parameters if name in _LATER]
    if later:
        raise NotSupportedYet("VST953", f"{call}: {later[0]} comes later", f"leave {later[0]} out")
    ours = {
        "featuresCol": "_features",
        "labelCol": "_label",
        "predictionCol": "_prediction",
        "probabilityCol": _PROBABILITY,
        "rawPredictionCol": "_margins",
    }
    try:
        return LogisticRegression(**{**dict(call.parameters), **ours})
    except TypeError as error:
        raise VistaRunError("VST521", f"{call}: {error}", "check the model's parameters", stage="train") from error


def _held_out(model: Any, ordered: DataFrame) -> tuple[tuple[str, ...], NDArray[np.int32], NDArray[np.float64]]:
    """(keys ascending, true classes, probabilities over the trained classes) of the test rows."""
    from pyspark.ml.functions import vector_to_array

    scored = model.transform(ordered.where("is_test"))
    table = scored.select("key", "label_index", vector_to_array(_PROBABILITY).alias("p")).toArrow()
    keys = np.array(table.column("key").to_pylist(), dtype=object)
    order = np.argsort(keys, kind="stable")
    truth = np.asarray(table.column("label_index").to_numpy())[order].astype(np.int32)
    flat = table.column("p").combine_chunks()
    values = np.asarray(flat.flatten().to_numpy(zero_copy_only=False)).reshape(len(keys), -1)
    return tuple(keys[order].tolist()), truth, values[order]


def _plain(model: Any, trained: tuple[int, ...], classes: tuple[str, ...]) -> LinearModel:
    """The fitted numbers, so that new rows need no JVM."""
    return LinearModel(model.coefficientMatrix.toArray(), model.interceptVector.toArray(), trained, classes)
