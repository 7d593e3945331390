"""What a finished run can show of its held-out rows: predictions, every metric, the photos.

Reads a backend (its fits, its image tables), returns plain values. May touch: the photo files. DESIGN.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vista_nb.executor.downstream.metrics import metrics_of, score
from vista_nb.executor.thumbnails import Thumbnail, thumbnails
from vista_nb.outcome.scores import LayerScore, TestRow

if TYPE_CHECKING:
    from vista_nb.executor.base import DriverSide

__all__ = ["every_metric", "held_out_rows", "photos"]


def held_out_rows(backend: DriverSide, layer: str) -> tuple[TestRow, ...]:
    """Of a layer or `(table)`, ordered by key. Raises VST516 where it was not trained."""
    return backend.fit(layer).rows()


def every_metric(backend: DriverSide, layer: str) -> tuple[LayerScore, ...]:
    """All metrics of the task on the layer's held-out rows."""
    fit = backend.fit(layer)
    values = [score(metric, fit, backend.workload.spec.seed) for metric in metrics_of(fit)]
    train, test = fit.rows_train, fit.rows_test
    return tuple(LayerScore(layer, v.metric, v.value, v.low, v.high, rows_train=train, rows_test=test) for v in values)


def photos(backend: DriverSide, keys: Sequence[str], side: int) -> Mapping[str, Thumbnail]:
    """A small picture per record."""
    return thumbnails(backend.inputs.images, keys, side)
