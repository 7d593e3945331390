"""A fitted pyspark.ml model behind the one form that scores rows, and what it says of a row.

Reads a float32 matrix or a scored DataFrame, returns probabilities and predictions. May touch: the active Spark
session. DESIGN.md sections 5 and 11. Spark numbers the classes with train rows 0, 1, ...; here they are positions
among all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vista_nb.errors import VistaRunError
from vista_nb.executor.downstream.fit import spread
from vista_nb.executor.downstream.native import one_hot, shares_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

__all__ = ["Said", "SparkModel", "collect_said"]


class Said(NamedTuple):
    """What a model says of rows: scores are probabilities, margins, or None; over its own classes."""

    predictions: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    are_probabilities: bool


@dataclass(frozen=True)
class SparkModel:
    """native: pyspark.ml's fitted model, which reads `features`; both tuples are empty for a regression."""

    native: Any
    trained: tuple[int, ...]
    classes: tuple[str, ...]
    has_probabilities: bool = True

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(rows, classes); (rows, 0) for a regression."""
        if not self.classes:
            return np.zeros((len(matrix), 0))
        return self.shares(self._said(matrix))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        """Positions among the classes, int32; numbers for a regression."""
        return self.places(self._said(matrix).predictions)

    def places(self, predictions: NDArray[np.float64]) -> NDArray[Any]:
        """Spark's numbers of its classes as positions among all of them."""
        if not self.classes:
            return predictions
        return np.asarray(self.trained, dtype=np.int32)[predictions.astype(np.int64)]

    def shares(self, said: Said) -> NDArray[np.float64]:
        """Over all classes; 1 on the predicted class where the model says no more."""
        if said.scores is None or said.scores.shape[1] != len(self.trained):
            return one_hot(self.places(said.predictions), len(self.classes))
        found = said.scores if said.are_probabilities else shares_of(said.scores)
        return spread(found, self.trained, len(self.classes))

    def _said(self, matrix: NDArray[np.float32]) -> Said:
        import pyarrow as pa
        from pyspark.ml.functions import array_to_vector
        from pyspark.sql import SparkSession

        # active is what this thread made: `.predict` runs on the notebook's main thread, the session came from a run's
        session = SparkSession.getActiveSession() or SparkSession._instantiatedSession
        if session is None:
            message = "this model is Spark's, and no Spark session is running"
            raise VistaRunError("VST525", message, "run a %%vista cell first")
        width = matrix.shape[1]
        offsets = pa.array(range(0, (len(matrix) + 1) * width, width) if width else [0] * (len(matrix) + 1), pa.int32())
        features = pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(matrix).ravel(), pa.float32()))
        table = pa.table({"key": pa.array(range(len(matrix)), pa.int64()), "features": features})
        frame = session.createDataFrame(table).select("key", array_to_vector("features").alias("features"))
        _, said = collect_said(self.native.transform(frame), ("key",))
        return said


def collect_said(scored: DataFrame, columns: tuple[str, ...]) -> tuple[list[NDArray[Any]], Said]:
    """`columns` and what the model said, rows in the order of the first of these columns."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql.functions import col

    have = set(scored.columns)
    if "prediction" not in have:
        message = f"the model wrote no column `prediction`, but {', '.join(sorted(have))}"
        raise VistaRunError("VST523", message, "leave its predictionCol as it is", stage="train")
    scores = next((name for name in ("probability", "rawPrediction") if _is_vector(scored, name)), None)
    wanted = [col(name) for name in columns] + [col("prediction").cast("double").alias("prediction")]
    table = scored.select(*wanted, *([vector_to_array(scores).alias("scores")] if scores else [])).toArrow()
    first = np.array(table.column(0).to_pylist(), dtype=object)
    order = np.argsort(first, kind="stable")
    values = [np.array(table.column(name).to_pylist(), dtype=object)[order] for name in columns]
    predictions = np.asarray(table.column("prediction").to_numpy(), dtype=np.float64)[order]
    found = None
    if scores and len(first):
        flat = np.asarray(table.column("scores").combine_chunks().flatten().to_numpy(zero_copy_only=False))
        found = flat.reshape(len(first), -1)[order]
    return values, Said(predictions, found, scores == "probability")


def _is_vector(frame: DataFrame, name: str) -> bool:
    return any(field.name == name and type(field.dataType).__name__ == "VectorUDT" for field in frame.schema.fields)
