"""Fits on the driver: the model Spark's formula defines, scikit-learn's own, baselines, metrics, paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.downstream.baseline import fit_guess, fit_tree
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import DriverFit, fit_driver
from vista_nb.executor.downstream.metrics import point, replicates, score
from vista_nb.executor.downstream.paired import paired_tests
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out
from vista_nb.outcome.scores import TABLE, TABLE_TREE
from vista_nb.spec.model import EstimatorCall

KEYS = [f"k{i}" for i in range(300)]
TEST = held_out(KEYS, 0, 0.3)


def call(library: str = "pyspark", **parameters: object) -> EstimatorCall:
    return EstimatorCall(library, "LogisticRegression", tuple(parameters.items()))


def data(classes: int, width: int = 20, noise: float = 1.0) -> tuple[np.ndarray, Labels]:
    """Features of very different scales, one constant; labels that hang on the first few."""
    generator = np.random.default_rng(classes)
    matrix = generator.normal(size=(300, width)) * np.logspace(-2, 3, width) + 5
    matrix[:, -1] = 7.0
    margins = (matrix[:, :classes] - 5) / np.logspace(-2, 3, width)[:classes]
    truth = (margins + generator.normal(0, noise, margins.shape)).argmax(axis=1)
    return matrix.astype(np.float32), encode_labels([f"c{t}" for t in truth], TEST, "y")


def spark_objective(matrix: np.ndarray, truth: np.ndarray, penalty: float, classes: int) -> np.ndarray:
    """Minimise Spark's documented objective from scratch; probabilities of all rows."""
    mean, scale = matrix[~TEST].mean(axis=0), matrix[~TEST].std(axis=0, ddof=1)
    scaled = (matrix - mean) / np.where(scale > 0, scale, 1.0)
    rows, width = scaled[~TEST], scaled.shape[1]
    wide = 1 if classes == 2 else classes

    def margins(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        z = x @ w[: wide * width].reshape(wide, width).T + w[wide * width :]
        return np.hstack([np.zeros_like(z), z]) if classes == 2 else z

    def loss(w: np.ndarray) -> float:
        z = margins(rows, w)
        own = z[np.arange(len(rows)), truth[~TEST]]
        return float(np.mean(logsumexp(z, axis=1) - own) + penalty / 2 * np.sum(w[: wide * width] ** 2))

    w = minimize(loss, np.zeros(wide * (width + 1)), method="L-BFGS-B", options={"maxiter": 3000, "maxfun": 10**6}).x
    z = margins(scaled, w)
    return np.exp(z - logsumexp(z, axis=1, keepdims=True))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_driver_fits_sparks_model(classes: int) -> None:
    """C = 1 / (n regParam) over columns scaled by the sample deviation is Spark's objective, written out here."""
    matrix, labels = data(classes)
    result = fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.05))
    expected = spark_objective(matrix.astype(np.float64), labels.index, 0.05, classes)
    order = sorted(np.flatnonzero(TEST), key=lambda i: KEYS[i])
    np.testing.assert_allclose(result.probabilities, expected[order], atol=2e-3)
    assert result.keys == tuple(KEYS[i] for i in order)
    assert result.truth.tolist() == labels.index[order].tolist()
    assert (result.rows_train, result.rows_test) == (int((~TEST).sum()), int(TEST.sum()))
    assert result.notes == ()


@pytest.mark.parametrize(("solver", "kind"), [("lbfgs", np.float32), ("newton-cg", np.float64)])
def test_scikit_learns_own_model(solver: str, kind: type) -> None:
    """Every column standardized on train rows; the same numbers as by hand, in the floats that the solver is given."""
    matrix, labels = data(3)
    # at the default tolerance a rounding of 1e-15 in the sums alone moves probabilities by 8e-4
    given = {"C": 0.5, "max_iter": 5000, "tol": 1e-8, "solver": solver}
    result = fit_driver(matrix, KEYS, labels, TEST, call("sklearn", **given))
    by_hand = matrix.astype(np.float64)
    train = by_hand[~TEST]
    by_hand = ((by_hand - train.mean(axis=0)) / np.where(train.std(axis=0) > 0, train.std(axis=0), 1)).astype(kind)
    expected = LogisticRegression(**given).fit(by_hand[~TEST], labels.index[~TEST])
    order = sorted(np.flatnonzero(TEST), key=lambda i: KEYS[i])
    assert result.native.coef_.dtype == kind
    np.testing.assert_allclose(result.probabilities, expected.predict_proba(by_hand[order]), atol=1e-5)
    np.testing.assert_allclose(result.model.probabilities(matrix[order]), result.probabilities)
    assert result.model.predict(matrix[order]).tolist() == result.predictions.tolist()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_floats_of_half_the_length_give_the_same_answers(classes: int, penalty: float) -> None:
    """The model that the same steps give in doubles, of more columns than rows."""
    matrix, labels = data(classes, width=400)
    single = fit_driver(matrix, KEYS, labels, TEST, call("sklearn", C=penalty))
    train = matrix[~TEST].astype(np.float64)
    scaled = (matrix - train.mean(axis=0)) / np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    double = LogisticRegression(C=penalty).fit(scaled[~TEST], labels.index[~TEST])
    order = sorted(np.flatnonzero(TEST), key=lambda i: KEYS[i])
    assert (single.native.coef_.dtype, double.coef_.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single.probabilities, double.predict_proba(scaled[order]), atol=2e-3)


