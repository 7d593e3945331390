"""The engine: a plan's steps on Spark, with TensorFlow in its Python workers.

Reads RunInputs and a Plan, keeps persisted DataFrames, returns counts and scores. May touch: the Spark session, the
store, the artifact cache. DESIGN.md section 10. Pooling pushed down persists vectors, and beside them the raw tensors
that a later pass starts from; pulled up it persists raw tensors T_i and pools them in a pass of their own. Raw
tensors are released at their last use.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaCancelled, VistaRunError
from vista_nb.executor.artifacts_beside import Artifacts
from vista_nb.executor.backend import Progress, Wave
from vista_nb.executor.base import DriverSide
from vista_nb.executor.cnn.devices import gpu_share
from vista_nb.executor.cnn.usage import PassUsage
from vista_nb.executor.cnn.worker import InferenceTask, PoolTask
from vista_nb.executor.descent import Descent
from vista_nb.executor.downstream.tuning import FitCalls
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.memory_tier import MemoryTier
from vista_nb.executor.photo_tables import check_opened
from vista_nb.executor.records import Rows, Vectors
from vista_nb.executor.region_guard import RegionGuard
from vista_nb.executor.shipping import ship_artifact, ship_package, slots
from vista_nb.executor.spark_collect import Made, collect_vectors
from vista_nb.executor.spark_errors import translated
from vista_nb.executor.spark_infer import PassResult, infer_pass, pool_pass, storage_level
from vista_nb.executor.spark_memory import Borrowed, borrow, leave_raw, leave_vectors
from vista_nb.executor.spark_raw import Raw, only, save_tensors, with_stored
from vista_nb.executor.spark_save import save_beside, save_vectors
from vista_nb.executor.spark_session import cancel_group, run_session
from vista_nb.executor.spark_tables import all_images, digest_frame, every_vector, needed_images, split_rows
from vista_nb.executor.spark_train import fits_on_cluster
from vista_nb.executor.spark_warm import WarmUp
from vista_nb.outcome.events import LayerReused
from vista_nb.outcome.scores import LayerScore
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import (
    Infer,
    Join,
    Load,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.physical import TrainingSite
from vista_nb.plan.titles import step_title

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["SparkBackend"]


class SparkBackend(DriverSide):
    """One run on one session. All methods but `cancel` are called from the run's own thread."""

    def __init__(self, session: SparkSession, plan: Plan, inputs: RunInputs, cancelled: threading.Event) -> None:
        super().__init__(plan, inputs)
        self.session = run_session(session, plan, inputs.workload)
        self.cancelled = cancelled
        ship_package(self.session)
        self.group = f"vista-{inputs.run}-{uuid.uuid4().hex[:8]}"
        self._physical = plan.physical
        self.say: Callable[[str], None] = lambda _: None  # the line for the panel, at once
        self.guard = RegionGuard(plan.memory, lambda: cancel_group(self.session, self.group))
        self._descent = Descent(self.session, plan, self.guard, cancelled, self._tell)
        self._warming = WarmUp()
        self._images: DataFrame | None = None
        self._raw: dict[str, Raw] = {}
        self._made: dict[str, list[Made]] = {}  # layer -> what this run inferred, by wave
        self._persisted: list[DataFrame] = []
        self.tier, self.room = MemoryTier(), 0  # the session's, and the bytes of it that this plan leaves
        self._borrowed: list[Borrowed] = []
        self._artifacts = Artifacts(plan, inputs, cancelled)
        self.usage: list[PassUsage] = []  # what the passes needed, for the next plan

    # -- the plan's nodes --------------------------------------------------------------------------------------------

    def scan_structured(self, step: ScanStructured) -> int:
        self._warm_up()
        if self._physical.training is TrainingSite.CLUSTER:
            self.trainer.check_on_cluster()
        return super().scan_structured(step)

    def scan_images(self, step: ScanImages) -> int:
        images = super().scan_images(step)
        if self.joins_late:
            self._artifacts.begin()
        return images

    def join(self, step: Join) -> int:
        rows = super().join(step)
        if not self.joins_late and self._artifacts.begin():
            # with everything stored no photo is looked at, and Spark has nothing to join
            with self._stage(step_title(step)):
                self._photos().count()
        return rows

    def load(self, step: Load) -> Sequence[LayerReused]:
        """From disk, and what only Storage Memory has."""
        found = list(super().load(step))
        for layer in self.shelf.repooled.keys() & set(step.layers):
            table = self.shelf.repooled[layer]
            self._made.setdefault(layer, []).append(Made(self.session.createDataFrame(table), None))
        for part in borrow(step, self.needed, self.shelf, self.tier):
            self._borrowed.append(part)
            there = self.shelf.raw_elsewhere if step.raw else self.shelf.elsewhere
            there.setdefault(part.layer, set()).update(part.digests)
            if not step.raw:
                view = only(part.view, part.digests)
                self._made.setdefault(part.layer, []).append(Made(view, None, part.digests))
            found.append(part.event)
        return found

    def infer(self, step: Infer, wave: Wave, progress: Progress) -> int:
        below = self._below(step.start, wave)
        todo = self.todo(step, wave, below.digests if below else set())
        if not todo:
            return 0
        with self._stage(step_title(step)):
            before = self._descent.rung
            result = self._pass(step, wave, todo, progress)
            batch = self._descent.physical.batch_size
            if self._descent.rung == before:  # else its workers ran under more than one batch size
                self.usage.append(PassUsage(step.outputs, step.start, step.pooled, batch, result.usage))
            self._keep(step, result, todo)
        check_opened(self.session, self.inputs.images.images, result.reasons)
        self.refuse(result.reasons)
        return result.images

    def pool(self, step: Pool, wave: Wave) -> int:
        raw = self._below(step.layer, wave)
        if raw is None:
            return 0  # nothing was left to infer
        with self._stage(step_title(step)):
            task = PoolTask(step.layer, self.workload.pool)
            given = raw.frame.where("error is null")
            if step.layer == self.cut:
                given = only(given, self.shelf.missing([step.layer], raw.digests))
            pooled = self._kept(pool_pass(given, task, self._physical.persistence, self._attempt(step)))
            self._made.setdefault(step.layer, []).append(Made(pooled, pooled, frozenset(raw.digests)))
            return int(pooled.count())

    def save(self, step: Save, wave: Wave) -> int:
        with self._stage(step_title(step)):
            if step.raw:
                layer = step.layers[0]
                return save_tensors(self.shelf, layer, self._raw.get(layer), self.seconds.get(layer, 0.0))
            made = {layer: self._made[layer][-1:] for layer in step.layers if self._made.get(layer)}
            whole = save_vectors(self.shelf, made, self.seconds, self._at_once)
            # the driver reads the store: Storage Memory is free for the next layer
            done = step.layers if whole and self._physical.training is TrainingSite.DRIVER else ()
            if wave.last:  # nobody waits for them: one part each, not one a wave
                aside = {layer: self._made[layer] for layer in step.beside if self._made.get(layer)}
                save_beside(self.shelf, aside, self.seconds, self._at_once)
                done = (*done, *step.beside)
            self._forget(done)
        return max((len(self.shelf.held.get(layer, ())) for layer in step.layers), default=0)

    def train_baselines(self, step: TrainBaselines, wave: Wave) -> Sequence[LayerScore]:
        with self._stage(step_title(step)):
            return self.trainer.baselines(self.rows.below(wave.high), self._table_fits, wave)

    def train(self, step: Train, wave: Wave) -> LayerScore:
        rows = self.rows.below(wave.high)
        with self._stage(step_title(step)):
            if self._physical.training is TrainingSite.CLUSTER:
                fit = self.trainer.trained(rows, wave, partial(self._cluster_fits, step.layer))
            else:
                fit = self.fit_here(step, rows, wave)
        return self.trainer.scored(step.layer, fit, wave, self.source(step.layer))

    def release(self, step: Release, wave: Wave) -> None:  # noqa: ARG002 (the protocol)
        raw = self._raw.pop(step.layer, None)
        if raw is None:
            return
        raw.waiting.discard(step.layer)
        if not raw.waiting:
            with self._stage(step_title(step)):
                self._vectors_alone(raw.frame)
            if leave_raw(self.tier, self.room, raw, self.shelf, self.inputs.run, self.seconds):
                self._persisted = [kept for kept in self._persisted if kept is not raw.frame]
            else:
                self._drop(raw.kept)

    def cancel(self) -> None:
        self.cancelled.set()
        cancel_group(self.session, self.group, for_good=True)

    @property
    def wanted(self) -> set[str]:
        """Keys of what the plan may take from Storage Memory."""
        steps = [step for step in self.plan.logical.steps if isinstance(step, Load) and step.memory]
        facts_of = {True: self.shelf.raw_facts, False: self.shelf.facts}
        return {facts_of[step.raw](layer).key for step in steps for layer in step.layers}

    def leave(self) -> None:
        """At the end of a run that went well: features that the disk did not take stay for later cells."""
        parts = [(layer, m.vectors, m.base, m.digests) for layer, made in self._made.items() for m in made]
        left = leave_vectors(self.tier, self.room, parts, self.shelf, self.inputs.run, self.seconds)
        self._persisted = [kept for kept in self._persisted if not any(kept is other for other in left)]

    def close(self) -> None:
        """Give Storage Memory back; what was saved stays readable from the store. Callable more than once."""
        for frame in list(self._persisted):
            self._drop(frame)
        self._raw.clear()
        self._made.clear()
        self._artifacts.close()
        self.reader.close()
        self.shelf.close()

    def vectors(self, layer: str, rows: Rows) -> Vectors:
        """From the store what it holds, the rest (where saving failed) straight from Spark."""
        digests = {digest for view in rows.digests for digest in view}
        stored = self.shelf.read(layer, digests)
        if len(stored.digests) == len(digests) or layer not in self._made:
            return stored
        width = self.shelf.facts(layer).width
        parts = [part.vectors for part in self._made[layer]]
        return stored + Vectors.of(collect_vectors(parts, width), width)

    # -- inference ---------------------------------------------------------------------------------------------------

    def _attempt(self, step: Step) -> Callable[[Callable[[], Any]], Any]:
        """Runs a step's job, after memory trouble again and milder."""
        return lambda action: self._descent.run(action, step_title(step))

    def _tell(self, text: str) -> None:
        self._notes.append(text)
        self.say(text)

    def _pass(self, step: Infer, wave: Wave, todo: set[str], progress: Progress) -> PassResult:
        self._warming.join()  # a task beside it would find its worker busy, and start one that is not planned
        task = self._task(step, ship_artifact(self.session, self._artifacts.of(step).result()))
        given = self._given(step, wave, todo)
        return infer_pass(given, task, len(todo), self._physical.persistence, progress, self._attempt(step))

    def _task(self, step: Infer, artifact: str) -> InferenceTask:
        """What a worker must know of the step."""
        cnn, physical = self.workload.cnn, self._physical
        return InferenceTask(
            artifact, cnn.input_height, cnn.input_width, cnn.preprocessing, step.outputs,
            step.start, step.pooled, physical.batch_size, physical.threads_per_task, channels=cnn.channels,
            onward=step.pooled and any(map(self.goes_on_from, step.layers)),
            gpu_memory=gpu_share(self.workload.spec.resources.gpu_memory or 0, physical.cpu),
            model_bytes=cnn.serialized,
        )  # fmt: skip

    def _warm_up(self) -> None:
        """The workers of the first pass from photos start now, beside reading and joining."""
        first = next((s for s in self._artifacts.busy if s.start is None), None)
        if first is not None:
            task, workers = self._task(first, ""), self._physical.cpu
            ready = self._artifacts.of(first).result
            self._warming.start(self.session, self.group, workers, task, ready, self.cancelled)

    def _photos(self) -> DataFrame:
        """The photos of the joined records, joined in Spark once; or, where the join comes late, all of T_img."""
        if self._images is None and self.joins_late:
            self._images = all_images(self.session, self.rows.first_waves(), self.inputs.images)
        elif self._images is None:
            self._images = needed_images(self.session, self.rows, self.inputs.images, self._physical)
            if "path" in self._images.columns:  # small; photo bytes are better read anew than kept twice
                self._images = self._kept(self._images.persist())
        return self._images

    def _given(self, step: Infer, wave: Wave, todo: set[str]) -> DataFrame:
        """What goes into the CNN: photos of this wave that the store lacks, or the raw layer below."""
        if step.start is not None:
            raw = self._raw[step.start]
            given = raw.frame.where("error is null").select("digest", "tensors")
            return only(given, todo) if len(todo) < len(raw.digests) else given
        photos = self._photos().where(f"wave >= {wave.low!r} and wave < {wave.high!r}").drop("wave")
        if self.quarantine.digests or len(todo) < len(self.new_in(wave)):
            from pyspark.sql.functions import broadcast

            photos = photos.join(broadcast(digest_frame(self.session, todo)), "digest", "left_semi")
        return split_rows(photos, self._physical, slots(self.session))

    def _keep(self, step: Infer, result: PassResult, todo: set[str]) -> None:
        """Pooled output: one (digest, vector) view per layer on the one table. Raw output: until released."""
        frame, rows = self._kept(result.frame), result.good
        self.seconds |= self.shares(step, result.seconds / max(1, result.images))
        waiting = {layer for layer in step.layers if not step.pooled or self.goes_on_from(layer)}
        good = frozenset(todo - result.reasons.keys())
        raw = Raw(frame, set(good), waiting, layers=tuple(waiting))
        for place, layer in enumerate(step.outputs):
            if step.pooled:
                view = rows.selectExpr("digest", f"f{place} as vector")
                self._made.setdefault(layer, []).append(Made(view, frame, good, (rows, f"f{place}")))
            if not step.pooled or self.goes_on_from(layer):
                self._raw[layer] = raw

    def _below(self, layer: str | None, wave: Wave) -> Raw | None:
        """The raw tensors of a layer that are alive; of the cut also those that the store holds, read when used."""
        raw = self._raw.get(layer or "")
        if layer is None or layer != self.cut or (raw is not None and raw.with_stored):
            return raw
        kept = [part for part in self._borrowed if part.event.raw]
        raw = with_stored(raw, layer, self.new_in(wave), self.shelf, self.session, self._physical, kept)
        if raw is not None:
            self._raw[layer] = raw
        return raw

    # -- vectors -----------------------------------------------------------------------------------------------------

    @property
    def _at_once(self) -> int:
        """Values that the kernel has room for: of the widest layer's training matrix."""
        return len(self.rows) * max(self.shelf.facts(layer).width for layer in self.plan.layers)

    def _forget(self, layers: Sequence[str]) -> None:
        """Tables go that no other layer, raw or pooled, is read from."""
        gone: list[Made] = []
        for layer in layers:
            parts = self._made.pop(layer, [])
            gone += [made for made in parts if made.base is not None]
            borrowed = [made for made in parts if made.base is None]  # the store does not have it
            self._made |= {layer: borrowed} if borrowed else {}
        used = [raw.frame for raw in self._raw.values()] + [m.base for parts in self._made.values() for m in parts]
        for made in gone:
            if made.base is not None and not any(frame is made.base for frame in used):
                self._drop(made.base)

    def _vectors_alone(self, base: DataFrame) -> None:
        """Vectors that lie beside the raw tensors of `base`, and are still needed, into a table of their own."""
        for parts in self._made.values():
            for place, made in enumerate(parts):
                if made.base is base:
                    own = self._kept(made.vectors.persist(storage_level(self._physical.persistence)))
                    own.count()
                    parts[place] = Made(own, own, made.digests)

    def _vectors_frame(self, layer: str) -> DataFrame:
        """(digest, vector) of every good photo, in Spark: this run's frames, and the store's rows for the rest."""
        files = self.shelf.paths(layer) if layer in self.shelf.reused else []
        made = [part.vectors for part in self._made.get(layer, [])]
        if not made and not files:
            raise VistaRunError("VST513", f"layer {layer} has no features", "please report this: it is a defect")
        return every_vector(self.session, files, made)

    # -- training ----------------------------------------------------------------------------------------------------

    def _table_fits(self, part: Rows) -> AbstractContextManager[FitCalls]:
        """M on the structured features of one split, at the plan's site."""
        if self._physical.training is TrainingSite.CLUSTER:
            return self._fits(part, None, "")
        return self.trainer.on_driver(part, part.x)

    def _cluster_fits(self, layer: str, part: Rows) -> AbstractContextManager[FitCalls]:
        """With `reduce` the driver learns the components of the train rows, and Spark gets the short vectors."""
        if self.workload.spec.reduce is not None:
            return self._fits(replace(part, x=self.matrix(layer, part)), None, layer)
        self.made_ready(layer, part)
        return self._fits(part, self._vectors_frame(layer), layer)

    def _fits(self, part: Rows, vectors: DataFrame | None, layer: str) -> AbstractContextManager[FitCalls]:
        own = self.inputs.own
        return fits_on_cluster(self.session, part, vectors, self.workload, self._physical, layer=layer, own=own)

    # -- Spark -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _stage(self, title: str) -> Iterator[None]:
        """Jobs of this thread belong to the run's group; what Spark raises becomes a coded error."""
        if self.cancelled.is_set():
            raise VistaCancelled("the run was cancelled")
        try:
            self.session.sparkContext.setJobGroup(self.group, f"vista_nb: {title}", interruptOnCancel=True)
            yield
        except KeyboardInterrupt:
            raise
        except Exception as error:
            raise translated(error, title, self._descent.memory_killed()) from error

    def _kept(self, frame: DataFrame) -> DataFrame:
        self._persisted.append(frame)
        return frame

    def _drop(self, frame: DataFrame) -> None:
        self._persisted = [kept for kept in self._persisted if kept is not frame]
        with suppress(Exception):  # a stopped session has dropped it already
            frame.unpersist()
