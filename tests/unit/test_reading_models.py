"""A fitted model is read by the names of its features: coefficients, importances, or a plain refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vista_nb.errors import VistaUsageError
from vista_nb.executor.downstream.fit import LinearModel
from vista_nb.executor.downstream.native import NativeModel
from vista_nb.executor.downstream.weights import feature_weights
from vista_nb.result_reading import Reading

CLASSES = ("a", "b", "c")
NAMES = ("price", "kind=x", "top[0]")
X = np.random.default_rng(0).normal(size=(90, 3))
Y = np.digitize(X[:, 0] + 0.1 * X[:, 1], [-0.5, 0.5])


class Result(Reading):
    """What the part needs of a result: a handle whose pipeline holds the model."""

    def __init__(self, model: Any, classes: tuple[str, ...] = CLASSES) -> None:
        pipeline = SimpleNamespace(layer="top", model=model, classes=classes, preparation=SimpleNamespace(names=NAMES))
        self._handle = SimpleNamespace(pipeline=lambda _layer: pipeline)  # type: ignore[assignment]

    def _layer_name(self, layer: Any) -> str:
        return str(layer)


def native(fitted: Any, classes: tuple[str, ...] = CLASSES) -> NativeModel:
    trained = tuple(range(len(classes)))
    return NativeModel(fitted, np.zeros(3), np.array([1.0, 2.0, 4.0]), trained, classes)


def test_coefficients_have_a_row_per_feature_and_a_column_per_class() -> None:
    """Of plain numbers; of the classes with train rows only."""
    model = LinearModel(np.arange(6.0).reshape(2, 3), np.zeros(2), (0, 2), CLASSES)
    found = Result(model).coefficients("top")
    assert list(found.index) == list(NAMES)
    assert found.to_dict("list") == {"a": [0.0, 1.0, 2.0], "c": [3.0, 4.0, 5.0]}
    two = LinearModel(np.ones((1, 3)), np.zeros(1), (0, 1), ("a", "b"))
    assert list(Result(two, ("a", "b")).coefficients("top").columns) == ["coefficient"]


def test_scaling_is_undone() -> None:
    """scikit-learn's coefficients are of scaled columns, those shown of the features'."""
    from sklearn.linear_model import LogisticRegression, Ridge

    fitted = LogisticRegression().fit(X, Y)
    found = Result(native(fitted)).coefficients("top")
    np.testing.assert_allclose(found.to_numpy().T, fitted.coef_ / [1.0, 2.0, 4.0])
    line = Ridge().fit(X, X[:, 0])
    found = Result(native(line, ()), ()).coefficients("top")
    np.testing.assert_allclose(found["coefficient"], line.coef_ / [1.0, 2.0, 4.0])


def test_trees_have_importances() -> None:
    """They sum to one, the feature that decides first."""
    from sklearn.tree import DecisionTreeClassifier

    found = Result(native(DecisionTreeClassifier(random_state=0).fit(X, Y))).coefficients("(table, tree)")
    assert found["importance"].idxmax() == "price"
    assert found["importance"].sum() == pytest.approx(1.0)


def test_a_model_without_numbers_per_feature_says_so() -> None:
    """Neighbours have none; neither has a kernel machine."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    for fitted in (KNeighborsClassifier().fit(X, Y), SVC().fit(X, Y)):
        assert feature_weights(native(fitted), CLASSES) is None
        with pytest.raises(VistaUsageError, match="VST028"):
            Result(native(fitted)).coefficients("top")


def test_names_are_those_of_the_preparation() -> None:
    """One per column of what the model was trained on."""
    assert Result(None).feature_names("top") == NAMES
