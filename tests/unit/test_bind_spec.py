"""The binder: names against a small roster and a list of columns; all problems at once, with carets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from small_roster import COLUMNS, HEAD, ROSTER, bound

from vista_nb.catalog.bind import bind
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.errors import VistaSpecError
from vista_nb.spec import parse
from vista_nb.spec.model import Task


def problem(lines: str, columns: Sequence[ColumnFacts] | None = COLUMNS) -> tuple[str, str, str]:
    """Code, message and hint of the only problem; no workload comes with it."""
    found = bound(lines, columns)
    assert len(found.problems) == 1, found
    assert found.workload is None
    return found.problems[0].code, found.problems[0].message, found.problems[0].hint


def layer_names(lines: str) -> tuple[str, ...]:
    found = bound(lines)
    assert found.workload is not None, found
    return found.workload.layer_names


# ---- layers


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("", ("fc4", "fc5")),
        ("layers: top 3", ("conv3", "fc4", "fc5")),
        ("layers: all", ("conv1", "conv2", "conv3", "fc4", "fc5")),
        ("layers: [fc4, conv1]", ("conv1", "fc4")),
        ("layers: alias_conv2", ("conv2",)),
        ("layers: conv2..fc4", ("conv2", "conv3", "fc4")),
        ("layers: conv2..alias_conv2", ("conv2",)),
        ("weights: w/net_no_top.h5\nlayers: top 2", ("conv3", "fc4")),
        ("weights: net_notop.h5\nlayers: all", ("conv1", "conv2", "conv3", "fc4")),
        ("weights: net_notop.h5", ("fc4",)),
    ],
)
def test_layers_are_found_and_ordered_low_to_high(line: str, names: tuple[str, ...]) -> None:
    """`top k` counts the layers that the weights have."""
    assert layer_names(line) == names


def test_dropped_class_layers_are_noted() -> None:
    """A file without the class head says which layers went with it."""
    found = bound("weights: net_no_top.h5")
    assert found.workload is not None
    assert "The weights have no class head: left out fc5." in found.workload.notes


@pytest.mark.parametrize(
    ("line", "code", "message", "hint"),
    [
        ("layers: conv9", "VST121", "`littlenet` has no layer `conv9`", "did you mean `conv1`?"),
        ("layers: [fc4, pool1]", "VST121", "`littlenet` has no layer `pool1`", "`pool1` is a layer of paper_net"),
        ("layers: [fc4, alias_fc4]", "VST124", "layer `alias_fc4` is listed twice (it is fc4)", "remove it"),
        (
            "layers: fc4..conv2",
            "VST123",
            "`fc4` lies above `conv2`; a range goes from low to high",
            "write `layers: conv2..fc4`",
        ),
        ("layers: top 6", "VST121", "`littlenet` has 5 layers, not 6", "write `layers: all`"),
        (
            "weights: no_top.h5\nlayers: fc5",
            "VST121",
            "`fc5` is in the class head, which these weights do not have",
            "layers: conv1, conv2, conv3, fc4",
        ),
        ("cnn: litlenet", "VST120", "unknown CNN `litlenet`", "did you mean `littlenet`?"),
        ("weights: imagnet", "VST128", "unknown weights `imagnet`", "did you mean `imagenet`?"),
        (
            "weights: bundled",
            "VST128",
            "`littlenet` has no bundled weights",
            "write `weights: imagenet`, `random` or a file",
        ),
        (
            "cnn: own\nweights: imagenet",
            "VST128",
            "`own` has no imagenet weights",
            "write `weights: bundled`, `random` or a file",
        ),
    ],
)
def test_wrong_networks_and_layers(line: str, code: str, message: str, hint: str) -> None:
    """Each is one problem with the name that was probably meant."""
    assert problem(line) == (code, message, hint)


# ---- columns


def test_default_features_leave_out_what_cannot_help_and_say_so() -> None:
    """Key and label silently, paths, names, dates and empty columns with a note."""
    workload = bound().workload
    assert workload is not None
    assert [(f.column, f.encoding, f.width) for f in workload.features] == [
        ("area", "number", 1), ("rooms", "number", 1), ("zip", "number", 1), ("city", "category", 30),
        ("sold", "date", 3), ("new", "number", 1), ("constant", "category", 1), ("price", "number", 1),
        ("stars", "number", 1),
    ]  # fmt: skip
    assert workload.notes == (
        "Column photo is no feature: it holds paths.",
        "Column title is no feature: 990 distinct texts in 1000 rows, hardly one repeats.",
        "Column blank is no feature: it is empty.",
    )
    assert workload.structured_width == 40


def test_a_column_of_photos_is_no_feature_but_a_folder_name_is() -> None:
    """`{city}` in a pattern is still a category; the column that `images` names is not."""
    as_folder = bound("images: p/{city}/{id}.jpg").workload
    as_column = bound("images: city").workload
    assert as_folder is not None
    assert as_column is not None
    assert "city" in [f.column for f in as_folder.features]
    assert "Column city is no feature: it holds paths." in as_column.notes


def test_named_features_keep_order_and_take_categories() -> None:
    """`zip:category`: 12 values with at least 10 rows, one place for the rest."""
    workload = bound("features: [zip:category, area, new:category]").workload
    assert workload is not None
    assert [(f.column, f.encoding, f.width) for f in workload.features] == [
        ("zip", "category", 13), ("area", "number", 1), ("new", "category", 2)
    ]  # fmt: skip
    assert bound("features: []").workload.features == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "code", "message", "hint"),
    [
        ("features: [aera]", "VST122", "the table has no column `aera`", "did you mean `area`?"),
        (
            "features: [zip:categry]",
            "VST122",
            "`zip` can be taken as a category, not as `categry`",
            "write `zip:category`",
        ),
        ("features: area, zip:category", "VST122", "no column `area, zip`", "write `features: [area, zip]`"),
        ("features: [area, area]", "VST129", "feature `area` is listed twice", "remove it"),
        ("features: [kind]", "VST129", "`kind` is the label, it cannot be a feature", "remove it"),
        ("features: [id]", "VST129", "`id` is the key, it cannot be a feature", "remove it"),
        ("features: [blank]", "VST129", "column `blank` is empty", "remove it"),
        ("images: p/{idd}.jpg", "VST122", "the table has no column `idd`", "did you mean `id`?"),
        ("images: area", "VST129", "column `area` holds number values, no paths or bytes", ""),
        (
            "on: key",
            "VST122",
            "the table has no column `key`",
            "columns: id, kind, area, rooms, zip, city, photo, title, sold, blank, new, constant, ... (14 in all)",
        ),
        ("label: kindd", "VST122", "the table has no column `kindd`", "did you mean `kind`?"),
        ("label: id", "VST130", "`id` is the key, it cannot be the label", ""),
        ("label: sold", "VST130", "column `sold` (date) cannot be a label", ""),
        ("label: blank", "VST130", "label `blank` is empty in every row", ""),
        ("label: constant", "VST130", "label `constant` has one value only (a)", "nothing to predict"),
        (
            "label: title",
            "VST130",
            "label `title` has 990 distinct texts in 1000 rows: no class repeats",
            "choose a column with a few values",
        ),
    ],
)
def test_wrong_columns(line: str, code: str, message: str, hint: str) -> None:
    """A column that is not there, or cannot play its part."""
    assert problem(line) == (code, message, hint)


def test_the_default_key_is_said_where_it_is_missing() -> None:
    """`on` was never written, so the message tells where `id` comes from."""
    found = bound("", [c for c in COLUMNS if c.name != "id"])
    assert [p.message for p in found.problems if p.line == 0] == [
        "the table has no column `id` (`on` was not given, so `id` is the key)"
    ]


# ---- label, task, metric


@pytest.mark.parametrize(
    ("line", "task", "metric", "classes"),
    [
        ("", Task.CLASSIFICATION, "accuracy", ("cup", "hat", "shoe")),
        ("label: new", Task.CLASSIFICATION, "accuracy", ("false", "true")),
        ("label: rooms\nmetric: f1", Task.CLASSIFICATION, "f1", ()),
        ("label: stars\ntask: classification", Task.CLASSIFICATION, "accuracy", ()),
        ("label: stars", Task.REGRESSION, "rmse", ()),
        ("label: price\nmetric: r2", Task.REGRESSION, "r2", ()),
    ],
)
def test_the_task_follows_the_label(line: str, task: Task, metric: str, classes: tuple[str, ...]) -> None:
    """Strings, booleans and integers of at most 20 values are classes."""
    workload = bound(line).workload
    assert workload is not None
    assert (workload.task, workload.metric, workload.classes) == (task, metric, classes)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            "metric: rmse",
            "`rmse` does not score a classification, which label `kind` gives",
            "write `task: regression`, or one of: accuracy, f1, auc, logloss",
        ),
        ("task: regression", "label `kind` holds no numbers, so no regression", "write `task: classification`"),
        ("model: LinearRegression()", "`LinearRegression` is for regression, the label asks for classification", ""),
    ],
)
def test_task_metric_and_model_must_agree(line: str, message: str, hint: str) -> None:
    """Each contradiction names both sides."""
    assert problem(line) == ("VST127", message, hint)


# ---- model


@pytest.mark.parametrize(
    ("line", "code", "message", "hint"),
    [
        (
            "model: LogisticRegresion()",
            "VST125",
            "pyspark.ml has no estimator `LogisticRegresion`",
            "did you mean `LogisticRegression`?",
        ),
        (
            "model: SVC()",
            "VST125",
            "pyspark.ml has no estimator `SVC`",
            "scikit-learn has one: write `sklearn.SVC(...)`",
        ),
        ("model: LogisticRegression(C=1)", "VST126", "`LogisticRegression` has no parameter `C`", None),
        (
            "model: LogisticRegression(regparam=1)",
            "VST126",
            "`LogisticRegression` has no parameter `regparam`",
            "did you mean `regParam`?",
        ),
        ("model: LogisticRegression(featuresCol='x')", "VST126", "`featuresCol` is set by vista_nb", "remove it"),
        (
            "tune: {regparam: [1]}",
            "VST126",
            "`LogisticRegression` has no parameter `regparam`",
            "did you mean `regParam`?",
        ),
    ],
)
def test_wrong_models(line: str, code: str, message: str, hint: str | None) -> None:
    """Estimators and parameters by name, from the libraries' own lists."""
    found = problem(line)
    assert found[:2] == (code, message)
    assert hint is None or found[2] == hint


