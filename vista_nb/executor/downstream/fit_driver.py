"""Train logistic regression on the driver: scikit-learn's own, or the model Spark's would be.

Reads a float32 matrix, labels and the split, returns a FitResult. May touch: processor threads, nothing else.
DESIGN.md section 11: Spark minimises mean loss + regParam/2 |w|^2 over columns scaled to deviation 1; scikit-learn
minimises C * summed loss + 1/2 |w|^2; they are one model at C = 1 / (n_train * regParam).
Bytes on the driver: 4 n d for the matrix it is given, 8 n_train d for the standardized train rows.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.downstream.fit import FitResult, LinearModel
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["fit_driver"]

SPARK_ITERATIONS = 100  # pyspark.ml.classification.LogisticRegression's default
SPARK_TOLERANCE = 1e-6
_FLOPS_FOR_THREADS = 2_000_000_000  # of one pass over the train rows
_ROWS_AT_A_TIME = 64  # a few MB of the widest layers: they stay in the processor's cache
_KNOWN = frozenset({"regParam", "elasticNetParam", "maxIter", "tol", "fitIntercept", "standardization", "family"})
_OF_THE_ENGINE = frozenset({"aggregationDepth", "maxBlockSizeInMB"})


def fit_driver(
    matrix: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    call: EstimatorCall,
    *,
    structured: int = 0,
    threads: int = 1,
    seed: int = 0,
) -> FitResult:
    """Fit on rows with a label outside `test`, score those inside. `matrix`: (rows, d), first `structured` columns
    are the encoded table (already standardized; scikit-learn's model takes its one-hots as they are).
    """
    started = time.perf_counter()
    _check(call, len(labels.trained))
    train, held = labels.known & ~test, labels.known & test
    truth = labels.index[train]
    scaled, mean, scale = _standardized(matrix, train, call, structured)
    native, notes = _fitted(scaled, truth, call, threads, seed)
    model = _plain(native, mean, scale, labels)
    order = np.flatnonzero(held)[np.argsort(np.asarray(keys, dtype=object)[held], kind="stable")]
    probabilities = model.probabilities(matrix[order])
    return FitResult(
        classes=labels.classes,
        keys=tuple(keys[i] for i in order.tolist()),
        truth=labels.index[order],
        predictions=probabilities.argmax(axis=1).astype(np.int32),
        probabilities=probabilities,
        model=model,
        seconds=time.perf_counter() - started,
        rows_train=int(train.sum()),
        native=native,
        notes=notes,
    )


def _check(call: EstimatorCall, classes: int) -> None:
    """Refuse what would be another model here than on the cluster; the plan must not have sent it (`training_sites`).

    `family="multinomial"` over two classes penalises two vectors where scikit-learn has one.
    """
    given = dict(call.parameters)
    family = given.get("family", "auto")
    same = family == "auto" or (family == "multinomial") == (classes > 2)
    known = set(given) <= _KNOWN | _OF_THE_ENGINE and not given.get("elasticNetParam") and same
    if call.name != "LogisticRegression" or not (call.library == "sklearn" or (call.library == "pyspark" and known)):
        raise VistaRunError("VST522", f"{call} cannot be trained on the driver", "train it on the cluster", "train")


def _standardized(
    matrix: NDArray[np.float32], train: NDArray[np.bool_], call: EstimatorCall, structured: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(train rows in doubles with mean 0 and deviation 1, mean, scale). Constant columns keep scale 1, so become 0.

    For Spark's model all columns are scaled, by the sample deviation (n - 1), as Spark does; `standardization=False`
    leaves them. For scikit-learn's the encoded table is left as it is.
    """
    rows = np.flatnonzero(train)
    mean, deviation = _moments(matrix, rows, 1 if call.library == "pyspark" and len(rows) > 1 else 0)
    # rounding leaves a tiny deviation in a constant column; dividing by it would blow noise up
    varies = deviation > 1e-9 * np.abs(mean)
    scale = np.where(varies, deviation, 1.0)
    if call.library == "sklearn":
        mean[:structured], scale[:structured] = 0.0, 1.0
    else:
        given = dict(call.parameters)
        if given.get("standardization", True) is False:
            scale[:] = 1.0
        if given.get("fitIntercept", True) is False:
            mean[varies] = 0.0  # a shift would change the model; a constant column has no weight in Spark either
    scaled = np.empty((len(rows), matrix.shape[1]))
    for some in _pieces(len(rows)):
        scaled[some] = (matrix[rows[some]] - mean) / scale
    return scaled, mean, scale


def _moments(
    matrix: NDArray[np.float32], rows: NDArray[np.int64], ddof: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of every column over `rows`, in doubles, a few rows at a time: no second matrix in memory."""
    mean = np.zeros(matrix.shape[1])
    for some in _pieces(len(rows)):
        mean += matrix[rows[some]].sum(axis=0, dtype=np.float64)
    mean /= len(rows)
    if not np.isfinite(mean).all():
        place = int(np.flatnonzero(~np.isfinite(mean))[0])
        message = f"feature column {place} holds NaN or infinity"
        raise VistaDataError("VST355", message, "look at the layer's values for these images with .features(layer)")
    squares = np.zeros_like(mean)
    for some in _pieces(len(rows)):
        away = matrix[rows[some]] - mean
        squares += np.einsum("ij,ij->j", away, away)
    return mean, np.sqrt(squares / max(1, len(rows) - ddof))


def _pieces(rows: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS_AT_A_TIME) for start in range(0, rows, _ROWS_AT_A_TIME))


def _fitted(
    scaled: NDArray[np.float64], truth: NDArray[np.int32], call: EstimatorCall, threads: int, seed: int
) -> tuple[Any, tuple[str, ...]]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    parameters = _parameters(call, len(truth), seed)
    try:
        with threadpool_limits(_useful_threads(scaled, truth, threads)), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            native = LogisticRegression(**parameters).fit(scaled, truth)
    except (TypeError, ValueError) as error:
        message = f"{call}: {str(error).splitlines()[0]}"
        raise VistaRunError("VST521", message, "check the model's parameters", stage="train") from error
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        return native, (f"{call} stopped after {int(np.max(native.n_iter_))} iterations without converging.",)
    return native, ()


def _useful_threads(scaled: NDArray[np.float64], truth: NDArray[np.int32], threads: int) -> int:
    """BLAS threads that pay. A pass over a small matrix ends before the threads have met: on two cores random data of
    1 897 x 1 322 with ten classes took 0.2 s with one thread and 1.9 s with two (the clothing set: 0.8 s and 7.4 s).
    """
    work = 2 * scaled.size * max(1, int(truth.max()))
    return threads if work >= _FLOPS_FOR_THREADS else 1


def _parameters(call: EstimatorCall, rows: int, seed: int) -> Mapping[str, Any]:
    """scikit-learn's parameters for this call."""
    given: dict[str, Any] = dict(call.parameters)
    if call.library == "sklearn":
        return {"random_state": seed, **given}
    penalty = float(given.get("regParam", 0.0))
    return {
        "C": 1.0 / (rows * penalty) if penalty else np.inf,
        "max_iter": int(given.get("maxIter", SPARK_ITERATIONS)),
        "tol": float(given.get("tol", SPARK_TOLERANCE)),
        "fit_intercept": bool(given.get("fitIntercept", True)),
    }


def _plain(native: Any, mean: NDArray[np.float64], scale: NDArray[np.float64], labels: Labels) -> LinearModel:
    """The same model in the features' own units."""
    coefficients = native.coef_ / scale
    intercepts = native.intercept_ - coefficients @ mean
    return LinearModel(coefficients, intercepts, tuple(int(c) for c in native.classes_), labels.classes)
