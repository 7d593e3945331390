"""Train and score on joined rows, wherever the vectors came from: fits by layer, scores, paired tests.

Reads Rows and matrices, returns LayerScores; keeps each layer's last fit. May touch: processor threads.
DESIGN.md section 11. The driver's site is here; a backend with a cluster passes its own fit in.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vista_nb.catalog.workload import Workload
from vista_nb.executor.backend import Wave
from vista_nb.executor.downstream.baseline import fit_baselines
from vista_nb.executor.downstream.compared import compared
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.metrics import score
from vista_nb.executor.records import Rows
from vista_nb.outcome.scores import Comparison, LayerScore

__all__ = ["Trainer"]

SameModel = Callable[[Rows, NDArray[np.float32]], FitResult]


class Trainer:
    """Fits by name, the latest of each. threads: of the driver's solver."""

    def __init__(self, workload: Workload, threads: int) -> None:
        self.workload = workload
        self.threads = threads
        self.fits: dict[str, FitResult] = {}
        self.notes: list[str] = []

    def fit(self, rows: Rows, matrix: NDArray[np.float32]) -> FitResult:
        """M on the driver."""
        return fit_driver(
            matrix,
            rows.keys,
            rows.labels,
            rows.test,
            self.workload.call,
            structured=rows.x.shape[1],
            threads=self.threads,
            seed=self.workload.spec.seed,
        )

    def baselines(self, rows: Rows, same_model: SameModel, wave: Wave) -> tuple[LayerScore, ...]:
        """The structured features alone: the same model (at the plan's site) and a tree model."""
        fits = fit_baselines(
            rows.x,
            rows.keys,
            rows.labels,
            rows.test,
            lambda table: same_model(rows, table),
            threads=self.threads,
            seed=self.workload.spec.seed,
        )
        return tuple(self.scored(name, fit, wave) for name, fit in fits.items())

    def scored(self, layer: str, fit: FitResult, wave: Wave, source: str = "computed") -> LayerScore:
        """Score a fit on its held-out rows, and keep it."""
        metric = self.workload.metric
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
        )

    def compare(self) -> Comparison:
        """The scored layers on the same rows; layers low to high."""
        names = [*(n for n in self.fits if n not in self.workload.layer_names), *self.workload.layer_names]
        fits = {name: self.fits[name] for name in names if name in self.fits}
        return compared(fits, self.workload.metric, self.workload.spec.seed)
