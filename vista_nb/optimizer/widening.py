"""Which other layers a plan's passes go through anyway, and the same plan with some of them kept beside.

Reads a logical plan and facts; returns logical plans. May touch: nothing. DESIGN.md section 9; docs/adr/0022. A layer
is on the way where all that lies above is computed from it (an articulation point) and a pass goes from below it to
above it: pooling it costs no CNN work. Only passes that pool inside count, and lazy plans, the baselines, stay as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import DRIVER_BYTES_PER_VALUE, RESULT_BYTES_PER_ROW
from vista_nb.plan.logical import Infer, LogicalPlan, Materialization, PoolingPlace, Save, Step

__all__ = ["bytes_per_image", "on_the_way", "widened", "with_beside"]

_FLOAT = 4
_COPIES = 2  # of a layer that is collected and written


def on_the_way(logical: LogicalPlan, facts: Facts) -> tuple[str, ...]:
    """Layers worth keeping, the nearest to the top first: the next cell most often asks for a few layers more.

    `auto` keeps no more bytes per image than `avg` of all the CNN's layers would take, whatever the cell's pooling.
    """
    beside, cnn = facts.snapshot.beside, facts.snapshot.workload.cnn
    if beside.mode == "never" or logical.materialization is Materialization.LAZY:
        return ()
    if logical.pooling is not PoolingPlace.PUSHED_DOWN:
        return ()
    passes = _passes(logical)
    asked = {*facts.snapshot.workload.layer_names, *beside.held}
    free = [layer.name for layer in reversed(cnn.counted) if not layer.cut and layer.name not in asked]
    free = [name for name in free if _collectable(name, facts) and _spanning(name, passes, facts)]
    if beside.mode == "always":
        return tuple(free)
    left, chosen = _FLOAT * sum(layer.shape[-1] for layer in cnn.counted), []
    for name in free:
        if bytes_per_image([name], facts) <= left:
            chosen.append(name)
            left -= bytes_per_image([name], facts)
    return tuple(chosen)


def bytes_per_image(layers: Sequence[str], facts: Facts) -> int:
    """Of their pooled vectors."""
    return _FLOAT * sum(facts.pooled[name] for name in layers) // facts.snapshot.statistics.views


def widened(logical: LogicalPlan, facts: Facts) -> Iterator[LogicalPlan]:
    """The plan with all of them, then with fewer and fewer."""
    layers = on_the_way(logical, facts)
    for count in range(len(layers), 0, -1):
        yield with_beside(logical, layers[:count], facts)


def with_beside(logical: LogicalPlan, layers: Sequence[str], facts: Facts) -> LogicalPlan:
    """Each layer goes to the pass that spans it, and to the Save behind that pass."""
    passes = _passes(logical)
    owner = {name: _spanning(name, passes, facts) for name in layers}
    extra = {step.number: tuple(name for name in layers if owner[name] is step) for step in passes}
    steps: list[Step] = []
    current: tuple[str, ...] = ()
    for step in logical.steps:
        if isinstance(step, Infer):
            current = extra.get(step.number, ())
            steps.append(replace(step, beside=current))
        elif isinstance(step, Save) and not step.raw:
            steps.append(replace(step, beside=current))
        else:
            steps.append(step)
    return replace(logical, steps=tuple(steps))


def _collectable(name: str, facts: Facts) -> bool:
    """The kernel's region is planned for the training matrix of the widest layer asked for: one more fits as Arrow."""
    return (
        _COPIES * _FLOAT * facts.pooled[name] <= DRIVER_BYTES_PER_VALUE * facts.widest_collected + RESULT_BYTES_PER_ROW
    )


def _passes(logical: LogicalPlan) -> list[Infer]:
    return [step for step in logical.steps if isinstance(step, Infer) and step.pooled and step.images]


def _spanning(name: str, passes: Sequence[Infer], facts: Facts) -> Infer | None:
    """The pass that goes through this layer, if one does."""
    place = {known: at for at, known in enumerate(facts.layers)}
    for step in passes:
        below = -1 if step.start is None else place[step.start]
        if below < place[name] < max(place[top] for top in step.layers):
            return step
    return None
