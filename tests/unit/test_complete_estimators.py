"""Tab inside `model:`: the parameters of the call that the cursor is in, however deep, and what an inner one may be."""

from __future__ import annotations

import pytest

from vista_nb.completion.complete import complete
from vista_nb.completion.world import World


class Mine:
    """Works like scikit-learn's."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        return {"alpha": 1.0, "depth": 3} if deep else {}

    def fit(self, x: object, y: object) -> None: ...

    def predict(self, x: object) -> None: ...


def offered(model: str) -> tuple[str, list[str]]:
    """(fragment, candidates) where the value ends."""
    text = f"%%vista\nstructured: t.csv\nmodel: {model}"
    found = complete(text, len(text), World({"mine": Mine()}))
    assert found is not None
    return found.fragment, [candidate.text for candidate in found.candidates]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("LinearSVC(regP", ["regParam="]),
        ("OneVsRest(clas", ["classifier="]),
        ("OneVsRest(classifier=LinearSVC(regP", ["regParam="]),
        ("OneVsRest(classifier=LinearSVC(regParam=0.1), paral", ["parallelism="]),
        ("sklearn.OneVsRestClassifier(estimator=sklearn.SVC(gam", ["gamma="]),
        ("$mine(dep", ["depth="]),
    ],
)
def test_parameters_of_the_innermost_call(model: str, expected: list[str]) -> None:
    assert offered(model)[1] == expected


def test_an_inner_estimator_is_of_the_same_library() -> None:
    """Where a parameter takes one; elsewhere the usual words."""
    fragment, names = offered("OneVsRest(classifier=Lin")
    assert fragment == "Lin"
    assert "LinearSVC(" in names
    assert not any(name.startswith("sklearn.") for name in names)
    assert "sklearn.SVC(" in offered("sklearn.BaggingClassifier(estimator=sklearn.S")[1]
    assert offered("LogisticRegression(fitIntercept=Tr") == ("Tr", ["True"])


def test_every_estimator_that_can_be_trained_is_offered() -> None:
    """Of both libraries; what is for several labels is not."""
    names = offered("")[1]
    assert {"GBTClassifier(", "sklearn.Ridge(", "MultilayerPerceptronClassifier(", "$mine"} <= set(names)
    assert "sklearn.MultiOutputClassifier(" not in names
