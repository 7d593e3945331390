"""Every estimator of pyspark.ml on a real local Spark: one form of answer, constraints as coded errors, new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fits_support import call, check_form

from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_cluster import ClusterFit
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out, inner_fold_of
from vista_nb.executor.downstream.tuning import tuned
from vista_nb.spec.model import EstimatorCall, Task, Tune

pytestmark = pytest.mark.spark

KEYS = [f"row {i}" for i in range(240)]
TEST = held_out(KEYS, 0, 0.3)


def matrix() -> np.ndarray:
    """As a ReLU layer: nothing below 0, columns of different scales."""
    values = np.maximum(np.random.default_rng(0).normal(0.5, 1.0, size=(240, 8)), 0)
    return (values * np.logspace(-1, 2, 8)).astype(np.float32)


def classes(count: int) -> Labels:
    margins = matrix()[:, 0] * 10 + np.random.default_rng(1).normal(0, 0.2, 240)
    cuts = np.quantile(margins, np.linspace(0, 1, count + 1)[1:-1])
    return encode_labels([f"c{i}" for i in np.digitize(margins, cuts)], TEST, "y")


def numbers() -> Labels:
    values = 50 + 40 * matrix()[:, 0] + np.random.default_rng(2).normal(0, 0.5, 240)
    return encode_labels(values.tolist(), TEST, "y", task=Task.REGRESSION)


def fitting(spark: Any, labels: Labels, values: np.ndarray | None = None, own: OwnModel | None = None) -> ClusterFit:
    values = matrix() if values is None else values
    table = pa.table(
        {
            "key": KEYS,
            "label_index": labels.truth.astype(np.float64),
            "is_test": TEST,
            "inner": inner_fold_of(KEYS, 0, 3).astype(np.int32),
            "features": pa.array(list(values), pa.list_(pa.float32())),
        }
    )
    return ClusterFit(spark.createDataFrame(table).cache(), labels.classes, 2, 0, own, "conv5")


def check(result: FitResult, labels: Labels) -> None:
    check_form(result, labels, KEYS, TEST, matrix(), predictions=1e-6, probabilities=1e-6)


@pytest.mark.parametrize(
    ("text", "count", "probabilities"),
    [
        ("LogisticRegression(regParam=0.001)", 3, True),
        ("LinearSVC(regParam=0.001, maxIter=20)", 2, False),
        ("DecisionTreeClassifier(maxDepth=4)", 3, True),
        ("RandomForestClassifier(numTrees=10)", 3, True),
        ("GBTClassifier(maxIter=5)", 2, True),
        ("MultilayerPerceptronClassifier(layers=[8], maxIter=60)", 3, True),
        ("NaiveBayes(modelType='gaussian')", 2, True),
        ("NaiveBayes()", 2, True),
        ("FMClassifier(maxIter=60, stepSize=0.1)", 2, True),
        ("OneVsRest(classifier=LinearSVC(regParam=0.001, maxIter=20))", 3, False),
    ],
)
def test_every_classifier(spark: Any, text: str, count: int, probabilities: bool) -> None:
    """It learns what is there, scores the held-out rows, and scores new rows the same."""
    labels = classes(count)
    result = fitting(spark, labels).fit(None, labels.trained, (call(text),))[0]
    check(result, labels)
    assert result.has_probabilities is probabilities
    # counts of words are not what these features are, and no line parts the middle one of three from both others
    least = 0.4 if text.startswith(("NaiveBayes()", "OneVsRest")) else 0.65 if count == 2 else 0.55
    assert np.mean(result.truth == result.predictions) > least


@pytest.mark.parametrize(
    "text",
    [
        "LinearRegression(regParam=0.01)",
        "GeneralizedLinearRegression(family='gaussian', regParam=0.01)",
        "DecisionTreeRegressor(maxDepth=5)",
        "RandomForestRegressor(numTrees=10)",
        "GBTRegressor(maxIter=5)",
        "FMRegressor(maxIter=100, stepSize=0.5)",
    ],
)
def test_every_regressor(spark: Any, text: str) -> None:
    """Numbers in the label's own unit."""
    labels = numbers()
    result = fitting(spark, labels).fit(None, (), (call(text),))[0]
    check(result, labels)
    assert result.is_regression
    if not text.startswith("FM"):
        assert np.mean((result.truth - result.predictions) ** 2) < 0.5 * np.var(result.truth)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_linear_regression_is_one_model_at_both_sites(spark: Any, penalty: float) -> None:
    """The driver's Ridge with alpha = n regParam / deviation of the label gives Spark's coefficients."""
    labels = numbers()
    chosen = EstimatorCall("pyspark", "LinearRegression", (("regParam", penalty),))
    there = fitting(spark, labels).fit(None, (), (chosen,))[0]
    here = fit_driver(matrix(), KEYS, labels, TEST, chosen)
    np.testing.assert_allclose(there.predictions, here.predictions, rtol=2e-3)
    assert there.rows_train == here.rows_train


