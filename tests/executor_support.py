"""A tiny workload for tests of the executor: generated photos, a CNN of three layers, plans of every kind."""

from __future__ import annotations

import csv
import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.workload import EstimatorFacts, FeatureUse, Workload
from vista_nb.executor.inputs import ModelSource, RunInputs
from vista_nb.executor.probe_images import link_images
from vista_nb.executor.probe_table import check_keys, read_structured
from vista_nb.executor.walk import walk
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.steps import logical_plan
from vista_nb.outcome.events import Event
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite
from vista_nb.spec.model import DataSource, EstimatorCall, ImageSource, Pooling, Precision, Spec, Task

LAYERS = ("low", "mid", "top")
COLOURS = {"red": (200, 60, 60), "green": (60, 190, 70), "blue": (50, 70, 200)}
EAGER = (Materialization.EAGER, PoolingPlace.PUSHED_DOWN)
STAGED = (Materialization.STAGED, PoolingPlace.PULLED_UP)


def tiny_cnn() -> CNNFacts:
    """Three layers: 4x4x6, 2x2x8, and a vector of 5. Only the local backend can run it."""
    layers = (
        LayerFacts("low", "low", (4, 4, 6), 1000, 1e-3),
        LayerFacts("mid", "mid", (2, 2, 8), 2000, 2e-3),
        LayerFacts("top", "top", (5,), 3000, 3e-3),
    )
    return CNNFacts(
        "tiny", "local", 8, 8, "tf", layers, LAYERS, "random", 100, 1000, 1000, 0, 0.1, False, "made for tests"
    )


def photo(path: Path, colour: str, seed: int, size: tuple[int, int] = (40, 32)) -> None:
    """A noisy patch of one colour as a JPEG."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(seed).integers(-60, 60, (size[1], size[0], 3))
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(path, quality=90)


def catalogue(folder: Path, rows: int = 60, bad: Sequence[int] = (), seed: int = 0) -> Path:
    """A csv `items.csv` (id, price, kind, label) and `photos/{id}.jpg`; photos of `bad` rows are no pictures."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "price", "kind", "label"])
        for row in range(rows):
            colour = list(COLOURS)[row % 3]
            writer.writerow([f"k{row:03d}", chance.randint(1, 99), chance.choice("xy"), colour])
            path = folder / "photos" / f"k{row:03d}.jpg"
            if row in bad:
                path.write_bytes(b"this is no picture %d" % row)
            else:
                photo(path, colour, row)
    return folder / "items.csv"


def workload(table: Path, cnn: CNNFacts | None = None, layers: Sequence[str] = LAYERS, **spec: Any) -> Workload:
    """The bound spec over `catalogue`."""
    cnn = cnn or tiny_cnn()
    fields: dict[str, Any] = {
        "structured": DataSource(str(table), "path"),
        "images": (ImageSource("photos/{id}.jpg", "pattern"),),
        "label": "label",
        "test": 0.3,
        "pool": Pooling.MAX_2X2,
    } | spec
    made = Spec(**fields)
    chosen = tuple(layer for layer in cnn.layers if layer.name in layers)
    call = EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.05),))
    facts = EstimatorFacts("pyspark", "LogisticRegression", ("classification",), (), ("cluster", "driver"), "linear")
    uses = (FeatureUse("price", "number", 1), FeatureUse("kind", "category", 2))
    return Workload(
        made, cnn, chosen, made.pool, Precision.FLOAT32, "random", "label", Task.CLASSIFICATION, "accuracy", call,
        facts, uses, tuple(COLOURS),
    )  # fmt: skip


def run_inputs(work: Workload, folder: Path, model: ModelSource | None = None, run: str = "r1") -> RunInputs:
    """Tables read and linked as the session does it; store and caches below `folder`."""
    assert work.spec.structured is not None
    table = read_structured(work.spec.structured, {})
    rows, _ = check_keys(table, work.spec.on)
    images = link_images(work.spec, rows, cache=folder / "digests.sqlite")
    model = model or ModelSource("local", "random", None, "0" * 64)
    return RunInputs(run, work, table, images, model, folder / "store", folder / "cache")


def make_plan(
    work: Workload,
    kind: tuple[Materialization, PoolingPlace] = EAGER,
    *,
    inference: Inference = Inference.AFTER_JOIN,
    waves: int = 1,
    loaded: Sequence[str] = (),
    inferred: Sequence[str] | None = None,
    baseline: bool = False,
    **physical: Any,
) -> Plan:
    """A plan of one kind, with whatever physical decisions a test forces."""
    names = work.layer_names
    missing = names if inferred is None else tuple(inferred)
    reuse = Reuse(tuple(loaded), missing, 0)
    logical = logical_plan(kind[0], inference, kind[1], names, reuse, baseline=baseline)
    fields: dict[str, Any] = {
        "cpu": 2,
        "threads_per_task": 1,
        "num_partitions": 4,
        "batch_size": 8,
        "join": JoinOperator.BROADCAST,
        "persistence": Persistence.DESERIALIZED,
        "training": TrainingSite.DRIVER,
    } | physical
    memory = MemoryRegions(500_000_000, 500_000_000, 1_500_000_000, 200_000_000, 300_000_000, 500_000_000)
    return Plan(
        "default", work.cnn.name, names, str(work.call), work.pool.value, replace(logical, waves=waves),
        PhysicalPlan(**fields), memory, Sizes(0, 0, (), 0, 0), (),
    )  # fmt: skip


def run_plan(plan: Plan, backend: Any, cancelled: threading.Event | None = None) -> tuple[RunOutcome, list[Event]]:
    """Walk to the end; the outcome and every event."""
    events: list[Event] = []
    outcome = walk(plan, backend, events.append, cancelled or threading.Event())
    return outcome, events


SMALL_CNN, SMALL_LAYERS = "mobilenet_025", ("conv_pw_11_relu", "conv_pw_13_relu")


def small_workload(folder: Path, **options: Any) -> Workload:
    """The generated catalogue under MobileNet 0.25 with random weights: small, and agreement needs no training."""
    from vista_nb.catalog.roster import load_roster

    spec = {key: options.pop(key) for key in list(options) if key in ("bad_images",)}
    return workload(catalogue(folder, **options), load_roster().find(SMALL_CNN), SMALL_LAYERS, **spec)


class SparkMaker:
    """Makes SparkBackends with their own stores and one artifact cache; `close` them all at the end."""

    def __init__(self, session: Any, cache: Path, folder: Path) -> None:
        from vista_nb.catalog.roster import load_roster
        from vista_nb.executor.cnn.prepare import resolve_model

        cnn = load_roster().find(SMALL_CNN)
        assert cnn is not None
        self.session, self.cache, self.folder = session, cache, folder
        self.model = resolve_model(cnn, "random", 0, cache)
        self.backends: list[Any] = []

    def __call__(self, work: Workload, plan: Plan, run: str = "r1", store: str = "store") -> Any:
        from vista_nb.executor.spark_backend import SparkBackend

        inputs = run_inputs(work, self.folder, self.model, run)
        inputs = replace(inputs, cache_dir=self.cache, store_dir=self.folder / store)
        self.backends.append(SparkBackend(self.session, plan, inputs, threading.Event()))
        return self.backends[-1]

    def close(self) -> None:
        for backend in self.backends:
            backend.close()
