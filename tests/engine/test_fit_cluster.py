"""pyspark.ml on a real local Spark against the driver's fit: one model, whichever site trains it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_cluster import fit_cluster
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out
from vista_nb.spec.model import EstimatorCall

pytestmark = pytest.mark.spark

KEYS = [f"row {i}" for i in range(300)]
TEST = held_out(KEYS, 0, 0.3)


def call(**parameters: Any) -> EstimatorCall:
    return EstimatorCall("pyspark", "LogisticRegression", tuple(parameters.items()))


def data(classes: int, width: int = 50) -> tuple[np.ndarray, Labels]:
    """Columns of different scales, one constant, as ReLU layers have them."""
    generator = np.random.default_rng(classes)
    matrix = np.maximum(generator.normal(size=(300, width)), 0) * np.logspace(-2, 2, width)
    matrix[:, -1] = 3.0
    margins = matrix[:, :classes] / np.logspace(-2, 2, width)[:classes]
    truth = (margins + generator.normal(0, 0.5, margins.shape)).argmax(axis=1)
    return matrix.astype(np.float32), encode_labels([f"class {t}" for t in truth], TEST, "y")


def records(spark: Any, matrix: np.ndarray, labels: Labels, order: np.ndarray | None = None) -> Any:
    """The DataFrame the backend hands over, rows in any order."""
    import pyarrow as pa

    rows = np.flatnonzero(labels.known) if order is None else order
    table = pa.table(
        {
            "key": [KEYS[i] for i in rows],
            "label_index": labels.index[rows].astype(np.float64),
            "is_test": TEST[rows],
            "features": pa.array(list(matrix[rows]), pa.list_(pa.float32())),
        }
    )
    return spark.createDataFrame(table).cache()


def on_cluster(spark: Any, matrix: np.ndarray, labels: Labels, model: EstimatorCall, **more: Any) -> FitResult:
    return fit_cluster(records(spark, matrix, labels, **more), model, labels.classes, labels.trained, 3)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("penalty", [0.01, 0.1])
def test_cluster_and_driver_fit_one_model(spark: Any, classes: int, penalty: float) -> None:
    """L2: coefficients close, the same held-out rows, at most one prediction differs."""
    matrix, labels = data(classes)
    there = on_cluster(spark, matrix, labels, call(regParam=penalty))
    here = fit_driver(matrix, KEYS, labels, TEST, call(regParam=penalty))
    assert there.keys == here.keys
    assert there.truth.tolist() == here.truth.tolist()
    assert there.rows_train == here.rows_train
    assert int(np.sum(there.predictions != here.predictions)) <= 1
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=5e-3)
    unit = matrix[~TEST].std(axis=0)
    np.testing.assert_allclose(there.model.coefficients * unit, here.model.coefficients * unit, atol=2e-2)


@pytest.mark.parametrize("parameters", [{"fitIntercept": False}, {"standardization": False}, {"tol": 1e-8}])
def test_options_that_the_driver_takes_too(spark: Any, parameters: dict[str, Any]) -> None:
    """Every option that `fit_driver` takes changes both fits alike."""
    matrix, labels = data(2, width=12)
    chosen = call(regParam=0.05, maxIter=500, **parameters)
    there = on_cluster(spark, matrix, labels, chosen)
    here = fit_driver(matrix, KEYS, labels, TEST, chosen)
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=5e-3)


def test_the_order_of_the_rows_changes_nothing(spark: Any) -> None:
    """Rows are sorted by key in fixed partitions: the very same numbers for any order and partitioning."""
    matrix, labels = data(2)
    shuffled = np.random.default_rng(0).permutation(300)
    first = on_cluster(spark, matrix, labels, call(regParam=0.01))
    again = fit_cluster(
        records(spark, matrix, labels, shuffled).repartition(5), call(regParam=0.01), labels.classes, labels.trained, 3
    )
    np.testing.assert_array_equal(first.model.coefficients, again.model.coefficients)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)


def test_a_penalty_of_its_own(spark: Any) -> None:
    """Elastic net, which only the cluster trains: sparse coefficients, a plain model that scores as Spark's does."""
    matrix, labels = data(2)
    result = on_cluster(spark, matrix, labels, call(regParam=0.1, elasticNetParam=0.5))
    assert 0 < int(np.sum(result.model.coefficients != 0)) < 25
    rows = [KEYS.index(key) for key in result.keys]
    np.testing.assert_allclose(result.model.probabilities(matrix[rows]), result.probabilities, atol=1e-6)


def test_a_class_without_train_rows(spark: Any) -> None:
    """A class in the middle of the list: probability 0, the others as if it were not there."""
    matrix, labels = data(2)
    texts = [labels.classes[i] for i in labels.index]
    for i in np.flatnonzero(TEST)[:4]:
        texts[i] = "class 0b"
    marked = encode_labels(texts, TEST, "y")
    assert marked.trained == (0, 2)
    there = on_cluster(spark, matrix, marked, call(regParam=0.05))
    here = fit_driver(matrix, KEYS, marked, TEST, call(regParam=0.05))
    assert (there.probabilities[:, 1] == 0).all()
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=5e-3)
    assert there.truth.tolist().count(1) == 4


def test_rows_without_a_label_stay_out(spark: Any) -> None:
    """The caller leaves them out; keys and counts agree with the driver's."""
    matrix, labels = data(2)
    texts: list[str | None] = [labels.classes[i] for i in labels.index]
    texts[3] = None
    some = encode_labels(texts, TEST, "y")
    there = on_cluster(spark, matrix, some, call(regParam=0.05))
    here = fit_driver(matrix, KEYS, some, TEST, call(regParam=0.05))
    assert (there.keys, there.rows_train) == (here.keys, here.rows_train)
    assert len(there.keys) + there.rows_train == 299


def test_a_threshold_moves_the_predictions_alone(spark: Any) -> None:
    """What Spark predicts under it, not the class of the larger probability."""
    matrix, labels = data(2)
    result = on_cluster(spark, matrix, labels, call(regParam=0.05, threshold=0.9))
    assert result.predictions.tolist() == (result.probabilities[:, 1] > 0.9).astype(int).tolist()
    assert 0 < int(result.predictions.sum()) < int((result.probabilities[:, 1] > 0.5).sum())
    rows = [KEYS.index(key) for key in result.keys]
    assert result.model.predict(matrix[rows]).tolist() == result.predictions.tolist()