def test_calls_of_one_grid_are_fitted_each_in_its_own_floats() -> None:
    """The scaled rows are shared by calls that are given the same floats only."""
    matrix, labels = data(2)
    calls = [call("sklearn", solver=solver, C=0.1) for solver in ("lbfgs", "newton-cg", "lbfgs")]
    found = DriverFit(matrix, KEYS, labels).fit(~TEST, TEST, calls)
    assert [fit.native.coef_.dtype for fit in found] == [np.float32, np.float64, np.float32]


def test_the_model_hangs_on_train_rows_alone() -> None:
    """Other values in test rows change no coefficient."""
    matrix, labels = data(2)
    changed = matrix.copy()
    changed[TEST] *= 100
    models = [fit_driver(m, KEYS, labels, TEST, call(regParam=0.1)).model for m in (matrix, changed)]
    np.testing.assert_array_equal(models[0].coefficients, models[1].coefficients)


def test_a_class_without_train_rows_counts_as_wrong() -> None:
    """It has probability 0; its rows are never predicted right; the other classes are."""
    matrix, labels = data(2, noise=0.1)
    texts = [labels.classes[i] for i in labels.index]
    rare = np.flatnonzero(TEST)[:5]
    for i in rare:
        texts[i] = "a rare one"
    marked = encode_labels(texts, TEST, "y")
    result = fit_driver(matrix, KEYS, marked, TEST, call(regParam=0.01))
    assert marked.classes[0] == "a rare one"
    assert (result.probabilities[:, 0] == 0).all()
    assert score("accuracy", result).value <= 1 - 5 / result.rows_test
    assert score("logloss", result).value > 5 / result.rows_test * 30
    assert result.rows()[0].prediction in ("c0", "c1")


def test_rows_without_a_label_are_in_no_side() -> None:
    """They neither train nor score."""
    matrix, labels = data(2)
    texts: list[str | None] = [labels.classes[i] for i in labels.index]
    texts[0] = texts[int(np.flatnonzero(TEST)[0])] = None
    result = fit_driver(matrix, KEYS, encode_labels(texts, TEST, "y"), TEST, call(regParam=0.1))
    assert result.rows_train + result.rows_test == 298


@pytest.mark.parametrize(
    "refused",
    [
        call(family="multinomial"),
        call(regParam=0.1, elasticNetParam=0.5),
        call(threshold=0.3),
        EstimatorCall("pyspark", "LinearSVC"),
        EstimatorCall("pyspark", "LinearRegression", (("standardization", False),)),
    ],
    ids=str,
)
def test_what_the_driver_refuses(refused: EstimatorCall) -> None:
    """What would be another model than the one asked for is never fitted silently."""
    matrix, labels = data(2)
    with pytest.raises(VistaRunError, match="VST522"):
        fit_driver(matrix, KEYS, labels, TEST, refused)


def test_mistakes_are_coded() -> None:
    """A wrong parameter, a value that is no number, a fit that stops early."""
    matrix, labels = data(2)
    with pytest.raises(VistaRunError, match="VST521"):
        fit_driver(matrix, KEYS, labels, TEST, call("sklearn", C=-1.0))
    with pytest.raises(VistaRunError, match="VST521"):
        fit_driver(matrix, KEYS, labels, TEST, call("sklearn", no_such=1))
    early = fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.001, maxIter=2))
    assert early.notes == (
        "LogisticRegression(regParam=0.001, maxIter=2) stopped after 2 iterations without converging.",
    )
    matrix[int(np.flatnonzero(~TEST)[0]), 3] = np.nan
    with pytest.raises(VistaDataError, match="VST355: feature column 3"):
        fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.1))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("metric", ["accuracy", "f1", "auc", "logloss"])
def test_metrics_equal_scikit_learns(metric: str, classes: int) -> None:
    """The value, any resample of it, and an interval that holds the value."""
    matrix, labels = data(classes)
    result = fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.1))
    weights = np.random.default_rng(3).integers(1, 4, size=result.rows_test).astype(float)
    from vista_nb.executor.downstream import metrics

    for weight in (np.ones(result.rows_test), weights):
        ours = metrics.point_by(metric, result, weight[None, :])[0]
        assert ours == pytest.approx(reference(metric, result, weight), abs=1e-9)
    value = score(metric, result)
    assert value.low < value.value < value.high
    assert score(metric, result) == value


