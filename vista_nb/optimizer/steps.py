"""The ordered steps of a logical plan: what the executor walks.

Reads the three logical decisions and what is reused; returns numbered steps. May touch: nothing.
Paper: section 4.2.2 and Figure 5. Eager: one pass over all layers, then training. Staged: layer by layer from the
raw tensors of the layer below, which are released once their last reader is done. Lazy: from the image every time.
A raw cut, stored or made first, takes the place of the image.
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
    plan = LogicalPlan(materialization, inference, pooling, reuse.start_layer, via=via, cut=reuse.cut)
    body = _body(plan, layers, reuse, dict(stops), baseline)
    steps = _released((*_opening(plan, reuse, baseline), *_making(reuse), *body), reuse.cut)
    return replace(plan, steps=tuple(replace(step, number=k) for k, step in enumerate(steps, 1)))


def _opening(plan: LogicalPlan, reuse: Reuse, baseline: bool) -> Iterator[Step]:
    yield ScanStructured(_N)
    yield ScanImages(_N)
    if plan.inference is Inference.AFTER_JOIN:
        yield Join(_N)
    if reuse.loaded:
        yield Load(_N, reuse.loaded, memory=reuse.from_memory)
    if reuse.cut is not None and reuse.cut_loaded:
        yield Load(_N, (reuse.cut,), raw=True, images=reuse.cut_loaded, memory=reuse.cut_from_memory)
    if baseline and plan.inference is Inference.AFTER_JOIN:
        yield TrainBaselines(_N)


def _making(reuse: Reuse) -> Iterator[Step]:
    """The raw tensors that the store lacks, from photos: kept, and the start of all else."""
    if reuse.cut is not None and reuse.cut_made:
        yield Infer(_N, None, (reuse.cut,), False, reuse.cut_made)
        yield Save(_N, (reuse.cut,), raw=True, images=reuse.cut_made)


def _released(steps: tuple[Step, ...], cut: str | None) -> tuple[Step, ...]:
    """The cut's raw tensors are released once, right after their last reader."""
    if cut is None:
        return steps
    kept = [step for step in steps if not (isinstance(step, Release) and step.layer == cut)]
    readers = [place for place, step in enumerate(kept) if _reads(step, cut)]
    return (*kept[: readers[-1] + 1], Release(_N, cut), *kept[readers[-1] + 1 :]) if readers else tuple(kept)


def _reads(step: Step, cut: str) -> bool:
    return (
        (isinstance(step, Infer) and step.start == cut)
        or (isinstance(step, Pool) and step.layer == cut)
        or (isinstance(step, Save) and step.raw)
    )


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
    passed = tuple(name for name in reuse.inferred if pushed or name != reuse.cut)  # a raw cut is only pooled
    if passed:
        yield Infer(_N, reuse.cut, passed, pushed, reuse.images)
    if reuse.inferred:
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
            if pushed or name != reuse.cut:  # a raw cut is only pooled
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
