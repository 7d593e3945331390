"""Score new rows through a pipeline: photos to vectors, table and vectors to the matrix, matrix to predictions.

Reads a Pipeline, a table and image sources; returns Scored, a row for every row given. May touch: what `new_rows` and
`photos` touch. DESIGN.md section 5 (`.predict`). Rows go in chunks, so that a large table needs no large matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.executor.cnn.pooling import pooled_length
from vista_nb.executor.leaving.new_rows import NO_KEY, NewRows, image_sources, read_new_rows, refuse_bad
from vista_nb.executor.leaving.photos import photo_features
from vista_nb.executor.leaving.pipeline import Pipeline
from vista_nb.executor.records import Vectors
from vista_nb.outcome.scores import BadImage

__all__ = ["Scored", "score"]

_MATRIX_BYTES = 64_000_000
_MOST_ROWS = 2_048

Features = Callable[[pa.Table, Collection[str]], tuple[Vectors, dict[str, str]]]


@dataclass(frozen=True)
class Scored:
    """Row by row as given. keys: None where the row has none. problems: "" where the row was scored.

    predictions: indices into `classes` (-1: not scored), of a regression numbers (NaN: not scored).
    probabilities: (rows, classes), NaN where not scored.
    """

    keys: tuple[str | None, ...]
    classes: tuple[str, ...]
    predictions: NDArray[Any]
    probabilities: NDArray[np.float64]
    problems: tuple[str, ...]
    bad_images: tuple[BadImage, ...]


def score(pipeline: Pipeline, table: Any, images: Any = None) -> Scored:
    """`table`: a frame, a path, or anything `structured:` takes; `images`: as the spec's key, None for the run's own.

    Raises VST3xx for the table and, under `bad_images: fail`, for a photo; VST025 for another number of views.
    """
    rows = read_new_rows(pipeline, table, image_sources(pipeline, images))
    filled = _Filled(pipeline, rows)
    with _features(pipeline, rows) as features:
        for chunk in _chunks(pipeline, rows):
            filled.add(chunk, features)
    return filled.scored()


@contextmanager
def _features(pipeline: Pipeline, rows: NewRows) -> Iterator[Features | None]:
    """Where no photo is looked at, or none is there, no process is needed."""
    if rows.images is None or not any(rows.digests):
        yield None
        return
    with photo_features(pipeline.workload, pipeline.layer, pipeline.source, pipeline.cache_dir) as features:
        yield features


def _chunks(pipeline: Pipeline, rows: NewRows) -> Iterator[list[int]]:
    """Rows that can be scored, so many at a time that the matrix stays small."""
    width = 1
    if pipeline.looks_at_photos:
        facts = pipeline.workload.cnn.layer(pipeline.layer)
        assert facts is not None
        width = pooled_length(facts.shape, pipeline.workload.pool) * len(pipeline.workload.spec.images)
    size = max(64, min(_MOST_ROWS, _MATRIX_BYTES // (4 * width)))
    good = [row for row in range(len(rows.keys)) if row not in rows.problems]
    return (good[start : start + size] for start in range(0, len(good), size))


class _Filled:
    """The answer, filled chunk by chunk."""

    def __init__(self, pipeline: Pipeline, rows: NewRows) -> None:
        self.pipeline, self.rows = pipeline, rows
        shape = (rows.rows, len(pipeline.classes))
        regression = not pipeline.classes
        self.predictions = np.full(rows.rows, np.nan) if regression else np.full(rows.rows, -1, np.int32)
        self.probabilities = np.full(shape, np.nan)
        self.problems = [NO_KEY] * rows.rows
        self.bad = list(rows.images.bad) if rows.images is not None else []
        for row, place in enumerate(rows.places):
            self.problems[place] = rows.problems.get(row, "")

    def add(self, chunk: Sequence[int], features: Features | None) -> None:
        blocks: list[NDArray[np.float32]] = []
        if features is not None and self.rows.images is not None:
            digests = {digest for row in chunk for digest in self.rows.digests[row]}
            vectors, reasons = features(self.rows.images.images, digests)
            chunk = self._readable(chunk, reasons)
            views = len(self.pipeline.workload.spec.images)
            blocks = [vectors.at([self.rows.digests[row][view] for row in chunk]) for view in range(views)]
        if chunk:
            self._predict(chunk, blocks)

    def _readable(self, chunk: Sequence[int], reasons: dict[str, str]) -> list[int]:
        """The rows whose photos could be decoded; the others are answered with the reason."""
        paths = _paths(self.rows) if reasons else {}
        refused = []
        for row in chunk:
            bad = next((digest for digest in self.rows.digests[row] if digest in reasons), None)
            if bad is not None:
                refused.append(BadImage(self.rows.keys[row], paths.get(bad, ""), "decode", reasons[bad]))
                self.problems[self.rows.places[row]] = reasons[bad]
        refuse_bad(refused, self.pipeline.workload.spec.bad_images)
        self.bad.extend(refused)
        return [row for row in chunk if not self.problems[self.rows.places[row]]]

    def _predict(self, chunk: Sequence[int], blocks: Sequence[NDArray[np.float32]]) -> None:
        table = self.rows.table.take(pa.array(chunk, pa.int64()))
        matrix = self.pipeline.matrix(table, blocks)
        model, places = self.pipeline.model, [self.rows.places[row] for row in chunk]
        self.predictions[places] = model.predict(matrix)
        if self.pipeline.classes:
            self.probabilities[places] = model.probabilities(matrix)

    def scored(self) -> Scored:
        keys: list[str | None] = [None] * self.rows.rows
        for row, place in enumerate(self.rows.places):
            keys[place] = self.rows.keys[row]
        return Scored(
            tuple(keys),
            self.pipeline.classes,
            self.predictions,
            self.probabilities,
            tuple(self.problems),
            tuple(self.bad),
        )


def _paths(rows: NewRows) -> dict[str, str]:
    assert rows.images is not None
    table = rows.images.images
    if "path" not in table.column_names:
        return {}
    return dict(zip(table.column("digest").to_pylist(), table.column("path").to_pylist(), strict=True))
