"""`model` and `tune` bound: every estimator, inner calls, constraints known before a photo is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from vista_nb.catalog.bind import Bound, bind
from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.spec.estimator_call import read_call
from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.model import EstimatorCall, Task
from vista_nb.spec.parse import parse


def columns() -> tuple[ColumnFacts, ...]:
    """A key, labels of two and three classes, a number, a category."""

    def column(name: str, kind: str, distinct: int, values: tuple[str, ...] = ()) -> ColumnFacts:
        return ColumnFacts(name, kind, 90, distinct, frequent=len(values), values=values)

    return (
        column("id", "string", 90),
        column("pair", "string", 2, ("a", "b")),
        column("kind", "string", 3, ("x", "y", "z")),
        column("price", "number", 80),
        column("size", "string", 3, ("l", "m", "s")),
    )


def bound(lines: str, own: EstimatorFacts | None = None) -> Bound:
    """A whole spec; a key that `lines` gives replaces ours."""
    ours = {
        "structured": "t.csv",
        "images": "p/{id}.jpg",
        "label": "pair",
        "features": "[price]",
        "cnn": "mobilenet_025",
        "layers": "[conv_pw_11_relu]",
    }
    given = {line.partition(":")[0] for line in lines.splitlines()}
    text = "\n".join([*(f"{k}: {v}" for k, v in ours.items() if k not in given), lines])
    parsed = parse(text)
    assert not parsed.problems, parsed.problems
    return bind(parsed.spec, load_roster(), columns(), None, own)


def codes(found: Bound) -> list[str]:
    return [problem.code for problem in found.problems]


@pytest.mark.parametrize("name", load_estimators().names("pyspark", supported=True))
def test_every_estimator_of_spark_binds(name: str) -> None:
    """With what it needs; on the features it takes."""
    facts = load_estimators().find("pyspark", name)
    assert facts is not None
    arguments = "classifier=LinearSVC()" if facts.needs else "modelType='gaussian'" if facts.non_negative else ""
    label = "pair" if "classification" in facts.tasks else "price"
    features = "[size]" if label == "price" else "[price]"
    found = bound(f"model: {name}({arguments})\nlabel: {label}\nfeatures: {features}")
    assert not found.problems
    assert not found.not_yet
    assert found.workload is not None
    assert found.workload.estimator.sites[0] == "cluster"


def test_regression_is_a_task_like_any_other() -> None:
    """A number to predict: LinearRegression, rmse."""
    found = bound("label: price\nfeatures: [size]")
    assert not found.not_yet
    assert found.workload is not None
    assert (found.workload.task, found.workload.metric) == (Task.REGRESSION, "rmse")
    assert str(found.workload.call) == "LinearRegression()"


@pytest.mark.parametrize(
    ("lines", "code", "said", "hint"),
    [
        ("model: LinearSVC()\nlabel: kind", "VST138", "tells two classes apart", "OneVsRest(classifier=LinearSVC())"),
        ("model: GBTClassifier(maxIter=5)\nlabel: kind", "VST138", "has 3", "OneVsRest(classifier=GBTClassifier("),
        ("model: NaiveBayes()", "VST138", "column `price` is standardized", "gaussian"),
        ("model: NaiveBayes()\nfeatures: []\nreduce: pca 4", "VST138", "either sign", "gaussian"),
        ("model: NaiveBayes(modelType='bernoulli')\nfeatures: []", "VST138", "0 and 1", "gaussian"),
        ("model: sklearn.MultinomialNB()\nfeatures: []", "VST138", "standardized", "GaussianNB"),
        ("model: OneVsRest()", "VST139", "needs `classifier`", "OneVsRest(classifier=LogisticRegression())"),
        ("model: sklearn.VotingClassifier()", "VST139", "needs `estimators`", "[('a', sklearn."),
        ("model: LogisticRegression(regParam=LinearSVC())", "VST139", "`regParam` takes no estimator", "number"),
        ("model: OneVsRest(classifier=LinearSVM())", "VST125", "not known here", "LinearSVC"),
        ("model: OneVsRest(classifier=sklearn.SVC())", "VST125", "not known here", "pyspark.ml"),
        ("model: OneVsRest(classifier=LinearSVC(regparm=1))", "VST126", "no parameter `regparm`", "regParam"),
        ("model: sklearn.LinearSVC()\nmetric: logloss", "VST141", "gives none", "accuracy"),
        ("model: sklearn.NearestCentroid()\nmetric: auc", None, "", ""),
        ("model: sklearn.LinearSVC()\nmetric: auc", None, "", ""),
        ("model: sklearn.SVC(probability=True)\nmetric: logloss", None, "", ""),
        ("model: sklearn.MultiOutputClassifier(estimator=sklearn.SVC())", "VST909", "one label", "another"),
        ("model: AFTSurvivalRegression()\nlabel: price\nfeatures: [size]", "VST909", "one label", "another"),
        ("model: LogisticRegression(lowerBoundsOnIntercepts=[1])", "VST916", "a matrix", "$name"),
        ("tune: {regparam: [0.1, 1]}", "VST126", "no parameter `regparam`", "regParam"),
        ("model: LinearRegression()", "VST127", "is for regression", ""),
    ],
)
def test_what_an_estimator_asks_is_said_before_inference(lines: str, code: str | None, said: str, hint: str) -> None:
    """Coded, with the way out; None: it binds."""
    found = bound(lines)
    if code is None:
        assert not found.problems
        return
    assert codes(found) == [code]
    assert said in found.problems[0].message
    assert hint in (found.problems[0].hint or "")


@pytest.mark.parametrize(
    ("lines", "sites"),
    [
        ("tune: {regParam: [0.01, 0.1]}", ("cluster", "driver")),
        ("tune: {regParam: [0.0, 0.1]}", ("cluster",)),
        ("tune: {elasticNetParam: [0.0, 0.5]}\nmodel: LogisticRegression(regParam=0.1)", ("cluster",)),
        ("tune: {C: [0.1, 1, 10], folds: 5}\nmodel: sklearn.LogisticRegression()", ("driver",)),
    ],
)
def test_the_driver_trains_a_grid_only_where_it_may_train_all_of_it(lines: str, sites: tuple[str, ...]) -> None:
    found = bound(lines)
    assert found.workload is not None
    assert found.workload.estimator.sites == sites


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("folds: 5", "every layer is trained in 5 folds, then on all rows: 6 fits"),
        ("tune: {regParam: [0.1, 1], maxIter: [5, 10]}", "as the best of 4 points on 3 inner folds: 13 fits"),
        (
            "folds: 2\ntune: {regParam: [0.1, 1], folds: 2}",
            "each time as the best of 2 points on 2 inner folds: 15 fits",
        ),
    ],
)
def test_the_plan_says_how_often_a_layer_is_trained(lines: str, said: str) -> None:
    """Folds and a grid multiply; nothing is said of a single fit."""
    found = bound(lines)
    assert found.workload is not None
    assert said in found.workload.notes[-1]
    plain = bound("seed: 0")
    assert plain.workload is not None
    assert not any("fits" in note for note in plain.workload.notes)


def own(**fields: Any) -> EstimatorFacts:
    made = {"tasks": ("classification",), "parameters": ("C", "kernel"), "sites": ("driver",), "family": "other"}
    return EstimatorFacts("variable", "mine", **(made | {"kind": "sklearn"} | fields))


def test_an_object_of_the_notebook() -> None:
    """Its own parameters may be set and tuned; a wrong one is an error like any other."""
    found = bound("model: $mine(C=2)\ntune: {kernel: [linear, rbf]}", own())
    assert found.workload is not None
    assert not found.not_yet
    assert str(found.workload.call) == "$mine(C=2)"
    assert codes(bound("model: $mine(D=2)", own())) == ["VST126"]
    assert codes(bound("model: $mine", own(tasks=("regression",)))) == ["VST127"]
    assert codes(bound("model: $mine\nlabel: kind", own(binary=True))) == ["VST138"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OneVsRest(classifier=LinearSVC(regParam=0.1))", "OneVsRest(classifier=LinearSVC(regParam=0.1))"),
        ("$net(epochs=5)", "$net(epochs=5)"),
        (
            "sklearn.StackingClassifier(estimators=[('a', sklearn.SVC()), ('b', sklearn.LogisticRegression(C=1))])",
            "sklearn.StackingClassifier(estimators=[['a', sklearn.SVC()], ['b', sklearn.LogisticRegression(C=1)]])",
        ),
    ],
)
def test_calls_inside_calls_are_read_and_written(text: str, expected: str) -> None:
    """Read with `ast`; what is written is read as the same again."""
    call, _ = read_call(Located.of(text))
    assert str(call) == expected
    assert read_call(Located.of(str(call)))[0] == call


@pytest.mark.parametrize(
    "text",
    ["OneVsRest(classifier=make())", "OneVsRest(classifier=os.system('x'))", "A(b=C(*d))", "A(b=C(1))", "$a.b(c=1)"],
)
def test_nothing_else_is_taken_for_a_call(text: str) -> None:
    """Functions, positional arguments, other libraries: refused with their place, never evaluated."""
    with pytest.raises(BadValue):
        read_call(Located.of(text))


def test_an_inner_call_is_a_value() -> None:
    call, _ = read_call(Located.of("OneVsRest(classifier=LinearSVC(maxIter=5))"))
    assert dict(call.parameters)["classifier"] == EstimatorCall("pyspark", "LinearSVC", (("maxIter", 5),))
