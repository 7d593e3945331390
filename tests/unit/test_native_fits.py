"""scikit-learn's estimators, the user's own object and function on the driver: one form of answer for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fits_support import call, check_form
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vista_nb.errors import VistaError, VistaRunError
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out
from vista_nb.spec.model import EstimatorCall, Task

KEYS = [f"k{i}" for i in range(240)]
TEST = held_out(KEYS, 0, 0.3)
STRUCTURED = 3


def matrix() -> np.ndarray:
    """Three encoded columns around 0, then features of very different scales, one of them constant."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(240, 9)) * np.logspace(-1, 3, 9) + 4
    features[:, -1] = 2.0
    return np.hstack([generator.normal(size=(240, STRUCTURED)), features]).astype(np.float32)


def classes(count: int) -> Labels:
    """They hang on the first columns of either side, with some noise."""
    x = matrix()
    margins = x[:, 0] + (x[:, STRUCTURED] - 4) * 10 + np.random.default_rng(1).normal(0, 0.3, 240)
    cuts = np.quantile(margins, np.linspace(0, 1, count + 1)[1:-1])
    return encode_labels([f"c{i}" for i in np.digitize(margins, cuts)], TEST, "y")


def numbers() -> Labels:
    x = matrix()
    values = 100 + 30 * x[:, 0] + 300 * (x[:, STRUCTURED] - 4) + np.random.default_rng(2).normal(0, 3, 240)
    return encode_labels(values.tolist(), TEST, "y", task=Task.REGRESSION)


def fitted(text: str, labels: Labels, **more: Any) -> FitResult:
    return fit_driver(matrix(), KEYS, labels, TEST, call(text), **more)


def check(result: FitResult, labels: Labels) -> None:
    check_form(result, labels, KEYS, TEST, matrix())


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(
    ("text", "probabilities"),
    [
        ("sklearn.LogisticRegression(C=10.0)", True),
        ("sklearn.SVC(C=10.0)", False),
        ("sklearn.LinearSVC(C=1.0)", False),
        ("sklearn.RidgeClassifier()", False),
        ("sklearn.GaussianNB()", True),
        ("sklearn.KNeighborsClassifier(n_neighbors=7)", True),
        ("sklearn.RandomForestClassifier(n_estimators=30)", True),
        ("sklearn.HistGradientBoostingClassifier(max_iter=30)", True),
        ("sklearn.MLPClassifier(hidden_layer_sizes=[16], max_iter=400)", True),
        ("sklearn.OneVsRestClassifier(estimator=sklearn.LinearSVC())", False),
        ("sklearn.VotingClassifier(estimators=[('a', sklearn.SVC()), ('b', sklearn.GaussianNB())])", False),
    ],
)
def test_any_classifier_of_scikit_learn(text: str, probabilities: bool, count: int) -> None:
    """It learns what is there, whatever the scale of a column; margins stand where there are no probabilities."""
    labels = classes(count)
    result = fitted(text, labels)
    check(result, labels)
    assert result.has_probabilities is probabilities
    assert np.mean(result.truth == result.predictions) > (0.65 if count == 2 else 0.4)


@pytest.mark.parametrize(
    "text",
    [
        "sklearn.Ridge(alpha=0.1)",
        "sklearn.SVR(C=1000.0)",
        "sklearn.RandomForestRegressor(n_estimators=50)",
        "sklearn.KNeighborsRegressor(n_neighbors=5)",
        "sklearn.PLSRegression(n_components=3)",
        "LinearRegression(regParam=0.01)",
    ],
)
def test_any_regressor(text: str) -> None:
    """Predictions are in the label's own unit, and better than its mean."""
    labels = numbers()
    result = fitted(text, labels)
    check(result, labels)
    assert result.is_regression
    assert np.mean((result.truth - result.predictions) ** 2) < 0.8 * np.var(result.truth)


def test_a_linear_model_is_plain_numbers() -> None:
    """The same as scikit-learn by hand on standardized columns; no library is needed to score a row."""
    labels = numbers()
    result = fitted("sklearn.Ridge(alpha=2.0)", labels)
    x = matrix().astype(np.float64)
    train = x[~TEST]
    scale = train.std(axis=0)
    x = (x - train.mean(axis=0)) / np.where(scale > 1e-9, scale, 1)
    expected = Ridge(alpha=2.0).fit(x[~TEST], labels.truth[~TEST])
    rows = [KEYS.index(key) for key in result.keys]
    np.testing.assert_allclose(result.predictions, expected.predict(x[rows]), rtol=1e-4)
    assert type(result.model).__name__ == "LinearModel"


