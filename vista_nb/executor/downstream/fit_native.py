"""Fit a scikit-learn estimator, by name or of the notebook, or call the user's own function.

Reads scaled train rows, returns a model that scores new rows. May touch: processor threads; the user's function
whatever it likes. DESIGN.md sections 3 and 11. Classes are given as their positions among the sorted class names.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaError, VistaRunError
from vista_nb.executor.downstream.fit import FittedModel
from vista_nb.executor.downstream.make import make_sklearn, refused
from vista_nb.executor.downstream.native import CalledModel, NativeModel
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.spark_on_driver import plain, useful_threads
from vista_nb.executor.downstream.standardize import Scaling
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["fit_called", "fit_sklearn"]

# their coefficients say all there is to say of them: such a model needs no library to score a row
_PLAIN_NUMBERS = frozenset({"LogisticRegression", "Ridge", "LinearRegression", "Lasso", "ElasticNet"})


def fit_sklearn(
    scaled: NDArray[Any],
    truth: NDArray[Any],
    labels: Labels,
    scaling: Scaling,
    call: EstimatorCall,
    given: object | None = None,
    *,
    single: bool = False,
    threads: int = 1,
    seed: int = 0,
) -> tuple[FittedModel, Any, tuple[str, ...]]:
    """The model, scikit-learn's own object, and a note where it did not converge. given: the user's own estimator."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    native = make_sklearn(call, given, seed=seed, threads=threads)
    try:
        with threadpool_limits(useful_threads(scaled, truth, threads)), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            native.fit(scaled, truth)
    except VistaError:
        raise
    except Exception as error:  # a third-party estimator may raise anything
        raise refused(call, error) from error
    notes: tuple[str, ...] = ()
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        notes = (_not_converged(call, native),)
    if given is None and call.name in _PLAIN_NUMBERS and hasattr(native, "coef_"):
        return plain(native, scaling, labels), native, notes
    model = NativeModel(native, scaling.mean, scaling.scale, _classes(native, labels), labels.classes, single)
    return model, native, notes


def _not_converged(call: EstimatorCall, native: Any) -> str:
    passes = getattr(native, "n_iter_", None)
    if passes is None:
        return f"{call} stopped without converging."
    return f"{call} stopped after {int(np.max(passes))} iterations without converging."


def fit_called(
    own: OwnModel, scaled: NDArray[Any], truth: NDArray[Any], labels: Labels, scaling: Scaling
) -> tuple[FittedModel, Any, tuple[str, ...]]:
    """`$fit(X, y)`: the user's function gets the train rows, float64 (n, d), and the labels (class numbers or values),
    and returns an object with `predict(X)`, and `predict_proba(X)` if it can. Raises VST524 for what it does wrong.
    """
    function: Any = own.value
    hint = "it is called as f(X, y) and returns a fitted model: an object with predict(X), perhaps predict_proba(X)"
    try:
        native = function(scaled, truth)
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0]
        message = f"${own.name} raised {type(error).__name__}: {said[:300]}"
        raise VistaRunError("VST524", message, hint, stage="train") from error
    if not callable(getattr(native, "predict", None)):
        message = f"${own.name} returned a {type(native).__name__}, which has no `predict`"
        raise VistaRunError("VST524", message, hint, stage="train")
    return CalledModel(native, scaling.mean, scaling.scale, _classes(native, labels), labels.classes), native, ()


def _classes(native: Any, labels: Labels) -> tuple[int, ...]:
    """What the columns of its probabilities are; without `classes_`, the classes with train rows."""
    if labels.is_regression:
        return ()
    own = getattr(native, "classes_", None)
    return labels.trained if own is None else tuple(int(c) for c in own)
