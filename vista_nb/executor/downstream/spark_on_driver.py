"""The model that Spark's formula defines, fitted by scikit-learn: logistic and linear regression with an L2 penalty.

Reads scaled train rows, returns a LinearModel in the features' own units. May touch: processor threads. DESIGN.md
section 11. Spark minimises mean loss + regParam/2 |w|^2 over columns scaled to deviation 1; scikit-learn minimises
C * summed loss + 1/2 |w|^2: one model at C = 1 / (n_train * regParam). Linear regression: Spark scales the label to
deviation 1 too, half the mean squared error + regParam/(2 s) |w|^2 in the label's own unit with s its deviation;
Ridge minimises the summed squared error + alpha |w|^2: one model at alpha = n_train * regParam / s.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.executor.downstream.fit import LinearModel
from vista_nb.executor.downstream.make import refused
from vista_nb.executor.downstream.standardize import Scaling, moments, varies
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["fit_as_spark", "is_same", "plain", "spark_scaling", "useful_threads"]

SPARK_ITERATIONS = 100  # pyspark.ml.classification.LogisticRegression's default
SPARK_TOLERANCE = 1e-6
_FLOPS_FOR_THREADS = 2_000_000_000  # of one pass over the train rows
_OF_BOTH = frozenset({"regParam", "elasticNetParam", "maxIter", "tol", "fitIntercept", "standardization"})
_OF_THE_ENGINE = frozenset({"aggregationDepth", "maxBlockSizeInMB", "solver"})


def is_same(call: EstimatorCall, classes: int) -> bool:
    """Whether this module gives the model that was asked for.

    `family="multinomial"` over two classes penalises two vectors where scikit-learn has one.
    """
    given = dict(call.parameters)
    if given.get("elasticNetParam") or call.name not in ("LogisticRegression", "LinearRegression"):
        return False
    if call.name == "LinearRegression":
        return set(given) <= _OF_BOTH | _OF_THE_ENGINE and given.get("standardization", True) is not False
    family = given.get("family", "auto")
    same = family == "auto" or (family == "multinomial") == (classes > 2)
    return same and set(given) <= _OF_BOTH | _OF_THE_ENGINE | {"family"}


def spark_scaling(matrix: NDArray[np.float32], rows: NDArray[np.int64], call: EstimatorCall) -> Scaling:
    """All columns are scaled, by the sample deviation (n - 1), as Spark does; `standardization=False` leaves them."""
    given = dict(call.parameters)
    mean, deviation = moments(matrix, rows, 1)
    vary = varies(mean, deviation)
    scale = np.where(vary, deviation, 1.0)
    if given.get("standardization", True) is False:
        scale[:] = 1.0
    if given.get("fitIntercept", True) is False:
        mean[vary] = 0.0  # a shift would change the model; a constant column has no weight in Spark either
    return Scaling(mean, scale)


def fit_as_spark(
    scaled: NDArray[np.float64],
    truth: NDArray[Any],
    labels: Labels,
    scaling: Scaling,
    call: EstimatorCall,
    threads: int,
) -> tuple[LinearModel, Any, tuple[str, ...]]:
    """The model, scikit-learn's own object, and a note where it did not converge."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    try:
        native = _estimator(call, truth, labels)
        with threadpool_limits(useful_threads(scaled, truth, threads)), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            native.fit(scaled, truth)
    except (TypeError, ValueError) as error:
        raise refused(call, error) from error
    notes: tuple[str, ...] = ()
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        notes = (f"{call} stopped after {int(np.max(native.n_iter_))} iterations without converging.",)
    return plain(native, scaling, labels), native, notes


def _estimator(call: EstimatorCall, truth: NDArray[Any], labels: Labels) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    given: dict[str, Any] = dict(call.parameters)
    if not labels.is_regression:
        return LogisticRegression(**_logistic(given, len(truth)))
    deviation = float(np.std(truth, ddof=1)) if len(truth) > 1 else 0.0
    penalty = float(given.get("regParam", 0.0)) * len(truth) / (deviation or 1.0)
    solver = "auto" if penalty else "svd"
    return Ridge(alpha=penalty, fit_intercept=bool(given.get("fitIntercept", True)), solver=solver)


def _logistic(given: Mapping[str, Any], rows: int) -> dict[str, Any]:
    penalty = float(given.get("regParam", 0.0))
    return {
        "C": 1.0 / (rows * penalty) if penalty else np.inf,
        "max_iter": int(given.get("maxIter", SPARK_ITERATIONS)),
        "tol": float(given.get("tol", SPARK_TOLERANCE)),
        "fit_intercept": bool(given.get("fitIntercept", True)),
    }


def useful_threads(scaled: NDArray[Any], truth: NDArray[Any], threads: int) -> int:
    """BLAS threads that pay. A pass over a small matrix ends before the threads have met: on two cores random data of
    1 897 x 1 322 with ten classes took 0.2 s with one thread and 1.9 s with two (the clothing set: 0.8 s and 7.4 s).
    """
    classes = int(truth.max()) if truth.dtype.kind == "i" and len(truth) else 1
    work = 2 * scaled.size * max(1, classes)
    return threads if work >= _FLOPS_FOR_THREADS else 1


def plain(native: Any, scaling: Scaling, labels: Labels) -> LinearModel:
    """The same model in the features' own units."""
    coefficients = np.atleast_2d(native.coef_) / scaling.scale
    intercepts = np.atleast_1d(native.intercept_) - coefficients @ scaling.mean
    trained = () if labels.is_regression else tuple(int(c) for c in native.classes_)
    return LinearModel(coefficients, intercepts, trained, labels.classes)
