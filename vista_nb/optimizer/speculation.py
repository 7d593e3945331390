"""Whether the winner keeps pooled features of other layers for later cells, and of how many.

Reads a priced option and facts; returns it with what it keeps beside, and a sentence about it. May touch: nothing.
DESIGN.md section 9; docs/adr/0022. As many layers as cost at most a twentieth of the plan's seconds and a quarter of
the room the store has to spare, and fit into Storage Memory without a spill; `plan: {speculate: always}` keeps what
fits at any cost in seconds, `never` nothing.
"""

from __future__ import annotations

from dataclasses import replace

from vista_nb.catalog.sizes import layer_table
from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import predict
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import ALPHA, Admission
from vista_nb.optimizer.ranking import Priced
from vista_nb.optimizer.widening import bytes_per_image, widened
from vista_nb.plan.logical import Infer, LogicalPlan
from vista_nb.units import format_bytes, format_seconds

__all__ = ["ROOM_PERCENT", "SECONDS_SHARE", "beside_notes", "speculate"]

SECONDS_SHARE = 0.05
ROOM_PERCENT = 25


def speculate(best: Priced, facts: Facts) -> Priced:
    """The widest version of the plan that is cheap enough; itself where none is."""
    always = facts.snapshot.beside.mode == "always"
    allowed = facts.snapshot.beside.room * (100 if always else ROOM_PERCENT) // 100
    for logical in widened(best.option.logical, facts):
        admission = _admitted(best.admission, logical, best.option, facts)
        if admission is None or _bytes(logical, facts) > allowed:
            continue
        option = replace(best.option, logical=logical)
        cost = predict(option, admission.spill, facts)
        if always or cost.seconds - best.cost.seconds <= SECONDS_SHARE * best.cost.seconds:
            return Priced(option, admission, cost)
    return best


def beside_notes(best: Priced, plain: Priced, facts: Facts) -> tuple[str, ...]:
    """What is kept for later cells, at which predicted cost; nothing where nothing is."""
    layers = _layers(best.option.logical)
    if not layers:
        return ()
    size, more = format_bytes(_bytes(best.option.logical, facts)), best.cost.seconds - plain.cost.seconds
    named = f"{', '.join(layers[:3])}{f' and {len(layers) - 3} more' if len(layers) > 3 else ''}"
    cost = f"{size}, {format_seconds(max(0.0, more))}"
    return (f"kept for later cells beside what was asked: {named} ({cost}); `plan: {{speculate: never}}` keeps none",)


def _layers(logical: LogicalPlan) -> tuple[str, ...]:
    return tuple(name for step in logical.steps if isinstance(step, Infer) for name in step.beside)


def _bytes(logical: LogicalPlan, facts: Facts) -> int:
    """In the store."""
    return facts.reuse.images * bytes_per_image(_layers(logical), facts)


def _admitted(given: Admission, logical: LogicalPlan, option: Option, facts: Facts) -> Admission | None:
    """The regions with the wider tables in Storage Memory; None where something would spill."""
    physical = option.physical
    values = sum(facts.pooled[name] for name in _layers(logical))
    table = layer_table(facts.snapshot.statistics.rows, values, 0)
    of_tasks = ALPHA * physical.cpu * -(-table // physical.num_partitions)  # in the same heap
    free = max(0, given.regions.storage - of_tasks) * physical.nodes
    if given.spill or given.needs.live + table > free:
        return None
    return replace(given, needs=replace(given.needs, live=given.needs.live + table))
