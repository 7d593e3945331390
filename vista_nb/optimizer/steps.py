"""The ordered steps of a logical plan: what the executor walks.

Reads the three logical decisions and what is reused; returns numbered steps. May touch: nothing.
Paper: section 4.2.2 and Figure 5. Eager: one pass over all layers, then training. Staged: layer by layer from the
raw tensors of the layer below, which are released once their last reader is done. Lazy: from the image every time.
A stored raw cut takes the place of the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.stopovers import Stopovers
from vista_nb.plan.logical import (
    Infer,
    Inference,
    Join,
    Load,
    LogicalPlan,
    Materialization,
    Pool,
    PoolingPlace,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)

__all__ = ["logical_plan"]

_N = 0  # steps are made without a number and numbered at the end


def logical_plan(
    materialization: Materialization,
    inference: Inference,
    pooling: PoolingPlace,
    layers: tuple[str, ...],
    reuse: Reuse,
    *,
    baseline: bool,
    stops: Stopovers = (),
) -> LogicalPlan:
    """The whole logical plan at one wave. `layers`: low to high; loaded layers are trained like the others."""
    via = tuple(name for _, name in stops)
    plan = LogicalPlan(materialization, inference, pooling, reuse.start_layer, via=via)
    steps = (*_opening(plan, reuse, baseline), *_body(plan, layers, reuse, dict(stops), baseline))
    return replace(plan, steps=tuple(replace(step, number=k) for k, step in enumerate(steps, 1)))


def _opening(plan: LogicalPlan, reuse: Reuse, baseline: bool) -> Iterator[Step]:
    yield ScanStructured(_N)
    yield ScanImages(_N)
    if plan.inference is Inference.AFTER_JOIN:
        yield Join(_N)
    if reuse.loaded:
        yield Load(_N, reuse.loaded)
    if reuse.inferred and reuse.cut is not None:
        yield Load(_N, (reuse.cut,), raw=True)
    if baseline and plan.inference is Inference.AFTER_JOIN:
        yield TrainBaselines(_N)


def _body(
    plan: LogicalPlan, layers: tuple[str, ...], reuse: Reuse, stops: dict[str, str], baseline: bool
) -> Iterator[Step]:
    one_pass = plan.materialization is Materialization.EAGER or not reuse.inferred
    steps = _one_pass(plan, layers, reuse) if one_pass else _layer_by_layer(plan, layers, reuse, stops)
    for step in steps:
        yield step
        if baseline and isinstance(step, Join):  # joined late, the rows to score are known from here on
            yield TrainBaselines(_N)
            baseline = False


def _one_pass(plan: LogicalPlan, layers: tuple[str, ...], reuse: Reuse) -> Iterator[Step]:
    pushed = plan.pooling is PoolingPlace.PUSHED_DOWN
    if reuse.inferred:
        yield Infer(_N, reuse.cut, reuse.inferred, pushed, reuse.images)
        if not pushed:
            yield from (Pool(_N, name) for name in reuse.inferred)
        yield Save(_N, reuse.inferred)
    if plan.inference is Inference.BEFORE_JOIN:
        yield Join(_N)
    for name in layers:
        yield Train(_N, name)
        if name in reuse.inferred and not pushed:
            yield Release(_N, name)


def _layer_by_layer(plan: LogicalPlan, layers: tuple[str, ...], reuse: Reuse, stops: dict[str, str]) -> Iterator[Step]:
    """Staged and lazy. A layer that is wholly stored is only trained; the chain of cuts passes it by.

    Raw tensors live until their last reader is done: the pass above, or (lazy, the top layer) their own pooling.
    """
    pushed = plan.pooling is PoolingPlace.PUSHED_DOWN
    staged = plan.materialization is Materialization.STAGED
    below: str | None = None  # the raw layer that the last pass left
    for name in layers:
        inferred = name in reuse.inferred
        if inferred and below is not None and name in stops:
            yield Infer(_N, below, (stops[name],), False, reuse.images)
            yield Release(_N, below)
            below = stops[name]
        if inferred:
            yield Infer(_N, below if staged and below else reuse.cut, (name,), pushed, reuse.images)
            if not pushed:
                yield Pool(_N, name)
            yield Save(_N, (name,))
            if not staged and not pushed:
                yield Release(_N, name)
        if plan.inference is Inference.BEFORE_JOIN:
            yield Join(_N)
        yield Train(_N, name)
        if inferred and below is not None:
            yield Release(_N, below)
            below = None
        if inferred and staged and not (pushed and name == reuse.inferred[-1]):
            below = name
    if below is not None:
        yield Release(_N, below)
