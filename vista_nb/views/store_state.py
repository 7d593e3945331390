"""The panel's Store tab as a value: what this run took from the store, what it put there, how full it is.

Reads a PanelState, returns frozen values. May touch: nothing. DESIGN.md sections 6 and 9. Drawing is store_view.py's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vista_nb.outcome.events import LayerReused, LayerStored
from vista_nb.views.state import PanelState

__all__ = ["StoreRow", "StoreState", "store_state"]


@dataclass(frozen=True)
class StoreRow:
    """One layer, `kind` reused | materialized | kept for later; raw: its raw tensors.

    size: bytes on disk of these rows; run, age_seconds and saved_seconds of what was reused.
    """

    layer: str
    kind: str
    rows: int
    size: int
    raw: bool = False
    run: str = ""
    age_seconds: float = 0.0
    saved_seconds: float = 0.0


@dataclass(frozen=True)
class StoreState:
    """rows: reused first, then materialized, each low to high as the run met them. held, budget: None before the
    store was looked at.
    """

    rows: tuple[StoreRow, ...] = ()
    held: int | None = None
    budget: int | None = None

    @property
    def reused_bytes(self) -> int:
        return sum(row.size for row in self.rows if row.kind == "reused")

    @property
    def written_bytes(self) -> int:
        return sum(row.size for row in self.rows if row.kind != "reused")

    @property
    def saved_seconds(self) -> float:
        """Inference that this run did without: layers of one pass share its cost, hence the dearest of each run."""
        dearest: dict[str, float] = {}
        for row in self.rows:
            dearest[row.run] = max(dearest.get(row.run, 0.0), row.saved_seconds)
        return sum(dearest.values())

    @property
    def share(self) -> float:
        """Of the budget, in [0, 1]; 0 where it is not known."""
        return min(1.0, self.held / self.budget) if self.held is not None and self.budget else 0.0


def store_state(state: PanelState) -> StoreState:
    """Of a run at any moment, also after its end."""
    rows = (*map(_reused, state.reused), *_stored(state.stored))
    level = state.level
    return StoreState(rows, level.held if level else None, level.budget if level else None)


def _reused(event: LayerReused) -> StoreRow:
    return StoreRow(
        event.layer, "reused", event.rows, event.size, event.raw, event.run, event.age_seconds, event.saved_seconds
    )


def _stored(events: tuple[LayerStored, ...]) -> list[StoreRow]:
    """One row per layer, its waves together."""
    found: dict[tuple[str, bool, bool], StoreRow] = {}
    for event in events:
        place = (event.layer, event.raw, event.later)
        kind = "kept for later" if event.later else "materialized"
        row = found.get(place, StoreRow(event.layer, kind, 0, 0, event.raw))
        found[place] = replace(row, rows=row.rows + event.rows, size=row.size + event.size)
    return list(found.values())
