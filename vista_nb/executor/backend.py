"""What an engine must do: one method per node of the plan. The seam at which tests may put a stand-in.

Reads plan steps, returns counts and scores; the tables stay inside the backend. May touch: nothing itself.
`walk` calls the methods in the plan's order, emits events around them and turns failures into coded errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vista_nb.outcome.events import LayerReused, LayerStored
from vista_nb.outcome.scores import BadImage, Comparison, LayerScore, RowCounts
from vista_nb.plan.logical import (
    Infer,
    Join,
    Load,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Train,
    TrainBaselines,
)

__all__ = ["Backend", "Progress", "Wave"]

Progress = Callable[[int, int], None]
"""Called with (images done, images in all), from any thread."""


@dataclass(frozen=True)
class Wave:
    """Rows whose wave fraction lies in [low, high) are new in this wave; it trains on all rows below `high`."""

    number: int
    low: float
    high: float
    last: bool


class Backend(Protocol):
    """All row counts are numbers of rows that the step produced. A raised VistaError passes through `walk`."""

    def scan_structured(self, step: ScanStructured) -> int: ...

    def scan_images(self, step: ScanImages) -> int: ...

    def join(self, step: Join) -> int: ...

    def load(self, step: Load) -> Sequence[LayerReused]: ...

    def infer(self, step: Infer, wave: Wave, progress: Progress) -> int: ...

    def pool(self, step: Pool, wave: Wave) -> int: ...

    def save(self, step: Save, wave: Wave) -> int: ...

    def train_baselines(self, step: TrainBaselines, wave: Wave) -> Sequence[LayerScore]: ...

    def train(self, step: Train, wave: Wave) -> LayerScore: ...

    def release(self, step: Release, wave: Wave) -> None: ...

    def news(self) -> Sequence[LayerStored]:
        """What was stored since the last call."""
        ...

    def compare(self) -> Comparison:
        """The scored layers on the same rows: paired tests, confusion matrices, what choosing the best is worth."""
        ...

    def bad_images(self) -> Sequence[BadImage]: ...

    def row_counts(self) -> RowCounts: ...

    def context(self) -> tuple[str, str, float | None]:
        """(task, metric, share of the majority class where known): what the scores are about."""
        ...

    def notes(self) -> Sequence[str]:
        """Sentences for the user, in a stable order."""
        ...

    def cancel(self) -> None:
        """Stop whatever runs now; callable from another thread, more than once."""
        ...
