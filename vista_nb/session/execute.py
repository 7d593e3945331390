"""What a run's worker thread does: model, JVM, store, plan, walk.

Reads a `Run`; returns nothing, the run records the outcome. May touch: subprocesses, the JVM, the store.
The JVM starts while the model's digest is found, since neither needs the other, where memory holds both.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaCancelled
from vista_nb.outcome.events import RunStarted
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.engines import needs_spark
from vista_nb.plan.logical import Infer, Load
from vista_nb.plan.titles import START
from vista_nb.session import jvm, warm
from vista_nb.session.fetching import fetched
from vista_nb.session.folders import cache_root
from vista_nb.session.given_session import fitted
from vista_nb.session.limits import refuse_beyond_limits
from vista_nb.session.memory import kept_if_well, room_left, tier_of
from vista_nb.session.prepare import Prepared, calibrated, planned, with_stored
from vista_nb.session.reuse import remember_bad
from vista_nb.session.run_record import record_steps, record_usage
from vista_nb.session.store_listing import telling_of_store
from vista_nb.store.place import store_place

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from vista_nb.executor.inputs import ModelSource, RunInputs
    from vista_nb.plan.candidate import Plan
    from vista_nb.session.runs import Run

__all__ = ["execute"]


def execute(run: Run) -> None:
    """From the plan to the outcome. Raises coded errors; a set cancel flag ends it between any two parts."""
    from vista_nb.executor.artifacts_first import make_artifacts, side_by_side
    from vista_nb.executor.cnn.prepare import one_process
    from vista_nb.executor.memory_sampler import sampling
    from vista_nb.executor.walk import walk

    with ThreadPoolExecutor(1, thread_name_prefix="vista-jvm") as pool, ExitStack() as after:
        after.enter_context(one_process())
        beside = side_by_side(run.plan, run.workload.cnn) and _on_spark(run.plan)
        starting = pool.submit(jvm.acquire, run.plan, run.workload, run.say) if beside else None
        prepared, plan = planned(_with_model(run.prepared, run), run.options)
        prepared, run.plan, run.fetched = fetched(prepared, plan, run.options, run.say, after)
        run.prepared = prepared
        refuse_beyond_limits(run.plan, run.options)
        if starting is None and _on_spark(run.plan):
            if not side_by_side(run.plan, run.workload.cnn):  # memory for one at a time
                make_artifacts(run.plan, _inputs(prepared, run), run.cancelled)
                _stop_if_cancelled(run)
            starting = pool.submit(jvm.acquire, run.plan, run.workload, run.say)
        _stop_if_cancelled(run)
        backend, see = _spark(_with_memory(starting, run), run) if starting and _on_spark(run.plan) else _kernel(run)
        run.attach(backend)
        after.callback(backend.shelf.close)
        run.emit(
            RunStarted(0, 1, 0.0, run.plan.layers, _to_infer(run), len(run.plan.logical.steps), run.plan.logical.waves)
        )
        local = prepared.snapshot.system.is_local
        peaks = after.enter_context(sampling(run.emit, see, workers_here=local))
        begin = run.clock
        with kept_if_well():
            outcome = walk(run.plan, backend, telling_of_store(run), run.cancelled, run.record)
        backend.leave()
        run.record(_of_the_whole_run(outcome, begin, run, peaks.items()))
        remember_bad(run.prepared, run.options, backend.quarantine.reasons)
        record_usage(run.prepared, backend.usage)
        record_steps(run.prepared, run.plan, run.outcome, backend.usage)
        warm.remember(run.plan, backend.usage)


def _on_spark(plan: Plan) -> bool:
    return needs_spark(plan.logical, plan.physical.training)


def _with_memory(starting: Future[SparkSession], run: Run) -> SparkSession:
    """The session; where it is another one than the plan took tables from, the plan is made again without them."""
    session = starting.result()
    takes = any(isinstance(step, Load) and step.memory for step in run.plan.logical.steps)
    if not takes or tier_of(session.sparkContext).size:
        return session
    assert run.prepared.model is not None
    run.prepared, run.plan = planned(with_stored(run.prepared, run.prepared.model, run.options), run.options)
    refuse_beyond_limits(run.plan, run.options)
    return jvm.acquire(run.plan, run.workload, run.say)


def _spark(session: SparkSession, run: Run) -> tuple[Any, Callable[[dict[str, int]], None]]:
    """The engine, and who watches its memory."""
    from vista_nb.executor.spark_backend import SparkBackend

    if not jvm.owns(session):
        run.plan = fitted(session, run.plan, run.prepared.snapshot, run.say)
    _stop_if_cancelled(run)
    backend = SparkBackend(session, run.plan, _inputs(run.prepared, run), run.cancelled)
    backend.say = run.say
    backend.tier, backend.room = tier_of(session.sparkContext), room_left(run.plan)
    backend.tier.fit(backend.room, backend.wanted)
    return backend, backend.guard.see


def _kernel(run: Run) -> tuple[Any, Callable[[dict[str, int]], None]]:
    """Every feature is stored and the kernel trains: no engine is started."""
    from vista_nb.executor.driver_backend import DriverBackend

    return DriverBackend(run.plan, _inputs(run.prepared, run), run.cancelled), lambda _: None


def _of_the_whole_run(outcome: RunOutcome, begin: float, run: Run, peaks: tuple[tuple[str, int], ...]) -> RunOutcome:
    """The walk's clock starts when the engines are up; the user's started at the cell."""
    steps = tuple((title, start + begin, end + begin) for title, start, end in outcome.timeline)
    return replace(
        outcome,
        notes=(*run.workload.notes, *outcome.notes),
        timeline=((START, 0.0, begin), *steps),
        seconds=run.clock,
        peak_bytes=peaks,
    )


def _with_model(prepared: Prepared, run: Run) -> Prepared:
    if prepared.model is not None:
        return prepared
    from vista_nb.executor.cnn.prepare import resolve_model

    workload = prepared.workload
    source = resolve_model(workload.cnn, workload.weights, workload.spec.seed, cache_root(), run.cancelled)
    engines = prepared.snapshot.warm
    return calibrated(with_stored(_without_class_layers(prepared, source), source, run.options), engines)


def _without_class_layers(prepared: Prepared, source: ModelSource) -> Prepared:
    """Weights without a class head drop the class layers, and the user reads it."""
    workload = prepared.workload
    if source.include_top or not any(layer.is_class for layer in workload.layers):
        return prepared
    kept = tuple(layer for layer in workload.layers if not layer.is_class)
    dropped = ", ".join(layer.name for layer in workload.layers if layer.is_class)
    if not kept:
        from vista_nb.errors import VistaDataError

        raise VistaDataError(
            "VST321",
            f"layers: the weights {workload.weights} hold no class layer, and {dropped} is all that was asked for",
            f"take another layer of {workload.cnn.name}: %vista layers {workload.cnn.name}",
        )
    note = f"the weights file has no class head: {dropped} is left out"
    workload = replace(workload, layers=kept, notes=(*workload.notes, note))
    return replace(prepared, workload=workload, snapshot=replace(prepared.snapshot, workload=workload))


def _inputs(prepared: Prepared, run: Run) -> RunInputs:
    from vista_nb.executor.inputs import RunInputs

    assert prepared.structured is not None
    assert prepared.images is not None
    assert prepared.model is not None
    return RunInputs(
        run.run_id,
        prepared.workload,
        prepared.structured,
        prepared.images,
        prepared.model,
        run.store_dir,
        cache_root(),
        run.options.reuse,
        run.options.store_budget,
        store_place(run.options.store_dir).remote,
        run.fetched,
        prepared.own_model,
    )


def _to_infer(run: Run) -> int:
    """Images that go through the CNN: those of the first pass."""
    return max((step.images for step in run.plan.logical.steps if isinstance(step, Infer)), default=0)


def _stop_if_cancelled(run: Run) -> None:
    if run.cancelled.is_set():
        raise VistaCancelled("the run was cancelled before it began")
