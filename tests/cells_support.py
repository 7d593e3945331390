"""Cells without engines: what the session does with the store and the optimizer, run by the reference backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from executor_support import run_inputs, run_plan
from numpy.typing import NDArray
from planning_fixtures import LAPTOP

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import WorkloadStatistics
from vista_nb.catalog.workload import Workload
from vista_nb.executor.driver_backend import DriverBackend
from vista_nb.executor.local import LocalBackend
from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.engines import works_on_photos
from vista_nb.session.fetching import fetch_layers, promised
from vista_nb.session.options import Options
from vista_nb.session.reuse import kept_beside, known_bad, open_store, stored_layers
from vista_nb.store.unreadable import remember_unreadable

__all__ = ["Cell", "cell"]


class Cell:
    """One finished cell."""

    def __init__(self, backend: DriverBackend, outcome: Any, events: list[Any]) -> None:
        self.backend, self.outcome, self.events, self.plan = backend, outcome, events, backend.plan

    @property
    def inferred(self) -> int:
        """Distinct photos that went through the CNN."""
        return int(self.outcome.inferred_images)

    @property
    def scores(self) -> dict[str, float]:
        return {score.layer: score.value for score in self.outcome.scores}

    def features(self, layer: str) -> NDArray[np.float32]:
        return np.array(self.backend.features(layer).column("vector").to_pylist(), np.float32)


def cell(
    work: Workload,
    folder: Path,
    reuse: str = "auto",
    run: str = "r1",
    speculate: str = "never",
    budget: int | None = None,
    remote: str | None = None,
    fetches: bool = True,
) -> Cell:
    """Link the photos, look into the store, plan, run, remember: all but the engines.

    remote: the address behind the folder, which VISTA_NB_STORE_DIR names then. fetches: whether it is looked into: not
    in the plan that follows one to which it did not keep its word.
    """
    inputs = replace(run_inputs(work, folder, run=run), store_budget=budget, store_remote=remote)
    options = Options(reuse, store_dir=remote or inputs.store_dir, verify=True, speculate=speculate, remote=fetches)
    images = known_bad(work, inputs.images, options)
    stored, missing = stored_layers(work, images, inputs.model, options)
    beside = kept_beside(work, images, inputs.model, missing, options)
    statistics = WorkloadStatistics(
        rows=inputs.structured.num_rows, structured_features=3, image_bytes=2_000, images=images.images.num_rows
    )
    plan = optimize(Snapshot(work, statistics, LAPTOP, stored, missing, beside=beside))
    plan = replace(plan, logical=replace(plan.logical, waves=work.spec.plan.waves or plan.logical.waves))
    wanted = promised(plan, stored)
    if wanted:
        store = open_store(options, of_run=True)
        came, whole = fetch_layers(store, work, images, inputs.model, wanted)
        store.close()
        if not whole:
            return cell(work, folder, reuse, run, speculate, budget, remote, fetches=False)
        inputs = replace(inputs, fetched=came)
    backend_of = LocalBackend if works_on_photos(plan.logical) else DriverBackend
    backend = backend_of(plan, replace(inputs, images=images))
    outcome, events = run_plan(plan, backend)
    key = backend.shelf.facts(work.layer_names[0]).preprocessing
    remember_unreadable(inputs.store_dir, key, backend.quarantine.reasons)
    backend.shelf.close()
    return Cell(backend, outcome, events)
