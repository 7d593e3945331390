"""What the store holds, told to the views as an event: when a run begins, after each save, and at its end.

Reads the store's manifests, returns StoreListed. May touch: the store (reading). DESIGN.md sections 6 and 9. A store
that cannot be read costs the run its Store tab and nothing else: what a run needs of it is read elsewhere.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vista_nb.errors import VistaError
from vista_nb.outcome.events import Emit, Event, StageFinished, StoreEntry, StoreListed

if TYPE_CHECKING:
    from vista_nb.session.runs import Run
    from vista_nb.store.admin import Holding

__all__ = ["listed", "telling_of_store"]

MOST: Final = 30  # entries of one event: the panel shows a glance, `%vista store ls` all


def telling_of_store(run: Run) -> Emit:
    """`run.emit`, which also tells what the store holds: now, and after every step that saved something."""
    began = time.time() - run.clock

    def tell() -> None:
        with suppress(VistaError, OSError, ValueError):
            cnn = run.workload.cnn.name
            run.emit(listed(run.store_dir, cnn, run.options.store_budget, (run.run_id, began)))

    def emit(event: Event) -> None:
        run.emit(event)
        if isinstance(event, StageFinished) and event.kind == "save":
            tell()

    tell()
    return emit


def listed(folder: Path, cnn: str, budget: int | None = None, run: tuple[str, float] = ("", 0.0)) -> StoreListed:
    """The layer sets of `cnn` first, then those used last. run: (name, seconds since 1970 when it began), to mark what
    it wrote. Raises VistaStoreError.
    """
    from vista_nb.store.admin import inventory
    from vista_nb.store.files import Store

    found, now = inventory(Store(folder, budget)), time.time()
    ordered = sorted(found.holdings, key=lambda h: (h.layers.facts.cnn != cnn, -h.used, h.layers.key))
    entries = tuple(_entry(holding, now, run) for holding in ordered[:MOST])
    saved = sum(holding.saved for holding in found.holdings)
    return StoreListed(
        entries=entries, holds=len(found.holdings), size=found.size, budget=found.budget, saved_seconds=saved
    )


def _entry(holding: Holding, now: float, run: tuple[str, float]) -> StoreEntry:
    layers, facts = holding.layers, holding.layers.facts
    form = facts.pooling if facts.precision == "float32" else f"{facts.pooling}, {facts.precision}"
    return StoreEntry(
        facts.cnn,
        facts.layer,
        form,
        layers.rows,
        layers.size,
        layers.run,
        max(0.0, now - layers.created),
        holding.times,
        holding.saved,
        holding.pinned,
        written=layers.run == run[0] and layers.created >= run[1],
    )
