"""`folds` and `tune` through a whole run of the reference backend: same rows and folds, nothing learnt of held rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.executor_support import catalogue, make_plan, run_inputs, run_plan, workload
from vista_nb.catalog.workload import EstimatorFacts, FeatureUse, Workload
from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import DriverFit
from vista_nb.executor.downstream.folds import across_folds
from vista_nb.executor.downstream.split import encode_labels, fold_of, held_out, inner_fold_of
from vista_nb.executor.downstream.tuning import Split, grid, tuned, with_point
from vista_nb.executor.local import LocalBackend
from vista_nb.outcome.scores import TABLE, TABLE_TREE
from vista_nb.spec.model import EstimatorCall, Task, Tune

KEYS = [f"row {i}" for i in range(300)]
SKLEARN = EstimatorCall("sklearn", "LogisticRegression", (("max_iter", 300),))
GRID = Tune((("C", (0.001, 1.0, 100.0)),), 3)


def work(folder: Path, **spec: Any) -> Workload:
    """The tiny catalogue with scikit-learn's model."""
    made = workload(catalogue(folder, rows=60), **spec)
    facts = EstimatorFacts("sklearn", "LogisticRegression", ("classification",), (), ("driver",), "linear")
    return replace(made, call=SKLEARN, estimator=facts)


def regression(folder: Path, **spec: Any) -> Workload:
    """The price, which the photos say nothing about; M is Spark's linear regression on the driver."""
    made = work(folder, **spec)
    facts = EstimatorFacts("pyspark", "LinearRegression", ("regression",), (), ("driver",), "linear")
    call = EstimatorCall("pyspark", "LinearRegression", (("regParam", 0.5),))
    uses = (FeatureUse("kind", "category", 2),)
    return replace(
        made, label="price", task=Task.REGRESSION, metric="rmse", call=call, estimator=facts, features=uses, classes=()
    )


def run(made: Workload, folder: Path, **plan: Any) -> tuple[LocalBackend, Any]:
    chosen = make_plan(made, baseline=True, **plan)
    backend = LocalBackend(chosen, run_inputs(made, folder))
    outcome, _ = run_plan(chosen, backend)
    return backend, outcome


def test_the_folds_hold_every_row_once() -> None:
    """Even parts, by the split's own hash; inner folds do not follow them."""
    folds, inner = fold_of(KEYS, 0, 5), inner_fold_of(KEYS, 0, 5)
    assert set(folds.tolist()) == set(range(5))
    assert (folds == 0).tolist() == held_out(KEYS, 0, 0.2).tolist()
    assert 0.1 < np.mean(folds == inner) < 0.3
    assert fold_of(KEYS, 1, 5).tolist() != folds.tolist()


def test_with_folds_every_row_is_scored_by_a_model_that_had_not_seen_it(tmp_path: Path) -> None:
    """All layers and baselines: the same 60 rows in the same folds; the model that is kept is of all rows."""
    backend, outcome = run(work(tmp_path, folds=4), tmp_path)
    fits = backend.trainer.fits
    assert set(fits) == {TABLE, TABLE_TREE, "low", "mid", "top"}
    first = fits["low"]
    assert len(first.keys) == 60
    assert first.folds is not None
    assert first.folds.tolist() == fold_of(first.keys, 0, 4).tolist()
    for fit in fits.values():
        assert fit.keys == first.keys
        assert fit.truth.tolist() == first.truth.tolist()
        assert fit.folds is not None
        assert fit.folds.tolist() == first.folds.tolist()
        assert 40 <= fit.rows_train <= 50
    assert {score.rows_test for score in outcome.scores} == {60}
    assert (outcome.rows.train, outcome.rows.test) == (60, 60)
    assert outcome.folds == 4


def test_a_fold_equals_the_split_that_holds_out_its_rows(tmp_path: Path) -> None:
    """The first of four folds is `test: 0.25`: the same encoding, the same model, the same predictions."""
    (whole, _), (split, _) = run(work(tmp_path, folds=4), tmp_path), run(work(tmp_path, test=0.25), tmp_path)
    for layer in ("low", "top", TABLE, TABLE_TREE):
        folds, alone = whole.trainer.fits[layer], split.trainer.fits[layer]
        assert folds.folds is not None
        first = folds.folds == 0
        assert tuple(np.array(folds.keys)[first]) == alone.keys
        np.testing.assert_allclose(folds.probabilities[first], alone.probabilities, atol=1e-9)