def reference(metric: str, result: FitResult, weight: np.ndarray) -> float:
    truth, p = result.truth, result.probabilities
    if metric == "accuracy":
        return float(sk.accuracy_score(truth, result.predictions, sample_weight=weight))
    if metric == "f1":
        return float(sk.f1_score(truth, result.predictions, average="macro", sample_weight=weight))
    if metric == "logloss":
        return float(sk.log_loss(truth, p, sample_weight=weight, labels=list(range(p.shape[1]))))
    if p.shape[1] == 2:
        return float(sk.roc_auc_score(truth, p[:, 1], sample_weight=weight))
    areas = [sk.roc_auc_score(truth == c, p[:, c], sample_weight=weight) for c in range(p.shape[1])]
    return float(np.mean(areas))


def test_ties_count_half_in_the_area() -> None:
    """Equal probabilities everywhere give 0.5, as scikit-learn's."""
    _, labels = data(2)
    base = fit_guess(KEYS, labels, TEST)
    assert point("auc", base) == 0.5
    assert set(base.predictions.tolist()) == {int(np.bincount(labels.index[~TEST]).argmax())}


def test_resamples_are_paired_and_seeded() -> None:
    """The same rows are drawn for every fit of one seed."""
    matrix, labels = data(2)
    result = fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.1))
    np.testing.assert_array_equal(replicates("auc", result, 1), replicates("auc", result, 1))
    assert not np.array_equal(replicates("auc", result, 1), replicates("auc", result, 2))
    assert abs(replicates("f1", result).mean() - point("f1", result)) < 0.02


def test_a_metric_of_the_other_task_is_refused() -> None:
    """Coded, never silence; with the metrics that would do."""
    matrix, labels = data(2)
    with pytest.raises(VistaRunError, match=r"VST531.*rmse cannot score this classification"):
        score("rmse", fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.1)))


def fits() -> dict[str, FitResult]:
    """A table that says nothing, a layer that says much, one that says the same, one that says less."""
    matrix, labels = data(2, noise=0.3)
    noise = np.random.default_rng(9).normal(size=(300, 3)).astype(np.float32)
    same = fit_driver(noise, KEYS, labels, TEST, call(regParam=0.1))
    base = {TABLE: same, TABLE_TREE: fit_tree(noise, KEYS, labels, TEST)}
    layers = {"low": matrix[:, 2:], "mid": matrix, "top": matrix[:, :10]}
    return base | {name: fit_driver(m, KEYS, labels, TEST, call(regParam=0.1)) for name, m in layers.items()}


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auc", "logloss"])
def test_paired_tests_see_what_is_there(metric: str) -> None:
    """The good layers beat the better baseline clearly, the useless one does not, equal ones do not differ."""
    found = fits()
    assert set(found) == {TABLE, TABLE_TREE, "low", "mid", "top"}
    tests = paired_tests(found, metric)
    against = {t.a: t for t in tests if t.b in (TABLE, TABLE_TREE)}
    assert list(against) == ["low", "mid", "top"]
    assert len({t.b for t in against.values()}) == 1
    assert {name: t.clear for name, t in against.items()} == {"low": False, "mid": True, "top": True}
    assert all(t.compared == 3 for t in against.values())
    assert against["mid"].difference > 0
    best, worse = [t for t in tests if t.b not in (TABLE, TABLE_TREE)]
    assert {best.a, best.b} == {"mid", "top"}
    assert (worse.a, worse.b) == (best.a, "low")
    assert worse.clear
    assert best.difference >= 0
    assert not best.clear
    assert best.compared == 3
    assert paired_tests(found, metric) == tests


def test_the_better_baseline_is_the_opponent() -> None:
    """Swapping the two table-only fits swaps the name, not the numbers."""
    found = fits()
    swapped = found | {TABLE: found[TABLE_TREE], TABLE_TREE: found[TABLE]}
    names = {next(t.b for t in paired_tests(f, "accuracy") if t.a == "low") for f in (found, swapped)}
    assert names == {TABLE, TABLE_TREE}


def test_fits_of_other_rows_are_refused() -> None:
    """Pairing needs the same rows."""
    matrix, labels = data(2)
    other = held_out(KEYS, 1, 0.3)
    found = {
        "low": fit_driver(matrix, KEYS, labels, TEST, call(regParam=0.1)),
        "top": fit_driver(matrix, KEYS, labels, other, call(regParam=0.1)),
    }
    with pytest.raises(ValueError, match="not scored on the same rows"):
        paired_tests(found, "accuracy")


def test_one_layer_and_no_baseline() -> None:
    """Nothing to compare, no test."""
    found = fits()
    assert paired_tests({"mid": found["mid"]}, "accuracy") == ()
    assert [t.a for t in paired_tests({TABLE: found[TABLE], "mid": found["mid"]}, "accuracy")] == ["mid"]
