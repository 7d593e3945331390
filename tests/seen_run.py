"""A finished run with held-out rows and photos to look at, made by hand, with no engine.

Not a test. The rows, their photos (drawn here) and the files are real; CNN and model are left out: FitResults are
given. What the handle answers is answered by the same functions as a real run's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from sample_run import SampleRun, sample_outcome, sample_plan, sample_score

from vista_nb.executor import looking
from vista_nb.executor.downstream.compared import compared
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.thumbnails import Thumbnail
from vista_nb.outcome.scores import LayerScore, TestRow
from vista_nb.result import VistaResult

CLASSES = ("<b>Hat</b>", "Shirt", "Shoes")
HOSTILE = "k<script>"
LAYERS = ("conv5", "fc6")


def photo_tables(folder: Path, keys: Sequence[str], views: int = 1) -> ImageTables:
    """One JPEG per key and view, of a colour of its own."""
    from PIL import Image

    links, images = [], []
    for place, key in enumerate(keys):
        for view in range(views):
            path = folder / f"photo{place}_{view}.jpg"
            Image.new("RGB", (300, 150), ((40 * place) % 256, 80 * view, 120)).save(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest() + f"{place}{view}"
            links.append({"key": key, "view": view, "digest": digest})
            images.append({"digest": digest, "path": str(path), "size": path.stat().st_size})
    return ImageTables(pa.Table.from_pylist(links), pa.Table.from_pylist(images))


def class_fit(keys: Sequence[str], truth: Sequence[int], predicted: Sequence[int], sure: Sequence[float]) -> FitResult:
    """Predictions with the probability of each; the rest is shared by the other classes."""
    probabilities = np.zeros((len(keys), 3))
    for row, (place, share) in enumerate(zip(predicted, sure, strict=True)):
        probabilities[row] = (1 - share) / 2
        probabilities[row, place] = share
    nothing: Any = None
    arrays = (np.array(values, dtype=np.int32) for values in (truth, predicted))
    return FitResult(CLASSES, tuple(keys), *arrays, probabilities, nothing, 0.1, 10)


class SeenRun(SampleRun):
    """A run of two layers whose held-out rows are given."""

    def __init__(self, fits: Mapping[str, FitResult], images: ImageTables, metric: str = "accuracy") -> None:
        super().__init__([], sample_plan(LAYERS))
        task = "regression" if next(iter(fits.values())).is_regression else "classification"
        scores = tuple(replace(sample_score(name, 0.7), metric=metric) for name in fits)
        found = compared(fits, metric)
        self.outcome = replace(
            sample_outcome(self.plan), scores=scores, tests=found.tests, confusions=found.confusions, task=task,
            metric=metric,
        )  # fmt: skip
        inputs = SimpleNamespace(images=images)
        self.backend: Any = SimpleNamespace(fit=fits.__getitem__, inputs=inputs, workload=self.workload)

    def held_out(self, layer: str) -> tuple[TestRow, ...]:
        return looking.held_out_rows(self.backend, layer)

    def metrics(self, layer: str) -> tuple[LayerScore, ...]:
        return looking.every_metric(self.backend, layer)

    def photos(self, keys: Sequence[str], side: int) -> Mapping[str, Thumbnail]:
        return looking.photos(self.backend, keys, side)


KEYS = ("a1", "a2", "a3", HOSTILE, "b1")


def class_result(folder: Path, views: int = 1) -> VistaResult:
    """Five rows: conv5 gets two wrong, fc6 two, one of them both."""
    truth = (0, 1, 2, 0, 1)
    fits = {
        "(table)": class_fit(KEYS, truth, (0, 0, 0, 0, 0), (0.4,) * 5),
        "conv5": class_fit(KEYS, truth, (0, 2, 2, 1, 1), (0.9, 0.6, 0.8, 0.95, 0.7)),
        "fc6": class_fit(KEYS, truth, (2, 1, 2, 1, 1), (0.55, 0.6, 0.8, 0.85, 0.7)),
    }
    return VistaResult(SeenRun(fits, photo_tables(folder, KEYS, views)))


def number_result(folder: Path) -> VistaResult:
    """Prices of five houses, predicted by two layers."""
    truth = np.array([100_000.0, 200_000.0, 300_000.0, 400_000.0, 500_000.0])
    nothing: Any = None
    fits = {
        name: FitResult((), KEYS, truth, truth + np.array(errors), np.zeros((5, 0)), nothing, 0.1, 10)
        for name, errors in (
            ("conv5", (1_000.0, -90_000.0, 0.0, 5_000.0, 0.0)),
            ("fc6", (2_000.0, 10_000.0, 0.0, -60_000.0, 0.0)),
        )
    }
    return VistaResult(SeenRun(fits, photo_tables(folder, KEYS), "rmse"))