def test_folds_run_in_waves_too(tmp_path: Path) -> None:
    """An early wave has its own score; the last one equals the run in one wave."""
    _, waves = run(work(tmp_path / "a", folds=3), tmp_path / "a", waves=2)
    _, one = run(work(tmp_path / "b", folds=3), tmp_path / "b")
    assert [replace(s, seconds=0.0, wave=1) for s in waves.scores] == [replace(s, seconds=0.0) for s in one.scores]


def test_more_folds_than_rows_is_said(tmp_path: Path) -> None:
    """Two rows in one fold cannot score each other."""
    backend, _ = run(work(tmp_path), tmp_path)
    rows = backend.rows
    alone = rows._select(fold_of(rows.keys, 0, 5) == 2)
    with pytest.raises(VistaDataError, match=r"VST357: .* rows do not fill two of 5 folds"):
        across_folds(alone, 0, 5, "label", lambda part: pytest.fail("nothing to fit"))


def test_the_grid_is_every_combination() -> None:
    """The last parameter changes fastest; the call's other parameters stay."""
    points = grid(Tune((("a", (1, 2)), ("b", ("x", "y")))))
    assert points == (
        (("a", 1), ("b", "x")),
        (("a", 1), ("b", "y")),
        (("a", 2), ("b", "x")),
        (("a", 2), ("b", "y")),
    )
    call = EstimatorCall("sklearn", "SVC", (("kernel", "rbf"), ("a", 0)))
    assert str(with_point(call, points[2])) == "sklearn.SVC(kernel='rbf', a=2, b='x')"


def data() -> tuple[np.ndarray, Any, np.ndarray]:
    """Many columns of noise and a few that say something: a weak penalty learns the noise."""
    generator = np.random.default_rng(5)
    matrix = generator.normal(size=(300, 120)).astype(np.float32)
    margins = matrix[:, :3].sum(axis=1) + generator.normal(0, 1.0, 300)
    test = held_out(KEYS, 0, 0.3)
    return matrix, encode_labels([f"c{int(m > 0)}" for m in margins], test, "y"), test


def test_the_best_point_is_chosen_inside_the_train_rows() -> None:
    """Each inner fit sees two thirds of the train rows and none of the held-out ones; the last one all of them."""
    matrix, labels, test = data()
    fitting = DriverFit(matrix, KEYS, labels)
    seen: list[tuple[Split, int]] = []

    def fit(split: Split, calls: Sequence[EstimatorCall]) -> Sequence[FitResult]:
        seen.append((split, len(calls)))
        return fitting.fit(split.train, split.held, calls)

    result = tuned(SKLEARN, GRID, "accuracy", KEYS, labels, test, 0, fit)
    assert [count for _, count in seen] == [3, 3, 3, 1]
    inner = [split for split, _ in seen[:3]]
    assert all(not (split.train & test).any() and not (split.held & test).any() for split in inner)
    assert np.sum([split.held for split in inner], axis=0).tolist() == (~test).astype(int).tolist()
    assert seen[-1][0].inner is None
    assert seen[-1][0].train.tolist() == (~test).tolist()
    assert [dict(point.parameters)["C"] for point in result.tried] == [0.001, 1.0, 100.0]
    best = max(result.tried, key=lambda point: point.value)
    assert result.parameters == best.parameters
    assert best.value > min(point.value for point in result.tried)


def test_the_search_equals_scikit_learns() -> None:
    """The same folds given to GridSearchCV over the same standardized pipeline: the same means, the same choice."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix, labels, test = data()
    fitting = DriverFit(matrix, KEYS, labels)

    def fit(split: Split, calls: Sequence[EstimatorCall]) -> Sequence[FitResult]:
        return fitting.fit(split.train, split.held, calls)

    result = tuned(SKLEARN, GRID, "accuracy", KEYS, labels, test, 0, fit)
    inner = inner_fold_of(KEYS, 0, 3)[~test]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, random_state=0))
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.001, 1.0, 100.0]}, cv=PredefinedSplit(inner))
    search.fit(matrix[~test].astype(np.float64), labels.index[~test])
    ours = [point.value for point in result.tried]
    np.testing.assert_allclose(ours, search.cv_results_["mean_test_score"], atol=1e-9)
    assert dict(result.parameters)["C"] == search.best_params_["logisticregression__C"]


def test_a_run_tells_the_best_parameters_of_each_layer(tmp_path: Path) -> None:
    """In the scores and, point by point, in the outcome; the table's own model is tuned as well, the forest is not."""
    backend, outcome = run(work(tmp_path, tune=GRID), tmp_path)
    by_layer = {score.layer: score.parameters for score in outcome.scores}
    assert by_layer[TABLE_TREE] == ""
    for layer in ("low", "mid", "top", TABLE):
        points = [point for point in outcome.tuning if point.layer == layer]
        assert len(points) == 3
        chosen = [point for point in points if point.chosen]
        assert len(chosen) == 1
        assert by_layer[layer] == f"C={dict(chosen[0].parameters)['C']}"
        assert chosen[0].value == max(point.value for point in points)
        assert dict(chosen[0].parameters)["C"] == backend.trainer.fits[layer].native.C


