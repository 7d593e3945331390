"""Train on the driver: any scikit-learn estimator, the user's own object, or the model Spark's would be.

Reads a float32 matrix, labels and the split, returns FitResults. May touch: processor threads; a Keras model a process
of its own. DESIGN.md section 11. Several calls over the same rows (a grid search) share the scaled matrix.
Bytes on the driver: 4 n d for the matrix it is given, 8 n_train d for the standardized train rows (4 in float32).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.catalog.estimators import fits_in_float32, load_estimators
from vista_nb.errors import VistaRunError
from vista_nb.executor.downstream.fit import FitResult, FittedModel, LinearModel
from vista_nb.executor.downstream.fit_native import fit_called, fit_sklearn
from vista_nb.executor.downstream.make import refused
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.spark_on_driver import fit_as_spark, is_same, spark_scaling
from vista_nb.executor.downstream.standardize import Scaling, learn_scaling
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["DriverFit", "fit_driver", "held_out_result"]


def fit_driver(
    matrix: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    test: NDArray[np.bool_],
    call: EstimatorCall,
    *,
    threads: int = 1,
    seed: int = 0,
    own: OwnModel | None = None,
) -> FitResult:
    """Fit on rows with a label outside `test`, score those inside. `matrix`: (rows, d), the encoded table first."""
    fitting = DriverFit(matrix, keys, labels, threads, seed, own)
    return next(iter(fitting.fit(labels.known & ~test, labels.known & test, (call,))))


@dataclass(frozen=True)
class DriverFit:
    """One layer's rows. own: the model where it is an object of the notebook."""

    matrix: NDArray[np.float32]
    keys: Sequence[str]
    labels: Labels
    threads: int = 1
    seed: int = 0
    own: OwnModel | None = None

    def fit(self, train: NDArray[np.bool_], held: NDArray[np.bool_], calls: Sequence[EstimatorCall]) -> list[FitResult]:
        """Each call fitted on the rows of `train` (all have a label), scored on those of `held`."""
        labels, rows = self.labels.on(train), np.flatnonzero(train)
        prepared: dict[object, tuple[Scaling, NDArray[Any]]] = {}
        found = []
        for call in calls:
            started = time.perf_counter()
            refuse_on_driver(call, len(labels.trained), self.own)
            name = self._preparation(call)
            if name not in prepared:
                prepared.clear()  # one scaled copy at a time
                scaling = self._scaling(call, rows)
                prepared[name] = scaling, scaling.apply(self.matrix, rows, self._kind(call))
            scaling, scaled = prepared[name]
            model, native, notes = self._one(call, labels, rows, scaling, scaled)
            try:
                result = held_out_result(model, self.matrix, self.keys, labels, held, started, native, notes)
            except (TypeError, ValueError) as error:  # seen only when it is asked: more neighbours than rows
                raise refused(call, error) from error
            found.append(replace(result, rows_train=len(rows)))
        return found

    def _one(
        self, call: EstimatorCall, labels: Labels, rows: NDArray[np.int64], scaling: Scaling, scaled: NDArray[Any]
    ) -> tuple[FittedModel, Any, tuple[str, ...]]:
        truth = labels.truth[rows]
        if call.library == "pyspark":
            return fit_as_spark(scaled, truth, labels, scaling, call, self.threads)
        if self.own is not None and self.own.kind == "keras":
            from vista_nb.executor.downstream.fit_keras import fit_keras

            return fit_keras(self.own, call, scaled, truth, labels, scaling, threads=self.threads, seed=self.seed)
        if self.own is not None and self.own.kind == "callable":
            return fit_called(self.own, scaled, truth, labels, scaling)
        given = None if self.own is None else self.own.value
        single = self._kind(call) is np.float32
        return fit_sklearn(
            scaled, truth, labels, scaling, call, given, single=single, threads=self.threads, seed=self.seed
        )

    def _scaling(self, call: EstimatorCall, rows: NDArray[np.int64]) -> Scaling:
        if call.library == "pyspark":
            return spark_scaling(self.matrix, rows, call)
        return learn_scaling(self.matrix, rows)

    def _kind(self, call: EstimatorCall) -> type[np.float32] | type[np.float64]:
        """float32 where the library makes it that itself, or fits as well in it."""
        facts = load_estimators().find(call.library, call.name)
        known = facts is not None and fits_in_float32(call, facts)
        single = known if self.own is None else self.own.kind == "keras"
        return np.float32 if single else np.float64

    def _preparation(self, call: EstimatorCall) -> object:
        """Calls with the same answer see the same scaled matrix."""
        given = dict(call.parameters)
        return call.library, self._kind(call), given.get("standardization", True), given.get("fitIntercept", True)


def refuse_on_driver(call: EstimatorCall, classes: int, own: OwnModel | None = None) -> None:
    """Refuse what would be another model than on the cluster; the plan must not have sent it (`training_sites`)."""
    fits = is_same(call, classes) if call.library == "pyspark" else call.library == "sklearn" or own is not None
    if not fits:
        raise VistaRunError("VST522", f"{call} cannot be trained on the driver", "train it on the cluster", "train")


def held_out_result(
    model: FittedModel,
    matrix: NDArray[np.float32],
    keys: Sequence[str],
    labels: Labels,
    held: NDArray[np.bool_],
    started: float,
    native: Any = None,
    notes: tuple[str, ...] = (),
) -> FitResult:
    """The held-out rows as the model sees them, in the order of their keys."""
    order = np.flatnonzero(held)[np.argsort(np.asarray(keys, dtype=object)[held], kind="stable")]
    rows = matrix[order]
    probabilities = model.probabilities(rows)
    argmax = bool(labels.classes) and isinstance(model, LinearModel)
    predictions = probabilities.argmax(axis=1).astype(np.int32) if argmax else model.predict(rows)
    return FitResult(
        classes=labels.classes,
        keys=tuple(keys[i] for i in order.tolist()),
        truth=labels.truth[order],
        predictions=predictions,
        probabilities=probabilities,
        model=model,
        seconds=time.perf_counter() - started,
        rows_train=int(np.sum(labels.known & ~held)),
        native=native,
        notes=notes,
        has_probabilities=getattr(model, "has_probabilities", True),
    )
