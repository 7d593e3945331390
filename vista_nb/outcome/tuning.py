"""What a grid search looked at, as plain values: every point of the grid with its score inside the train rows.

Reads nothing, returns frozen values. May touch: nothing (standard library only). DESIGN.md sections 3 (`tune`) and 11.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["TriedPoint", "TunedPoint", "parameters_text"]


@dataclass(frozen=True)
class TriedPoint:
    """One point of the grid. value: mean of the metric over the inner folds, in its own unit; NaN where no fold could
    be scored. spread: standard deviation over the folds.
    """

    parameters: tuple[tuple[str, object], ...]
    value: float
    spread: float


@dataclass(frozen=True)
class TunedPoint:
    """The same for one layer of a run. chosen: whether the layer's model was fitted with it."""

    layer: str
    parameters: tuple[tuple[str, object], ...]
    metric: str
    value: float
    spread: float
    chosen: bool


def parameters_text(parameters: Iterable[tuple[str, object]]) -> str:
    """`regParam=0.1, maxIter=200`."""
    return ", ".join(f"{name}={value!r}" for name, value in parameters)
