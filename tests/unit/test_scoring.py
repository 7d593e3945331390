"""Metrics of both tasks, their intervals, the confusion matrix and the nested estimate, on fits made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from benchmarks.simulated_outcomes import alike_layers, classified, fit_of, predicted
from vista_nb.errors import VistaRunError
from vista_nb.executor.downstream.compared import compared, confusion
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.metrics import metrics_of, point, point_by, score
from vista_nb.executor.downstream.nested import nested_score
from vista_nb.executor.downstream.paired import paired_tests
from vista_nb.outcome.scores import TABLE


def numbers(rows: int = 80, seed: int = 0) -> FitResult:
    return predicted(rows, np.random.default_rng(seed))["layer0"]


def classes(rows: int = 120, seed: int = 0) -> FitResult:
    return classified(rows, np.random.default_rng(seed))["layer0"]


REFERENCE: dict[str, Any] = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
}


@pytest.mark.parametrize("metric", REFERENCE)
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_metrics_of_a_regression_equal_scikit_learns(metric: str, shift: float) -> None:
    """The value, any resample of it, an interval around it; a label far from zero loses no digit."""
    fit = numbers()
    fit = replace(fit, truth=fit.truth + shift, predictions=fit.predictions + shift)
    weights = np.random.default_rng(3).integers(0, 4, size=fit.rows_test).astype(float)
    for weight in (np.ones(fit.rows_test), weights):
        expected = REFERENCE[metric](fit.truth, fit.predictions, sample_weight=weight)
        assert point_by(metric, fit, weight[None, :])[0] == pytest.approx(expected, rel=1e-9)
    found = score(metric, fit, 1)
    assert found.low < found.value < found.high
    assert score(metric, fit, 1) == found


def test_a_constant_truth_has_no_r2() -> None:
    """NaN, not minus infinity, and an interval that says nothing."""
    fit = fit_of(np.full(30, 2.0), np.random.default_rng(0).normal(size=30))
    found = score("r2", fit)
    assert np.isnan([found.value, found.low, found.high]).all()


def test_a_perfect_regression_has_no_width() -> None:
    """No loss at all: the interval is the point."""
    truth = np.arange(40.0)
    assert (score("rmse", fit_of(truth, truth)).low, score("mae", fit_of(truth, truth)).high) == (0.0, 0.0)
    assert score("r2", fit_of(truth, truth)).value == 1.0


def test_each_task_has_its_metrics() -> None:
    """A metric of the other task is a coded error; a model without probabilities has no auc."""
    assert metrics_of(numbers()) == ("rmse", "mae", "r2")
    assert metrics_of(classes()) == ("accuracy", "f1", "auc", "logloss")
    only_classes = replace(classes(), has_probabilities=False)
    assert metrics_of(only_classes) == ("accuracy", "f1")
    with pytest.raises(VistaRunError, match=r"VST531.*accuracy cannot score a regression"):
        score("accuracy", numbers())
    with pytest.raises(VistaRunError, match="VST531"):
        score("auc", only_classes)


@pytest.mark.parametrize("metric", ["f1", "auc"])
def test_no_mistake_seen_is_no_proof(metric: str) -> None:
    """All right on 60 rows: the interval still goes down to what 20 rows of the rarest class can bear."""
    truth = np.repeat(np.arange(3), 20).astype(np.int32)
    found = score(metric, fit_of(truth, truth, np.eye(3)[truth]))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.839, abs=0.001)  # Wilson, 20 of 20


@pytest.mark.parametrize("metric", ["f1", "auc", "logloss"])
def test_intervals_hold_the_value(metric: str) -> None:
    """Of small samples too."""
    for rows in (12, 40, 300):
        found = score(metric, classes(rows, rows), rows)
        assert found.low <= found.value <= found.high


def test_auc_without_a_second_class_is_undefined() -> None:
    """NaN all through, no error."""
    found = score("auc", fit_of(np.zeros(10, np.int32), np.zeros(10, np.int32), np.tile([0.6, 0.4], (10, 1))))
    assert np.isnan([found.value, found.low, found.high]).all()


def test_the_confusion_matrix_counts_every_row_once() -> None:
    """As scikit-learn counts them; empty cells are left out."""
    fit = classes()
    found = confusion("fc6", fit)
    dense = np.zeros((3, 3), dtype=int)
    for truth, prediction, rows in found.cells:
        assert rows > 0
        dense[truth, prediction] = rows
    np.testing.assert_array_equal(dense, sk.confusion_matrix(fit.truth, fit.predictions, labels=[0, 1, 2]))
    assert found.layer == "fc6"


def folded(fits: dict[str, FitResult], folds: int) -> dict[str, FitResult]:
    rows = next(iter(fits.values())).rows_test
    number = (np.arange(rows) % folds).astype(np.int16)
    return {name: replace(fit, folds=number) for name, fit in fits.items()}


def test_the_nested_estimate_chooses_without_the_rows_it_scores() -> None:
    """Each layer is right on half of the rows: whichever half it looks good on, it is bad on the other."""
    truth = np.zeros(40, dtype=np.int32)
    fold = (np.arange(40) % 5).astype(np.int16)
    wrong = (np.arange(40) < 20).astype(np.int32)
    fits = {"low": fit_of(truth, wrong, folds=fold), "top": fit_of(truth, 1 - wrong, folds=fold)}
    found = nested_score(fits, "accuracy", 3)
    assert found is not None
    assert {point("accuracy", fit) for fit in fits.values()} == {0.5}
    assert 0.3 < found.value < 0.5
    assert set(found.chosen) == {"low", "top"}
    assert found.ci_low < found.value < found.ci_high
    assert nested_score(fits, "accuracy", 3) == found


def test_a_clearly_best_layer_is_chosen_by_every_half() -> None:
    """Then the nested estimate is its own score."""
    generator = np.random.default_rng(4)
    bad, good = (alike_layers(1, share, 300, generator, 0.0)["layer0"] for share in (0.6, 0.9))
    good = replace(
        good, truth=bad.truth, predictions=np.where(good.truth == good.predictions, bad.truth, 1 - bad.truth)
    )
    found = compared(folded({TABLE: bad, "low": bad, "top": good}, 5), "accuracy")
    assert found.folds == 5
    assert found.nested is not None
    assert found.nested.chosen == ("top",)
    assert found.nested.value == pytest.approx(point("accuracy", good))
    assert [c.layer for c in found.confusions] == [TABLE, "low", "top"]


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_regression_is_compared_too(metric: str) -> None:
    """A layer with half the error wins clearly, and no confusion matrix is made of numbers."""
    fits = predicted(200, np.random.default_rng(5), 2)
    first = fits["layer0"]
    better = replace(first, predictions=(first.predictions + first.truth) / 2)
    found = compared(folded({TABLE: fits["layer1"], "low": fits["layer1"], "top": better}, 4), metric)
    against = {t.a: t for t in found.tests if t.b == TABLE}
    assert against["top"].clear
    assert not against["low"].clear
    assert against["top"].difference > 0
    assert found.confusions == ()
    assert found.nested is not None
    assert set(found.nested.chosen) == {"top"}


def test_without_folds_nothing_is_nested() -> None:
    """One split, or one layer: no choice that could be scored apart."""
    fits = alike_layers(2, 0.8, 100, np.random.default_rng(0), 0.0)
    assert compared(fits, "accuracy").nested is None
    assert compared(fits, "accuracy").folds == 0
    assert nested_score(folded({"top": fits["layer0"]}, 3), "accuracy") is None
    assert compared({}, "accuracy").tests == ()


def test_other_folds_are_other_rows() -> None:
    """A row that was held out by another model elsewhere is not the same row."""
    fits = folded(alike_layers(2, 0.8, 100, np.random.default_rng(0), 0.0), 5)
    other: NDArray[np.int16] = np.zeros(100, np.int16)
    with pytest.raises(ValueError, match="not scored on the same rows"):
        paired_tests({"a": fits["layer0"], "b": replace(fits["layer1"], folds=other)}, "accuracy")


def test_the_best_is_held_against_every_other() -> None:
    """Runner-up first, all corrected for all pairs."""
    generator = np.random.default_rng(8)
    layers = alike_layers(4, 0.8, 200, generator, 0.0)
    tests = [t for t in paired_tests(layers, "accuracy") if t.b != TABLE]
    values = {name: point("accuracy", fit) for name, fit in layers.items()}
    assert len({t.a for t in tests}) == 1
    assert [values[t.b] for t in tests] == sorted((values[t.b] for t in tests), reverse=True)
    assert {t.compared for t in tests} == {6}


def test_rows_for_people() -> None:
    """Classes as text with the probability of the prediction; numbers as they are; none where the model gives none."""
    fit = classes()
    row = fit.rows()[3]
    assert row.truth == fit.classes[fit.truth[3]]
    assert row.probability == pytest.approx(fit.probabilities[3].max())
    assert replace(fit, has_probabilities=False).rows()[3].probability is None
    number = numbers().rows()[3]
    assert isinstance(number.truth, float)
    assert number.probability is None
