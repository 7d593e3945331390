"""What every fit of a model must give back, whichever library made it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.split import Labels
from vista_nb.spec.estimator_call import read_call
from vista_nb.spec.located import Located
from vista_nb.spec.model import EstimatorCall

__all__ = ["call", "check_form"]


def call(text: str) -> EstimatorCall:
    """As `model:` is read."""
    return read_call(Located.of(text))[0]


def check_form(
    result: FitResult,
    labels: Labels,
    keys: Sequence[str],
    test: np.ndarray,
    matrix: np.ndarray,
    *,
    predictions: float = 0.0,
    probabilities: float = 0.0,
) -> None:
    """Rows in key order, the truth, probabilities that are some, a model that says the same of the same rows.

    predictions: how far they may be apart, relatively; probabilities: absolutely. Doubles of the same model, if zero.
    """
    held = [keys[i] for i in np.flatnonzero(test)]
    assert result.keys == tuple(sorted(held))
    rows = [keys.index(key) for key in result.keys]
    assert result.truth.tolist() == labels.truth[rows].tolist()
    assert result.probabilities.shape == (len(rows), len(labels.classes))
    np.testing.assert_allclose(result.model.predict(matrix[rows]), result.predictions, rtol=predictions)
    np.testing.assert_allclose(result.model.probabilities(matrix[rows]), result.probabilities, atol=probabilities)
    if labels.classes:
        np.testing.assert_allclose(result.probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert np.isfinite(result.probabilities).all()
