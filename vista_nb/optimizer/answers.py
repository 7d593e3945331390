"""What the store answers of a workload and why the plan takes it or not, as sentences for EXPLAIN.

Reads facts and the ranked options; returns sentences. May touch: nothing. DESIGN.md sections 7 and 9: same layer
pooled; pooled from raw; higher from a stored raw lower cut; by cost against recomputing. No clock: ages are for the
lines of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.ranking import Priced
from vista_nb.plan.logical import Infer
from vista_nb.units import format_bytes, format_seconds

__all__ = ["store_sentences"]

_FLOAT = 4


def store_sentences(ranked: Sequence[Priced], facts: Facts) -> tuple[str, ...]:
    """Pooled layers first, then every raw cut that inference could start from. ranked: best first."""
    return (*_pooled(facts), *_cuts(ranked, facts))


def _pooled(facts: Facts) -> Iterator[str]:
    """Reading a vector is cheaper than any inference: what is there is taken, layers of one run in one sentence."""
    groups: dict[tuple[str, int], list[StoredLayer]] = {}
    for name in facts.reuse.loaded:
        stored = facts.snapshot.stored_layer(name)
        if stored is not None:
            groups.setdefault((stored.run, stored.rows), []).append(stored)
    for (run, rows), layers in groups.items():
        size = _FLOAT * rows * sum(facts.pooled[layer.layer] for layer in layers) // facts.snapshot.statistics.views
        then = max(layer.seconds_per_image for layer in layers) * rows
        took = f"; inferring them took {format_seconds(then)}" if then > 0 else ""
        names = ", ".join(layer.layer for layer in layers)
        source = f" of run {run}" if run else ""
        kept = max(layer.memory for layer in layers)
        memory = f" ({_count(kept)} of them in memory)" if kept else ""
        away = max(layer.remote for layer in layers)
        memory += f" ({_count(away)} of them from the remote store)" if away else ""
        again = sorted({layer.pooled_from for layer in layers if layer.pooled_from})
        pooled = f", {facts.snapshot.workload.pool.value} from {', '.join(again)}" if again else ""
        yield f"{names}: {_of(rows, facts)}{source} are read, {format_bytes(size)}{memory}{pooled}{took}"


def _cuts(ranked: Sequence[Priced], facts: Facts) -> Iterator[str]:
    best, photos = ranked[0], _best(ranked, None)
    for stored in facts.snapshot.raw_cuts:
        taken = best.option.logical.cut == stored.layer
        mine = best if taken else _best(ranked, stored.layer)
        if mine is None:
            continue
        other = photos if taken else best
        verb = _verb(mine) if taken else "not used"
        memory = " in memory" if stored.memory else ""
        yield f"raw {stored.layer}: {_of(stored.rows, facts)}{memory}, {verb}{_against(mine, other, taken=taken)}"


def _verb(priced: Priced) -> str:
    passes = [step for step in priced.option.logical.steps if isinstance(step, Infer)]
    return "inference starts there" if passes else "pooled from there, no CNN runs"


def _against(mine: Priced, other: Priced | None, *, taken: bool) -> str:
    """Predicted seconds of both; where only one is possible or allowed, of that one."""
    if other is None:
        return f": {format_seconds(mine.seconds)}"
    instead = "from the photos" if other.option.logical.cut is None else f"from {other.option.logical.cut}"
    if taken or mine.admission.feasible:
        return f": {format_seconds(mine.seconds)}, {instead} {format_seconds(other.seconds)}"
    return f": it does not fit ({mine.admission.constraint})"


def _best(ranked: Sequence[Priced], cut: str | None) -> Priced | None:
    return next((priced for priced in ranked if priced.option.logical.cut == cut), None)


def _of(rows: int, facts: Facts) -> str:
    return f"{_count(rows)} of {_count(facts.snapshot.images)} images"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
