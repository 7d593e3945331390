"""One run and the memory tier: what it takes from there, and what it leaves behind.

Reads the tier's tables and the run's own; returns views and events. May touch: the tier. DESIGN.md section 9;
docs/adr/0022. The disk tier comes first: only photos that it lacks are looked for here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vista_nb.executor.memory_tier import KeptTable, MemoryTier
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.logical import Load

if TYPE_CHECKING:
    from vista_nb.executor.shelf import Shelf
    from vista_nb.executor.spark_raw import Raw

__all__ = ["Borrowed", "borrow", "leave_raw", "leave_vectors", "storage_bytes"]


@dataclass(frozen=True)
class Borrowed:
    """A view of a kept table, and the photos of it that this run takes."""

    layer: str
    view: Any
    digests: frozenset[str]
    event: LayerReused


def borrow(step: Load, needed: set[str], shelf: Shelf, tier: MemoryTier) -> Iterator[Borrowed]:
    """What a Load takes beside the disk's rows, one after the other, no photo twice."""
    for layer in step.layers if step.memory else ():
        facts = shelf.raw_facts(layer) if step.raw else shelf.facts(layer)
        left = needed - (shelf.raw_held if step.raw else shelf.held).get(layer, set())
        for table in tier.tables(facts.key):
            found = left & table.digests
            if not found:
                continue
            left -= found
            table.used = time.monotonic()
            saved = table.seconds.get(facts.key, 0.0) * len(found)
            age, size = max(0.0, time.time() - table.created), 4 * facts.width * len(found)
            event = LayerReused(
                layer=layer, run=table.run, rows=len(found), size=size, age_seconds=age, saved_seconds=saved,
                raw=step.raw, memory=True,
            )  # fmt: skip
            yield Borrowed(layer, table.views[facts.key], frozenset(found), event)


def storage_bytes(images: int, width: int) -> int:
    """Of a table of (digest, values) in Storage Memory: equation 16 without T_str."""
    return images * (16 + 4 * width) * 6 // 5


def leave_raw(tier: MemoryTier, room: int, raw: Raw, shelf: Shelf, run: str, seconds: dict[str, float]) -> bool:
    """Raw tensors that the run is done with stay in Storage Memory, where the plan leaves room. Whether they do.

    Only layers whose output alone is enough to go on from; a layer's own tensor may lie beside others in one table.
    """
    facts = {name: shelf.raw_facts(name) for name in raw.layers if shelf.goes_on_alone(name)}
    size = storage_bytes(len(raw.digests), sum(shelf.raw_facts(name).width for name in raw.layers))
    if raw.with_stored or not facts or not raw.digests or tier.size + size > room:
        return False
    if all(raw.digests <= tier.digests(found.key) for found in facts.values()):
        return False  # an earlier run left them
    view = raw.frame.where("error is null").select("digest", "error", "tensors")
    times = {facts[name].key: seconds.get(name, 0.0) for name in facts}
    views = {found.key: view for found in facts.values()}
    tier.offer(KeptTable(raw.frame, views, frozenset(raw.digests), size, run, times))
    return True


def leave_vectors(
    tier: MemoryTier,
    room: int,
    made: Sequence[tuple[str, Any, Any, frozenset[str]]],
    shelf: Shelf,
    run: str,
    seconds: dict[str, float],
) -> list[Any]:
    """Features that the disk did not take stay in Storage Memory. made: (layer, view, base, digests) of this run.

    Returns the tables that are the tier's from now on.
    """
    kept: list[Any] = []
    for base in dict.fromkeys(base for _, _, base, _ in made if base is not None):
        of_base = [part for part in made if part[2] is base]
        lacking = {layer for layer, _, _, digests in of_base if digests - shelf.held.get(layer, set())}
        facts = {layer: shelf.facts(layer) for layer, *_ in of_base}
        digests = of_base[0][3]
        size = storage_bytes(len(digests), sum(found.width for found in facts.values()))
        if not lacking or tier.size + size > room:
            continue
        views = {facts[layer].key: view for layer, view, _, _ in of_base}
        times = {facts[layer].key: seconds.get(layer, 0.0) for layer in facts}
        tier.offer(KeptTable(base, views, digests, size, run, times))
        kept.append(base)
    return kept
