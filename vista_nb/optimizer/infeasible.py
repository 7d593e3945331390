"""Nothing fits: which inequality failed, by how much for each cpu, what memory would do, the cheapest change.

Reads outlines and facts; returns NoFeasiblePlan. May touch: nothing. DESIGN.md section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import Option, Outline, physical_space
from vista_nb.optimizer.changes import changes_that_fit
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import Admission, admit
from vista_nb.optimizer.points import free_bytes, points
from vista_nb.optimizer.smallest import smallest_memory
from vista_nb.units import format_bytes

__all__ = ["hint_words", "no_feasible_plan", "slack_words"]


def no_feasible_plan(
    options: Sequence[Option], plans: Sequence[Outline], facts: Facts, fits: Callable[[Snapshot], bool]
) -> NoFeasiblePlan:
    """`fits` says whether a changed workload has a plan: the hint names the first changes that have."""
    nearest = max((admit(option, facts) for option in options), key=_nearness)
    needs = _needs(plans, facts)
    memory = smallest_memory(lambda total: free_bytes(total) >= min(needs.values())) if needs else None
    free = free_bytes(facts.snapshot.system.memory)
    slack = tuple((cpu, free - need) for cpu, need in sorted(needs.items()))
    changes = changes_that_fit(facts.snapshot, fits)
    assert nearest.constraint is not None
    return NoFeasiblePlan(
        f"no plan fits: {nearest.constraint}{slack_words(slack)}",
        nearest.constraint,
        memory,
        hint_words(memory, changes),
        slack=slack,
        changes=changes,
    )


def slack_words(slack: Sequence[tuple[int, int]]) -> str:
    """`; short by 1.2 GB with cpu 1, 2.4 GB with cpu 2`: for each number of workers."""
    if len(slack) < 2:
        return ""
    return "; short by " + ", ".join(f"{format_bytes(-missing)} with cpu {cpu}" for cpu, missing in slack)


def hint_words(memory: int | None, changes: Sequence[str]) -> str:
    """The cheapest change that fits, else the memory that would."""
    if changes:
        return changes[0]
    if memory is not None:
        return f"the smallest memory that works is {format_bytes(memory)} per worker"
    return "a smaller CNN, fewer layers or rows"


def _nearness(admission: Admission) -> tuple[bool, int]:
    """What worker memory cures comes before what it does not; then the smallest miss."""
    return admission.of_worker, admission.slack


def _needs(plans: Sequence[Outline], facts: Facts) -> dict[int, int]:
    """The least free bytes at which some point with this cpu fits; without those that no memory cures."""
    space = physical_space(facts.snapshot).thriftiest
    needs: dict[int, int] = {}
    for outline in plans:
        for point in points(outline, facts, space):
            if point.curable:
                needs[point.cpu] = min(point.need, needs.get(point.cpu, point.need))
    return needs