def test_an_estimator_of_the_notebook_is_cloned() -> None:
    """A Pipeline of the user's: fitted per layer, never itself; parameters of its steps can be set."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    own = OwnModel("mine", "sklearn", pipeline)
    labels = classes(3)
    result = fit_driver(
        matrix(), KEYS, labels, TEST, EstimatorCall("variable", "mine", (("logisticregression__C", 5.0),)), own=own
    )
    check(result, labels)
    assert not hasattr(pipeline[-1], "coef_")
    assert result.native[-1].C == 5.0


def test_an_estimator_that_only_looks_like_scikit_learns() -> None:
    """fit and predict are enough: no tags, no parameters, no `classes_`."""

    class Nearest:
        def fit(self, x: np.ndarray, y: np.ndarray) -> None:
            self.means = np.array([x[y == c].mean(axis=0) for c in range(3)])

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.linalg.norm(x[:, None] - self.means, axis=2).argmin(axis=1)

    labels = classes(3)
    own = OwnModel("near", "sklearn", Nearest())
    result = fit_driver(matrix(), KEYS, labels, TEST, call("$near"), own=own)
    check(result, labels)
    assert not result.has_probabilities
    assert set(np.unique(result.probabilities)) == {0.0, 1.0}


def test_a_function_of_the_notebook() -> None:
    """It gets scaled train rows and class numbers, and gives back what predicts."""
    seen: list[tuple[tuple[int, ...], set[int]]] = []

    def train(x: np.ndarray, y: np.ndarray) -> Any:
        seen.append((x.shape, set(y.tolist())))
        assert np.abs(x.mean(axis=0)).max() < 1e-9
        return GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, y)

    labels = classes(2)
    own = OwnModel("train", "callable", train)
    result = fit_driver(matrix(), KEYS, labels, TEST, call("$train"), own=own)
    check(result, labels)
    assert seen == [((int((~TEST).sum()), 12), {0, 1})]
    assert type(result.model).saveable is False


def nothing(_x: Any, _y: Any) -> None:
    """Forgets to return its model."""


def broken(_x: Any, _y: Any) -> None:
    raise KeyError("no such thing")


def short(x: np.ndarray, y: np.ndarray) -> Any:
    class Short:
        def predict(self, rows: np.ndarray) -> np.ndarray:
            return np.zeros(1)

    return Short()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (nothing, r"VST524: \$f returned a NoneType, which has no `predict`"),
        (broken, r"VST524: \$f raised KeyError: 'no such thing'"),
        (short, r"VST523: the model predicted 1 values for \d+ rows"),
    ],
)
def test_what_a_function_does_wrong_is_said(function: Any, said: str) -> None:
    with pytest.raises(VistaRunError, match=said):
        fit_driver(matrix(), KEYS, classes(2), TEST, call("$f"), own=OwnModel("f", "callable", function))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sklearn.SVC(C=-1.0)", "VST521.*'C' parameter of SVC must be a float in the range"),
        ("sklearn.KNeighborsClassifier(n_neighbors=5000)", "VST521.*n_neighbors"),
        ("sklearn.Nothing()", "VST521"),
    ],
)
def test_what_a_library_refuses_is_said_in_its_words(text: str, said: str) -> None:
    """Coded, with the call, and the first line of what the library says."""
    with pytest.raises(VistaError, match=said):
        fitted(text, classes(2))


def test_a_seed_makes_a_forest_repeat_itself() -> None:
    """The spec's seed, unless the call names one."""
    labels = classes(2)
    text = "sklearn.RandomForestClassifier(n_estimators=5)"
    first, again = (fitted(text, labels, seed=3).probabilities for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, fitted(text, labels, seed=4).probabilities)


@pytest.mark.parametrize("label_scale", [1.0, 1e5])
def test_sparks_linear_regression_on_the_driver(label_scale: float) -> None:
    """Spark's objective written out: half the mean squared error of label and columns scaled to deviation 1, and the
    penalty over the label's deviation.
    """
    labels = numbers()
    assert labels.values is not None
    values = labels.values * label_scale
    labels = encode_labels(values.tolist(), TEST, "y", task=Task.REGRESSION)
    result = fitted("LinearRegression(regParam=0.5)", labels)
    x, y = matrix().astype(np.float64), values
    mean, scale = x[~TEST].mean(axis=0), x[~TEST].std(axis=0, ddof=1)
    scaled = (x - mean) / np.where(scale > 1e-9, scale, 1)
    unit, n = y[~TEST].std(ddof=1), int((~TEST).sum())
    a, b = scaled[~TEST], (y[~TEST] - y[~TEST].mean()) / unit
    w = np.linalg.solve(a.T @ a / n + 0.5 / unit * np.eye(a.shape[1]), a.T @ b / n) * unit
    rows = [KEYS.index(key) for key in result.keys]
    np.testing.assert_allclose(result.predictions, scaled[rows] @ w + y[~TEST].mean(), rtol=1e-4)
