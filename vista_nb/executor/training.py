"""Train and score on joined rows, wherever the vectors came from: fits by layer, scores, comparisons.

Reads Rows and matrices, returns LayerScores; keeps each layer's last fit. May touch: processor threads.
DESIGN.md section 11. The driver's site is here; a backend with a cluster passes its own fits in. One training is one
split, or every fold and then all rows (`folds`); of each, one call, or a grid's best (`tune`). An early wave takes the
grid's first point and keeps a fold's model: its score is a preview.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.backend import Wave
from vista_nb.executor.downstream.baseline import fit_guess, fit_tree
from vista_nb.executor.downstream.compared import compared
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import DriverFit
from vista_nb.executor.downstream.folds import across_folds
from vista_nb.executor.downstream.make import check_sklearn, check_spark, make_sklearn, make_spark
from vista_nb.executor.downstream.metrics import score
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.split import Labels
from vista_nb.executor.downstream.tuning import FitCalls, Split, grid, tuned, with_point
from vista_nb.executor.records import Rows
from vista_nb.outcome.scores import TABLE, TABLE_TREE, Comparison, LayerScore
from vista_nb.outcome.tuning import TunedPoint, parameters_text
from vista_nb.spec.model import EstimatorCall

__all__ = ["Fits", "Trainer"]

Fits = Callable[[Rows], AbstractContextManager[FitCalls]]
"""Makes the rows of one split ready, and gives what fits calls on them."""


class Trainer:
    """Fits by name, the latest of each. threads: of the driver's solver. own: the model of `$variable`."""

    def __init__(self, workload: Workload, threads: int, own: OwnModel | None = None) -> None:
        self.workload = workload
        self.threads = threads
        self.own = own
        self.fits: dict[str, FitResult] = {}
        self.notes: list[str] = []

    # -- before anything is inferred ---------------------------------------------------------------------------------

    @property
    def calls(self) -> tuple[EstimatorCall, ...]:
        """Every call that will be fitted: the spec's, or one per point of the grid."""
        tune, call = self.workload.spec.tune, self.workload.call
        return (call,) if tune is None else tuple(with_point(call, point) for point in grid(tune))

    def check_calls(self) -> None:
        """Raises VST521 for parameters that scikit-learn would refuse at the fit."""
        own = self.own if self.own is not None and self.own.kind == "sklearn" else None
        if self.workload.call.library == "sklearn" or own is not None:
            for call in self.calls:
                made = make_sklearn(call, own and own.value)
                check_sklearn(made, call)
                self._refuse_unscorable(made, call)

    def _refuse_unscorable(self, made: object, call: EstimatorCall) -> None:
        """Raises VST528 where the metric needs what the estimator does not say; outer ones tell only once fitted."""
        metric, nested = self.workload.metric, self.workload.estimator.nested
        able = ("predict_proba",) if metric == "logloss" else ("predict_proba", "decision_function")
        if metric in ("auc", "logloss") and not nested and not any(hasattr(made, name) for name in able):
            message = f"{metric} needs probabilities, and {call} gives none"
            raise VistaRunError("VST528", message, "write metric: accuracy, or take another estimator", "train")

    def check_on_cluster(self) -> None:
        """Raises VST521 for parameters that Spark would refuse at the fit; its session runs."""
        own = None if self.own is None else self.own.value
        for call in self.calls:
            check_spark(make_spark(call, own), call)

    def check_labels(self, labels: Labels) -> None:
        """Raises VST359 where the model tells two classes apart and the label has more."""
        facts, classes = self.workload.estimator, len(labels.classes)
        if facts.binary and classes > 2:
            message = f"{facts.name} tells two classes apart, and label {self.workload.label!r} has {classes}"
            raise VistaDataError("VST359", message, f"write OneVsRest(classifier={self.workload.call})")

    # -- training ----------------------------------------------------------------------------------------------------

    def fit(self, rows: Rows, matrix: Callable[[Rows], NDArray[np.float32]], wave: Wave) -> FitResult:
        """M on the driver. matrix: of a split's rows."""
        return self.trained(rows, wave, lambda part: self.on_driver(part, matrix(part)))

    def on_driver(self, part: Rows, matrix: NDArray[np.float32]) -> AbstractContextManager[FitCalls]:
        """The driver's fits of one split."""
        fitting = DriverFit(matrix, part.keys, part.labels, self.threads, self.workload.spec.seed, self.own)

        def fit(split: Split, calls: Sequence[EstimatorCall]) -> Sequence[FitResult]:
            return fitting.fit(split.train, split.held, calls)

        return nullcontext(fit)

    def trained(self, rows: Rows, wave: Wave, fits: Fits) -> FitResult:
        """M at the plan's site: `fits` makes a split's rows ready there."""

        def one(part: Rows) -> FitResult:
            with fits(part) as fit:
                return self._one(part, wave, fit)

        return self._across(rows, wave, one)

    def _one(self, part: Rows, wave: Wave, fit: FitCalls) -> FitResult:
        workload = self.workload
        tune, labels = workload.spec.tune, part.labels
        if tune is None or not wave.last:
            split = Split(labels.known & ~part.test, labels.known & part.test)
            return fit(split, self.calls[:1])[0]
        metric, seed = workload.metric, workload.spec.seed
        return tuned(workload.call, tune, metric, part.keys, labels, part.test, seed, fit)

    def _across(self, rows: Rows, wave: Wave, one: Callable[[Rows], FitResult]) -> FitResult:
        spec = self.workload.spec
        if spec.folds is None:
            return one(rows)
        return across_folds(rows, spec.seed, spec.folds, self.workload.label, one, refit=wave.last)

    def baselines(self, rows: Rows, same_model: Fits, wave: Wave) -> tuple[LayerScore, ...]:
        """The structured features alone: the same model (at the plan's site) and a tree model."""
        if rows.x.shape[1] == 0:
            guess = self._across(rows, wave, lambda part: fit_guess(part.keys, part.labels, part.test))
            return (self.scored(TABLE, guess, wave),)
        seed = self.workload.spec.seed

        def tree(part: Rows) -> FitResult:
            return fit_tree(part.x, part.keys, part.labels, part.test, threads=self.threads, seed=seed)

        fits = {TABLE: self.trained(rows, wave, same_model), TABLE_TREE: self._across(rows, wave, tree)}
        return tuple(self.scored(name, fit, wave) for name, fit in fits.items())

    # -- what came of it ---------------------------------------------------------------------------------------------

    def scored(self, layer: str, fit: FitResult, wave: Wave, source: str = "computed") -> LayerScore:
        """Score a fit on its held-out rows, and keep it."""
        metric = self.workload.metric
        if metric == "logloss" and not fit.has_probabilities:
            message = f"logloss needs probabilities, and {self.workload.call} gives none"
            raise VistaRunError("VST528", message, "write metric: accuracy, or take another estimator", "train")
        value = score(metric, fit, self.workload.spec.seed)
        self.fits[layer] = fit
        if wave.last:
            self.notes.extend(note for note in fit.notes if note not in self.notes)
        return LayerScore(
            layer=layer,
            metric=metric,
            value=value.value,
            ci_low=value.low,
            ci_high=value.high,
            seconds=fit.seconds,
            source=source,
            rows_train=fit.rows_train,
            rows_test=fit.rows_test,
            wave=wave.number,
            parameters=parameters_text(fit.parameters),
        )

    def _named(self) -> dict[str, FitResult]:
        """Baselines, then layers low to high."""
        names = [*(n for n in self.fits if n not in self.workload.layer_names), *self.workload.layer_names]
        return {name: self.fits[name] for name in names if name in self.fits}

    def compare(self) -> Comparison:
        """The scored layers on the same rows; layers low to high."""
        found = compared(self._named(), self.workload.metric, self.workload.spec.seed)
        return replace(found, tuning=self.tuning())

    def tuning(self) -> tuple[TunedPoint, ...]:
        """What the grid search of each layer looked at; with folds, that of the model of all rows."""
        metric = self.workload.metric
        return tuple(
            TunedPoint(name, point.parameters, metric, point.value, point.spread, point.parameters == fit.parameters)
            for name, fit in self._named().items()
            for point in fit.tried
        )