def test_folds_and_a_grid_together(tmp_path: Path) -> None:
    """Every fold is tuned inside its own train rows; what the result names is the model of all rows."""
    backend, outcome = run(work(tmp_path, folds=3, tune=GRID), tmp_path)
    fit = backend.trainer.fits["top"]
    assert len(fit.keys) == 60
    assert len([point for point in outcome.tuning if point.layer == "top"]) == 3
    assert dict(fit.parameters)["C"] == fit.native.C


@pytest.mark.parametrize("spec", [{}, {"folds": 4}, {"tune": Tune((("regParam", (0.1, 10.0)),), 3)}])
def test_a_regression_runs_to_its_end(tmp_path: Path, spec: dict[str, Any]) -> None:
    """Numbers all the way: rmse with an interval, table and tree beside it, predictions in the label's unit."""
    backend, outcome = run(regression(tmp_path, **spec), tmp_path)
    assert (outcome.task, outcome.metric, outcome.majority) == ("regression", "rmse", None)
    assert {score.layer for score in outcome.scores} == {TABLE, TABLE_TREE, "low", "mid", "top"}
    for score in outcome.scores:
        assert score.ci_low < score.value < score.ci_high
        fit = backend.trainer.fits[score.layer]
        assert fit.is_regression
        assert score.value == pytest.approx(float(np.sqrt(np.mean((fit.truth - fit.predictions) ** 2))))


@pytest.mark.parametrize(
    "spec", [{}, {"folds": 4}, {"folds": 4, "reduce": 5}, {"tune": Tune(GRID.grid, 2), "folds": 3}]
)
def test_the_photo_alone_has_the_mean_beside_it(tmp_path: Path, spec: dict[str, Any]) -> None:
    """`features: []`: no column to encode, however the rows are split; one guess for the table, per fold."""
    made = work(tmp_path, **spec) if "tune" in spec else regression(tmp_path, **spec)
    backend, _ = run(replace(made, features=()), tmp_path)
    fits = backend.trainer.fits
    assert TABLE_TREE not in fits
    assert len(set(fits[TABLE].predictions.tolist())) <= spec.get("folds", 1)
    assert fits["low"].rows_test == (60 if "folds" in spec else fits[TABLE].rows_test)


def test_a_label_that_is_no_number_is_named(tmp_path: Path) -> None:
    test = np.zeros(3, dtype=bool)
    with pytest.raises(VistaDataError, match="VST356: label 'y' holds 'much', which is no number"):
        encode_labels([1.0, "much", None], test, "y", task=Task.REGRESSION)


def test_a_binary_model_is_refused_before_inference(tmp_path: Path) -> None:
    """More classes than the columns' facts could show: the join sees them, and no photo is looked at."""
    made = work(tmp_path)
    made = replace(made, estimator=replace(made.estimator, name="Two", binary=True))
    plan = make_plan(made)
    backend = LocalBackend(plan, run_inputs(made, tmp_path))
    with pytest.raises(VistaDataError, match=r"VST359.*tells two classes apart"):
        run_plan(plan, backend)
    assert not backend.pooled


def test_parameters_are_checked_before_inference(tmp_path: Path) -> None:
    """What scikit-learn refuses at the fit is refused at the start, for every point of the grid."""
    made = work(tmp_path, tune=Tune((("C", (1.0, -1.0)),), 3))
    plan = make_plan(made)
    backend = LocalBackend(plan, run_inputs(made, tmp_path))
    with pytest.raises(Exception, match=r"VST521.*'C' parameter"):
        run_plan(plan, backend)
    assert not backend.pooled