def test_a_grid_is_searched_alike_at_both_sites(spark: Any) -> None:
    """The same inner folds, the same scores within a row, the same choice."""
    from vista_nb.executor.downstream.fit_driver import DriverFit

    labels = classes(3)
    chosen = EstimatorCall("pyspark", "LogisticRegression")
    tune = Tune((("regParam", (0.001, 0.1, 5.0)),), 3)
    there, here = fitting(spark, labels), DriverFit(matrix(), KEYS, labels)

    def search(fit: Any) -> FitResult:
        return tuned(chosen, tune, "accuracy", KEYS, labels, TEST, 0, fit)

    cluster = search(lambda split, calls: there.fit(split.inner, labels.on(split.train).trained, calls))
    driver = search(lambda split, calls: here.fit(split.train, split.held, calls))
    assert cluster.parameters == driver.parameters
    for a, b in zip(cluster.tried, driver.tried, strict=True):
        assert a.value == pytest.approx(b.value, abs=0.02)


def test_an_estimator_of_the_notebook_and_a_pipeline(spark: Any) -> None:
    """Third-party estimators are copied onto our columns; a Pipeline reads `features` and `label` by itself."""
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import VarianceThresholdSelector

    labels = classes(2)
    alone = LogisticRegression(regParam=0.001, featuresCol="x", labelCol="z")
    own = fitting(spark, labels, own=OwnModel("mine", "pyspark", alone))
    result = own.fit(None, labels.trained, (EstimatorCall("variable", "mine", (("maxIter", 50),)),))[0]
    check(result, labels)
    assert alone.getFeaturesCol() == "x"
    assert result.native.getMaxIter() == 50
    selector = VarianceThresholdSelector(featuresCol="features", outputCol="chosen", varianceThreshold=0.0)
    pipeline = Pipeline(stages=[selector, LogisticRegression(regParam=0.001, featuresCol="chosen")])
    piped = fitting(spark, labels, own=OwnModel("pipe", "pyspark", pipeline))
    check(piped.fit(None, labels.trained, (EstimatorCall("variable", "pipe"),))[0], labels)


@pytest.mark.parametrize(
    ("text", "low", "error", "said"),
    [
        ("NaiveBayes()", -1.0, VistaRunError, "VST526.*takes no negative feature, and conv5 has some"),
        ("LogisticRegression(regParam=0.1)", float("nan"), VistaDataError, "VST355.*conv5.*row"),
        ("LogisticRegression(regParam=-1.0)", 0.0, VistaRunError, "VST521.*regParam"),
        ("RandomForestClassifier(maxDepth=99)", 0.0, VistaRunError, "VST521.*maxDepth"),
    ],
)
def test_what_spark_refuses_is_coded(spark: Any, text: str, low: float, error: type[Exception], said: str) -> None:
    """In Spark's words, with the call and the layer."""
    labels, values = classes(2), matrix()
    values[int(np.flatnonzero(~TEST)[0]), 3] = low
    with pytest.raises(error, match=said):
        fitting(spark, labels, values).fit(None, labels.trained, (call(text),))
