"""Nothing fits: which inequality failed, by how much, what memory would do, and the cheapest change.

Reads admitted options; returns NoFeasiblePlan. May touch: nothing. DESIGN.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import Admission, admit
from vista_nb.optimizer.smallest import smallest_memory
from vista_nb.spec.model import Pooling
from vista_nb.units import format_bytes

__all__ = ["no_feasible_plan"]

Admitted = Sequence[tuple[Option, Admission]]


def no_feasible_plan(admitted: Admitted, facts: Facts, fits: Callable[[Snapshot], bool]) -> NoFeasiblePlan:
    """`fits` says whether a changed workload has a plan: the hint names the first change that has."""
    curable = [(option, admission) for option, admission in admitted if admission.of_worker]
    _, nearest = max(curable or admitted, key=lambda pair: pair[1].slack)
    memory = _smallest(curable, facts) if curable else None
    assert nearest.constraint is not None
    return NoFeasiblePlan(
        f"no plan fits: {nearest.constraint}", nearest.constraint, memory, _hint(facts.snapshot, memory, fits)
    )


def _smallest(curable: Admitted, facts: Facts) -> int | None:
    def fits(total: int) -> bool:
        system = replace(facts.snapshot.system, memory=total)
        larger = replace(facts, snapshot=replace(facts.snapshot, system=system))
        return any(admit(option, larger, admission.needs).feasible for option, admission in distinct)

    # options that need the same bytes in the same way fit or fail together
    distinct = list({(a.needs, o.physical.nodes): (o, a) for o, a in curable}.values())
    return smallest_memory(fits)


def _hint(snapshot: Snapshot, memory: int | None, fits: Callable[[Snapshot], bool]) -> str:
    change = next((text for text, changed in _changes(snapshot) if fits(changed)), None)
    if change is not None:
        return change
    if memory is not None:
        return f"the smallest memory that works is {format_bytes(memory)} per worker; a smaller CNN needs less"
    return "a smaller CNN, fewer layers or rows"


def _changes(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """Changes to the cell, cheapest first: a forced decision given up, then a smaller vector per photo."""
    workload, forced = snapshot.workload, snapshot.workload.spec.plan
    names = ("batch_size", "cpu", "join", "num_partitions", "persistence", "pooling", "materialization", "inference")
    for name in names:
        if getattr(forced, name) is not None:
            spec = replace(workload.spec, plan=replace(forced, **{name: None}))
            yield f"leave `plan: {name}` to the optimizer", _changed(snapshot, spec=spec)
    if workload.pool in (Pooling.NONE, Pooling.MAX_2X2):
        yield "`pool: avg` makes shorter vectors, which fit", _changed(snapshot, pool=Pooling.AVG)
    if len(workload.layers) > 1:
        yield f"`layers: [{workload.layers[-1].name}]` fits", _changed(snapshot, layers=workload.layers[-1:])


def _changed(snapshot: Snapshot, **changes: object) -> Snapshot:
    return replace(snapshot, workload=replace(snapshot.workload, **changes))  # type: ignore[arg-type]
