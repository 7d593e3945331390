"""The store as one run sees it: which images each layer has, what was reused, where new features and raw tensors go.

Reads RunInputs, returns Vectors and LayerReused events. May touch: the materialization store (DESIGN.md section 9).
A store that cannot be written costs a note, never the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.catalog.poolings import poolings_holding
from vista_nb.errors import VistaStoreError
from vista_nb.executor.cnn.pooling import pooled_again, pooled_length
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.records import Vectors
from vista_nb.outcome.events import LayerReused, LayerStored
from vista_nb.plan.fingerprint import preprocessing_key, raw_pooling
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.notes import waiting_notes
from vista_nb.store.parts import schema
from vista_nb.units import format_bytes, format_seconds

__all__ = ["Shelf"]


class Shelf:
    """held[layer]: digests this run may read from the store, loaded or saved by itself; raw_held: of raw tensors."""

    def __init__(self, inputs: RunInputs) -> None:
        self._inputs = inputs
        self._store = Store(inputs.store_dir, inputs.store_budget, of_run=True, remote=inputs.store_remote)
        self.held: dict[str, set[str]] = {}
        self.raw_held: dict[str, set[str]] = {}
        self.reused: set[str] = set()
        self.elsewhere: dict[str, set[str]] = {}  # of each layer the photos whose rows lie in Storage Memory alone
        self.raw_elsewhere: dict[str, set[str]] = {}
        self.repooled: dict[str, pa.Table] = {}  # made of another pooling, where the store has no room
        self.beside_seconds = 0.0  # of the rows kept for later cells: collecting and writing them
        self._beside: dict[str, int] = {}  # layer -> bytes
        self._stored: list[LayerStored] = []  # what nobody was told of yet
        self.notes: list[str] = list(waiting_notes(inputs.store_dir))  # of planning, which has nobody to tell

    def facts(self, layer: str) -> LayerSetFacts:
        """What the layer set is keyed by; its vectors' length."""
        work = self._inputs.workload
        cnn, facts = work.cnn, work.cnn.layer(layer)
        assert facts is not None
        return LayerSetFacts(
            model_digest=self._inputs.model.digest,
            cnn=cnn.name,
            preprocessing=preprocessing_key(cnn.preprocessing, cnn.input_height, cnn.input_width, cnn.channels),
            layer=layer,
            pooling=work.pool.value,
            precision=work.precision.value,
            width=pooled_length(facts.shape, work.pool),
        )

    def raw_facts(self, layer: str) -> LayerSetFacts:
        """The same of the layer's raw tensors: a set of its own for each cut, whatever the pooling."""
        facts = self._inputs.workload.cnn.layer(layer)
        assert facts is not None
        return replace(self.facts(layer), pooling=raw_pooling(facts), width=facts.stored_length)

    def load(self, layers: Iterable[str], needed: Collection[str], *, raw: bool = False) -> list[LayerReused]:
        """Take what the store holds of these layers for the needed images; one event per layer."""
        events: list[LayerReused] = []
        for layer in layers:
            key = (self.raw_facts(layer) if raw else self.facts(layer)).key
            try:
                found = self._store.take(key, needed)
                known = self._store.lookup(key)
            except VistaStoreError as error:
                self.notes.append(f"the store was not used: {error.message}")
                continue
            if not raw:
                events.extend(self._of_other_poolings(layer, set(needed) - found))
            if known is None or not found:
                continue
            (self.raw_held if raw else self.held).setdefault(layer, set()).update(found)
            if not raw:
                self.reused.add(layer)
            size = known.size * len(found) // max(1, known.rows)
            saved = known.seconds_per_image * len(found)
            age = max(0.0, time.time() - known.created)
            event = LayerReused(layer=layer, run=known.run, rows=len(found), size=size, raw=raw)
            events.append(replace(event, age_seconds=age, saved_seconds=saved, remote=key in self._inputs.fetched))
        return events

    def _of_other_poolings(self, layer: str, lacking: set[str]) -> Iterator[LayerReused]:
        """Rows that follow from the features of another pooling: made now, and kept as if they had been inferred."""
        work = self._inputs.workload
        shape = next(known.shape for known in work.cnn.layers if known.name == layer)
        for pooling in poolings_holding(shape, work.pool) if lacking else ():
            facts = replace(self.facts(layer), pooling=pooling.value, width=pooled_length(shape, pooling))
            try:
                found, known = self._store.take(facts.key, lacking), self._store.lookup(facts.key)
                rows = Vectors.of(self._store.read(facts.key, found).table, facts.width)
            except VistaStoreError:
                continue  # what is not found is inferred
            if known is None or not rows.digests:
                continue
            matrix = pooled_again(rows.at(rows.digests), shape, work.pool)
            seconds = known.seconds_per_image
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel(), pa.float32()), matrix.shape[1])
            table = pa.table({"digest": list(rows.digests), "vector": vectors}).cast(schema())
            if not self.save(layer, table, seconds):  # no room: this run has them all the same
                self.repooled[layer] = pa.concat_tables([self.repooled.get(layer, schema().empty_table()), table])
                self.elsewhere.setdefault(layer, set()).update(rows.digests)
            lacking = lacking - set(rows.digests)
            self.reused.add(layer)
            event = LayerReused(layer=layer, run=known.run, rows=len(rows.digests), size=table.nbytes)
            age = max(0.0, time.time() - known.created)
            saved = seconds * len(rows.digests)
            event = replace(event, pooling=pooling.value, remote=facts.key in self._inputs.fetched)
            yield replace(event, age_seconds=age, saved_seconds=saved)

    def missing(self, layers: Sequence[str], needed: Iterable[str]) -> set[str]:
        """The needed images of which at least one of the layers is neither on disk nor in Storage Memory."""
        there = [self.held.get(layer, set()) | self.elsewhere.get(layer, set()) for layer in layers]
        return {digest for digest in needed if any(digest not in rows for rows in there)}

    def lacking(self, layer: str, digests: Iterable[str]) -> set[str]:
        """Those that this layer's set on disk lacks."""
        return set(digests) - self.held.get(layer, set())

    def goes_on_alone(self, layer: str) -> bool:
        """Whether the layer's own tensor is enough to go on from."""
        facts = self._inputs.workload.cnn.layer(layer)
        return facts is not None and not facts.cut

    def read(self, layer: str, digests: Collection[str]) -> Vectors:
        """Vectors of held images. Raises VST611 where the store lost them meanwhile."""
        facts = self.facts(layer)
        wanted = self.held.get(layer, set()).intersection(digests)
        result = self._store.read(facts.key, wanted) if wanted else None
        rows = result.table.num_rows if result else 0
        if rows < len(wanted):
            message = f"the store lost {len(wanted) - rows} of {len(wanted)} images of layer {layer} during the run"
            raise VistaStoreError("VST611", message, "run the cell again: what is missing is inferred again")
        tables = [result.table if result else schema().empty_table()]
        if layer in self.repooled:
            tables.append(self.repooled[layer].filter(pc.is_in(self.repooled[layer].column("digest"), _set(digests))))
        return Vectors.of(pa.concat_tables(tables), facts.width)

    def paths(self, layer: str) -> list[str]:
        """Parquet files of a layer, for an engine that reads them itself."""
        return [str(path) for path in self._store.paths(self.facts(layer).key, self.held.get(layer, ()))]

    def save(self, layer: str, table: pa.Table, seconds_per_image: float) -> int:
        """Keep (digest, vector) rows; the number kept, 0 where the store refused (noted)."""
        if not table.num_rows:
            return 0
        try:
            written = self._store.write_table(self.facts(layer), table, self._inputs.run, seconds_per_image)
        except VistaStoreError as error:
            note = f"features were not kept ({error.code}): {error.message}"
            if note not in self.notes:
                self.notes.append(note)
            return 0
        self._stored.append(LayerStored(layer=layer, rows=table.num_rows, size=written.parts[-1].bytes))
        self.held.setdefault(layer, set()).update(table.column("digest").to_pylist())
        return int(table.num_rows)

    def told(self) -> tuple[str, ...]:
        """Sentences about the store, for the user. The run is over: what goes to the remote store has gone."""
        sent = self._store.settle()
        return tuple(dict.fromkeys((*self.notes, *self._store.notes(), *self._beside_notes(), *sent)))

    def stop_sending(self) -> None:
        """Nothing more goes to the remote store. From any thread."""
        self._store.stop_sending()

    def news(self) -> tuple[LayerStored, ...]:
        """What was stored since the last call."""
        told, self._stored = tuple(self._stored), []
        return told

    def close(self) -> None:
        """Other kernels may evict what this run read and wrote."""
        self._store.close()

    def save_beside(self, layer: str, table: pa.Table, seconds_per_image: float) -> None:
        """Keep rows of a layer that nobody asked for, for later cells, where that evicts nothing and others lack it."""
        facts = self.facts(layer)
        try:
            known = self._store.digests(facts.key)
            fresh = [digest not in known for digest in table.column("digest").to_pylist()]
            table = table if all(fresh) else table.filter(pa.array(fresh, pa.bool_()))
            if not table.num_rows or table.nbytes > self._store.spare():
                return
            size = self._store.write_table(facts, table, self._inputs.run, seconds_per_image).parts[-1].bytes
        except VistaStoreError:
            return  # nobody waits for it: what was asked for says what is wrong with the store
        self._beside[layer] = self._beside.get(layer, 0) + size
        self._stored.append(LayerStored(layer=layer, rows=table.num_rows, size=size, later=True))

    def _beside_notes(self) -> tuple[str, ...]:
        """What was kept for later cells, at which cost; nothing where nothing was."""
        if not self._beside:
            return ()
        size, seconds = format_bytes(sum(self._beside.values())), format_seconds(self.beside_seconds)
        return (f"kept for later cells: {', '.join(sorted(self._beside))} ({size}, written in {seconds})",)

    # -- raw tensors ---------------------------------------------------------------------------------------------------

    def raw_paths(self, layer: str) -> tuple[list[str], bool]:
        """Parquet files of a layer's raw tensors, and whether a digest stands in two of them."""
        key = self.raw_facts(layer).key
        paths = [str(path) for path in self._store.paths(key, self.raw_held.get(layer, ()))]
        known = self._store.lookup(key)
        return paths, known is not None and len(self._store.digests(key)) < known.rows

    def read_raw(self, layer: str, digests: Collection[str]) -> pa.Table:
        """(digest, tensors) of held images, on the driver: for the reference backend."""
        wanted = self.raw_held.get(layer, set()).intersection(digests)
        result = self._store.read(self.raw_facts(layer).key, wanted)
        return result.table

    def raw_lacking(self, layer: str, digests: Iterable[str]) -> set[str]:
        """The images whose raw tensors the store does not have whole, whoever made those it has."""
        key = self.raw_facts(layer).key
        try:
            return set(digests) - self._store.take(key, digests)
        except VistaStoreError:
            return set(digests)

    def save_raw(
        self, layer: str, digests: Collection[str], write: Callable[[Path], Sequence[Path]], seconds_per_image: float
    ) -> int:
        """Keep the raw tensors of `digests`, which `write` puts as part files into the folder it is given.

        The number kept; 0 where the store or the disk has no room for them (noted): the run has them all the same.
        """
        facts = self.raw_facts(layer)
        try:
            stage = self._store.stage(4 * facts.width * len(digests), raw=True)
            try:
                paths = write(stage)
                size = sum(path.stat().st_size for path in paths)
                self._store.commit(facts, paths, self._inputs.run, seconds_per_image)
            finally:
                self._store.release(stage)
        except VistaStoreError as error:
            note = f"raw tensors of {layer} were not kept ({error.code}): {error.message}"
            if note not in self.notes:
                self.notes.append(note)
            return 0
        self._stored.append(LayerStored(layer=layer, rows=len(digests), size=size, raw=True))
        return len(digests)


def _set(digests: Collection[str]) -> pa.Array:
    return pa.array(sorted(digests), pa.string())