def test_training_sites_and_iterations_are_the_calls() -> None:
    """L2 may be trained on either side; a limit of passes is the call's."""
    workload = bound("model: LogisticRegression(regParam=0.05, maxIter=150)").workload
    assert workload is not None
    assert workload.estimator.sites == ("cluster", "driver")
    assert workload.estimator.iterations == 150
    default = bound().workload
    assert default is not None
    assert (str(default.call), default.estimator.sites) == ("LogisticRegression()", ("cluster",))


# ---- all at once, what-if, not yet


def test_all_problems_at_once_with_their_carets() -> None:
    """The whole text of the error, in the order of the cell."""
    text = HEAD + "features: [area, aera]\nlayers: [fc4, fc9]\nmodel: LogisticRegression(regparm=1)\n"
    found = bind(parse(text).spec, ROSTER, COLUMNS)
    assert (
        str(VistaSpecError(found.problems, text))
        == """\
VistaSpecError: 3 problems in the spec
VST122 line 5, column 18: the table has no column `aera`
    features: [area, aera]
                     ^^^^
  hint: did you mean `area`?
VST121 line 6, column 15: `littlenet` has no layer `fc9`
    layers: [fc4, fc9]
                  ^^^
  hint: did you mean `fc4`?
VST126 line 7, column 27: `LogisticRegression` has no parameter `regparm`
    model: LogisticRegression(regparm=1)
                              ^^^^^^^
  hint: did you mean `regParam`?"""
    )


