"""The list of estimators as data, and the rule that says where a call may be trained."""

from __future__ import annotations

import pytest

from vista_nb.catalog.estimators import fits_in_float32, load_estimators, training_sites
from vista_nb.spec.estimator_call import read_call
from vista_nb.spec.located import Located

ALL = load_estimators()


def sites(text: str) -> tuple[str, ...]:
    """Where the call `text` may be trained."""
    call, _ = read_call(Located.of(text))
    facts = ALL.find(call.library, call.name)
    assert facts is not None
    return training_sites(call, facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LogisticRegression(regParam=0.01)", ("cluster", "driver")),
        ("LogisticRegression(regParam=0.01, elasticNetParam=0.0, standardization=True)", ("cluster", "driver")),
        ("LogisticRegression(regParam=1, maxIter=200, tol=1e-8, aggregationDepth=3)", ("cluster", "driver")),
        ("LogisticRegression()", ("cluster",)),
        ("LogisticRegression(regParam=0.0)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, elasticNetParam=0.5)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, standardization=False)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, fitIntercept=False)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, maxIter=10)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, tol=0.1)", ("cluster",)),
        ("LogisticRegression(regParam=0.01, family='multinomial')", ("cluster",)),
        ("LogisticRegression(regParam='x')", ("cluster",)),
        ("LogisticRegression(regParam=0.01, threshold=0.3)", ("cluster",)),
        ("RandomForestClassifier()", ("cluster",)),
        ("LinearRegression(regParam=0.1)", ("cluster", "driver")),
        ("LinearRegression(regParam=0.1, solver='normal', loss='squaredError')", ("cluster", "driver")),
        ("LinearRegression()", ("cluster",)),
        ("LinearRegression(regParam=0.1, loss='huber')", ("cluster",)),
        ("GeneralizedLinearRegression(regParam=0.1)", ("cluster",)),
        ("sklearn.LogisticRegression(C=1.0)", ("driver",)),
        ("sklearn.SVC()", ("driver",)),
    ],
)
def test_the_driver_trains_only_what_gives_the_same_model(text: str, expected: tuple[str, ...]) -> None:
    """An L2 penalty run to convergence has one optimum; everything else stays where it was asked for."""
    assert sites(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sklearn.LogisticRegression(C=0.1)", True),
        ("sklearn.LogisticRegression(solver='lbfgs')", True),
        ("sklearn.LogisticRegression(solver='liblinear')", False),
        ("sklearn.LogisticRegressionCV()", False),
        ("sklearn.Ridge()", False),
        ("sklearn.DecisionTreeClassifier()", True),
        ("sklearn.RandomForestRegressor()", True),
        ("LogisticRegression(regParam=0.01)", False),
        ("RandomForestClassifier()", False),
    ],
)
def test_what_is_given_float32(text: str, expected: bool) -> None:
    """What scikit-learn makes float32 itself, or fits as well in it; Spark's models are as exact as Spark's."""
    call, _ = read_call(Located.of(text))
    facts = ALL.find(call.library, call.name)
    assert facts is not None
    assert fits_in_float32(call, facts) is expected


def test_the_list_is_the_libraries_own() -> None:
    """Written by a script: known names with their parameters, columns left out, what asks for several labels too."""
    spark = ALL.find("pyspark", "LogisticRegression")
    sklearn = ALL.find("sklearn", "LogisticRegression")
    assert spark is not None
    assert sklearn is not None
    assert {"regParam", "elasticNetParam", "maxIter"} <= set(spark.parameters)
    assert not any(name.endswith("Col") for name in spark.parameters)
    assert {"C", "max_iter"} <= set(sklearn.parameters)
    assert set(ALL.names("pyspark")) - set(ALL.names("pyspark", supported=True)) == {
        "AFTSurvivalRegression",
        "IsotonicRegression",
    }
    assert {"GBTClassifier", "NaiveBayes", "OneVsRest", "LinearRegression"} <= set(ALL.names("pyspark", supported=True))
    assert {"SVC", "HistGradientBoostingRegressor", "Ridge"} <= set(ALL.names("sklearn", supported=True))
    assert {e.family for e in ALL.estimators} == {"linear", "tree", "ensemble", "other"}


def test_what_an_estimator_asks_of_its_data_is_data_too() -> None:
    """Two classes, no negative feature, an inner estimator, what it says beside the class."""
    assert {e.name for e in ALL.estimators if e.library == "pyspark" and e.binary} == {
        "FMClassifier",
        "GBTClassifier",
        "LinearSVC",
    }
    assert {e.name for e in ALL.estimators if e.non_negative and e.supported} == {
        "ComplementNB",
        "MultinomialNB",
        "NaiveBayes",
    }
    rest = ALL.find("pyspark", "OneVsRest")
    assert rest is not None
    assert (rest.needs, rest.nested, rest.scores) == (("classifier",), ("classifier",), "margins")
    svc = ALL.find("sklearn", "SVC")
    assert svc is not None
    assert (svc.scores, svc.module, svc.kind) == ("margins", "sklearn.svm", "sklearn")
