"""What every backend does alike: the driver's side of the plan's nodes.

Reads RunInputs and a Plan, keeps Rows, quarantine, shelf and trainer. May touch: the store.
Subclasses say where the CNN runs and where its vectors lie (DESIGN.md section 10; the seam is `backend.Backend`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.backend import Wave
from vista_nb.executor.downstream.balance import balance_notes
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.leaks import leak_warnings
from vista_nb.executor.downstream.preparation import Preparation, fit_preparation, reduction_notes
from vista_nb.executor.finite import refuse_infinite
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.quarantine import Quarantine, nobodys
from vista_nb.executor.reading import FeatureReader
from vista_nb.executor.records import Rows, Structured, Vectors, join_rows, scan_rows
from vista_nb.executor.shelf import Shelf
from vista_nb.executor.training import Trainer
from vista_nb.outcome.events import LayerReused, LayerStored
from vista_nb.outcome.scores import BadImage, Comparison, RowCounts
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer, Inference, Join, Load, ScanImages, ScanStructured, Train

__all__ = ["DriverSide"]


class DriverSide:
    """One run. `rows` are the joined records that are still good, in key order."""

    def __init__(self, plan: Plan, inputs: RunInputs) -> None:
        self.plan = plan
        self.inputs = inputs
        self.workload = inputs.workload
        self.trainer = Trainer(inputs.workload, plan.physical.cpu * plan.physical.threads_per_task, inputs.own)
        self.quarantine = Quarantine(inputs.images, inputs.workload.spec.bad_images)
        self.shelf = Shelf(inputs)
        self.seconds: dict[str, float] = {}  # layer -> seconds per image of the pass that made it
        folds = inputs.workload.spec.folds is not None
        self.reader = FeatureReader(lambda layer, rows: self.vectors(layer, rows), keep=folds)
        self.preparations: dict[str, Preparation] = {}  # layer -> of the latest rows that were made ready
        self._structured: Structured | None = None
        self._rows: Rows | None = None
        self._notes: list[str] = []

    def scan_structured(self, step: ScanStructured) -> int:  # noqa: ARG002 (the protocol)
        self.trainer.check_calls()
        self._structured = scan_rows(self.inputs.structured, self.workload)
        return int(self._structured.table.num_rows)

    def scan_images(self, step: ScanImages) -> int:  # noqa: ARG002 (the protocol)
        if self.joins_late:
            self._link_rows()  # which wave first needs a photo, and whom a bad one belongs to, is known before the join
        return int(self.inputs.images.images.num_rows)

    def join(self, step: Join) -> int:  # noqa: ARG002 (the protocol)
        if self._rows is None:
            self._link_rows()
        return len(self.rows)

    @property
    def joins_late(self) -> bool:
        """Whether photos are inferred as T_img has them, and the features are joined with T_str afterwards.

        T_img is linked to labelled records already, so a late join sends no photo more through the CNN.
        """
        return self.plan.logical.inference is Inference.BEFORE_JOIN

    def _link_rows(self) -> None:
        """The joined records: key, label, split, waves and photos of each."""
        if self._structured is None:
            raise VistaRunError("VST512", "the plan joins before it scans", "please report this: it is a defect")
        if not self.inputs.images.links.num_rows:
            self.quarantine.check(0)
            raise VistaDataError("VST331", "no row of the table has an image", "check `images:` and `on:`")
        self._rows = rows = join_rows(self._structured, self.inputs.images, self.workload)
        self.trainer.check_labels(rows.labels)
        self.quarantine.check(len(rows))
        self.refuse({d: reason for d, reason in self.inputs.images.unreadable.items() if d in self.needed})
        leaks = leak_warnings(rows.table, self.workload.features, rows.labels, ~rows.test, self.workload.label)
        balance = balance_notes(rows.labels, ~rows.test)
        self._notes = [*nobodys(self.inputs.images), *rows.labels.notes, *balance, *rows.encoder.notes, *leaks]

    def load(self, step: Load) -> Sequence[LayerReused]:
        return self.shelf.load(step.layers, self.needed, raw=step.raw)

    def news(self) -> Sequence[LayerStored]:
        return self.shelf.news()

    def compare(self) -> Comparison:
        return self.trainer.compare()

    def bad_images(self) -> Sequence[BadImage]:
        return self.quarantine.images

    def row_counts(self) -> RowCounts:
        images, rows = self.inputs.images, self._rows
        counts = self._structured.counts if self._structured else RowCounts(structured=self.inputs.structured.num_rows)
        held = int(rows.test.sum()) if rows is not None else 0
        return replace(
            counts,
            images=images.links.num_rows + len(images.bad) + images.unmatched,
            joined=len(rows) if rows is not None else 0,
            no_image=images.no_image,
            unmatched_images=images.unmatched,
            bad_images=self.quarantine.rows,
            distinct_images=images.images.num_rows,
            train=len(rows) - held if rows is not None else 0,
            test=len(rows) if rows is not None and rows.folds is not None else held,
        )

    def context(self) -> tuple[str, str, float | None]:
        majority = self._rows.labels.majority if self._rows is not None and len(self._rows) else None
        return self.workload.task.value, self.workload.metric, majority

    def notes(self) -> Sequence[str]:
        """Sentences for the user: label, columns, leaks, store, fits."""
        reduced = reduction_notes(self.preparations.values(), self.workload.spec.reduce)
        return (*self._notes, *reduced, *self.shelf.told(), *self.trainer.notes)

    # -- for the result object ---------------------------------------------------------------------------------------

    def fit(self, layer: str) -> FitResult:
        """The layer's last fit. Raises VST516 where it was not trained."""
        if layer not in self.trainer.fits:
            known = ", ".join(self.trainer.fits) or "none yet"
            raise VistaRunError("VST516", f"layer {layer!r} was not trained in this run", f"there are: {known}")
        return self.trainer.fits[layer]

    def model(self, layer: str) -> object:
        """The fitted model of a layer: the engine's own object where there is one."""
        found = self.fit(layer)
        return found.native if found.native is not None else found.model

    def preparation(self, layer: str) -> Preparation:
        """What turns a new row and its photos into what the layer's model sees. Raises VST516: it was not trained."""
        self.fit(layer)
        return self.preparations[layer]

    def features(self, layer: str) -> pa.Table:
        """(key: string, vector: list<float32>), a row per joined record, in key order; views combined, not reduced."""
        rows = self.rows
        matrix = rows.matrix(self.vectors(layer, rows), self.workload.spec.views)[:, rows.x.shape[1] :]
        width = matrix.shape[1]
        flat = pa.array(matrix.ravel(), pa.float32())
        vector = pa.FixedSizeListArray.from_arrays(flat, width).cast(pa.list_(pa.float32()))
        return pa.table({"key": pa.array(rows.keys, pa.string()), "vector": vector})

    # -- for subclasses ----------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Rows:
        if self._rows is None:
            raise VistaRunError("VST512", "the plan needs rows before it joins", "please report this: it is a defect")
        return self._rows

    @property
    def needed(self) -> set[str]:
        """Digests of the joined rows."""
        return {digest for view in self.rows.digests for digest in view}

    def new_in(self, wave: Wave) -> set[str]:
        """Digests that this wave is the first to need."""
        return {digest for digest, first in self.rows.first_waves().items() if wave.low <= first < wave.high}

    def todo(self, step: Infer, wave: Wave, below: set[str]) -> set[str]:
        """Photos that a pass must take. below: those the raw layer it starts from was made for.

        Staged, the first raw layer must hold the photos of every later one, so their gaps in the store count too.
        """
        if step.start is not None and step.start != self.cut:
            return below - self.quarantine.digests
        if step.start is None and step.layers == (self.cut,):
            return self._to_cut(wave)
        later = (s for s in self._passes if s.start not in (None, self.cut))
        layers = (*step.layers, *(layer for s in later for layer in s.layers))
        found = self.shelf.missing(layers, self.new_in(wave))
        return found if step.start is None else (found & below) - self.quarantine.digests

    def _to_cut(self, wave: Wave) -> set[str]:
        """Photos whose raw tensors are made: those that the store lacks, all of them where they are to be kept."""
        cut, shelf = self.cut or "", self.shelf
        new, held = self.new_in(wave), shelf.raw_held.get(cut, set()) | shelf.raw_elsewhere.get(cut, set())
        if self.workload.kept_layer == self.cut:
            return new - held
        return self.shelf.missing([layer for s in self._passes if s.start for layer in s.layers], new) - held

    @property
    def cut(self) -> str | None:
        """The layer whose raw tensors the plan loads, or makes and keeps, and infers all else from."""
        return self.plan.logical.cut

    @property
    def _passes(self) -> list[Infer]:
        return [step for step in self.plan.logical.steps if isinstance(step, Infer)]

    def goes_on_from(self, layer: str) -> bool:
        """Whether a pass leaves this layer's raw tensors for a later one; those of the cut are there already."""
        return layer != self.cut and any(step.start == layer for step in self._passes)

    def shares(self, step: Infer, per_image: float) -> dict[str, float]:
        """Seconds per image up to each layer of a pass that took so many: lower layers would have cost less alone."""
        cnn = {layer.name: layer.seconds for layer in self.workload.cnn.layers}
        below = cnn[step.start] if step.start is not None else 0.0
        spans = {name: max(0.0, cnn[name] - below) for name in step.outputs}
        longest = max(spans.values())
        return {name: per_image * (span / longest if longest else 1.0) for name, span in spans.items()}

    def vectors(self, layer: str, rows: Rows) -> Vectors:
        """The layer's features for these rows' images. Subclasses."""
        raise NotImplementedError

    def fit_here(self, step: Train, rows: Rows, wave: Wave) -> FitResult:
        """M of a layer in the kernel; meanwhile the next layer's features are read, where the store has them all."""
        steps, digests = self.plan.logical.steps, {digest for view in rows.digests for digest in view}
        after = steps[steps.index(step) + 1 :][:1]
        following = [s.layer for s in after if isinstance(s, Train) and not self.shelf.lacking(s.layer, digests)]

        def matrix(part: Rows) -> NDArray[np.float32]:
            made = self.matrix(step.layer, part)
            for layer in following:
                self.reader.ahead(layer, part)
            return made

        return self.trainer.fit(rows, matrix, wave)

    def matrix(self, layer: str, rows: Rows) -> NDArray[np.float32]:
        """What the layer's model is trained on: the table's columns, then the photos', reduced where the spec says so.

        All that is learnt is learnt of the rows that `rows.test` leaves. Raises VST355 for values that are no numbers.
        """
        whole = rows.matrix(self.reader.vectors(layer, rows), self.workload.spec.views)
        pa.default_memory_pool().release_unused()  # Arrow keeps what it read, and the fit comes on top
        refuse_infinite(whole, layer, rows, self.inputs.images)
        return self.made_ready(layer, rows, whole).reduced(whole)

    def made_ready(self, layer: str, rows: Rows, whole: NDArray[np.float32] | None = None) -> Preparation:
        """The layer's preparation, kept for new rows. whole: of `Rows.matrix`; not needed where nothing is reduced."""
        spec = self.workload.spec
        self.preparations[layer] = made = fit_preparation(
            layer,
            rows.encoder,
            whole,
            ~rows.test,
            width=self.shelf.facts(layer).width,
            photos=len(rows.digests),
            views=spec.views,
            components=spec.reduce,
            seed=spec.seed,
        )
        return made

    def refuse(self, reasons: dict[str, str]) -> None:
        """Take unreadable images' rows out; too many, or `bad_images: fail`, ends the run."""
        if not reasons:
            return
        rows = self.rows
        links = [
            (key, view, digest)
            for view, digests in enumerate(rows.digests)
            for key, digest in zip(rows.keys, digests, strict=True)
            if digest in reasons
        ]
        before = len(rows) + self.quarantine.rows - len({bad.key for bad in self.inputs.images.bad})
        self.quarantine.add(reasons, links)
        self.quarantine.check(before)
        self._rows = rows.without(self.quarantine.digests)

    def source(self, layer: str) -> str:
        """`reused` where no image of this layer was inferred in this run."""
        there = layer in self.shelf.reused or layer in self.shelf.elsewhere
        return "reused" if there and layer not in self.seconds else "computed"