def test_a_what_if_binds_without_columns() -> None:
    """rows and structured_features stand for the table; a run has nothing to do."""
    spec = parse("cnn: paper_net\nstatistics: {rows: 20129, structured_features: 130}").spec
    found = bind(spec, ROSTER, None)
    assert found.workload is not None
    assert (found.workload.structured_width, found.workload.task, found.workload.label) == (
        130,
        Task.CLASSIFICATION,
        "",
    )
    assert [p.code for p in found.not_yet] == ["VST140"]


@pytest.mark.parametrize(
    "line",
    [
        "plan: {materialization: staged}",
        "plan: {profile: sigmod2020, cpu: 1}",
        "plan: {pooling: pulled_up}",
        "resources: {master: 'local[2]', nodes: 1}",
        "bad_images: fail",
        "images: [p/{id}_a.jpg, p/{id}_b.jpg]",
        "views: mean",
        "reduce: pca 8",
        "features: [sold]",
        "metric: logloss",
        "pool: none",
        "test: 0.5",
        "model: sklearn.LogisticRegression(C=0.01)",
        "model: sklearn.SVC(C=2)",
        "model: RandomForestClassifier()",
        "model: LogisticRegression(threshold=0.3)",
        "tune: {regParam: [0.1, 1]}",
        "folds: 5",
        "label: price",
        "statistics: {rows: 9}",
    ],
)
def test_what_works_today_is_not_refused(line: str) -> None:
    """No problem of either kind."""
    found = bound(line)
    assert found.workload is not None
    assert not found.not_yet
