"""The store as one run sees it: which images each layer has, what was reused, and where new features go.

Reads RunInputs, returns Vectors and LayerReused events. May touch: the materialization store (DESIGN.md section 9).
A store that cannot be written costs a note, never the run.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa

from vista_nb.errors import VistaStoreError
from vista_nb.executor.cnn.pooling import pooled_length
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.records import Vectors
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.fingerprint import preprocessing_key
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

__all__ = ["Shelf"]


class Shelf:
    """held[layer]: digests this run may read from the store, loaded or saved by itself."""

    def __init__(self, inputs: RunInputs) -> None:
        self._inputs = inputs
        self._store = Store(inputs.store_dir)
        self.held: dict[str, set[str]] = {}
        self.reused: set[str] = set()
        self.notes: list[str] = []

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

    def load(self, layers: Iterable[str], needed: Collection[str]) -> list[LayerReused]:
        """Take what the store holds of these layers for the needed images; one event per layer."""
        events = []
        for layer in layers:
            key = self.facts(layer).key
            try:
                self.notes.extend(self._store.verify(key))
                found = self._store.digests(key).intersection(needed)
                known = self._store.lookup(key)
            except VistaStoreError as error:
                self.notes.append(f"the store was not used: {error.message}")
                continue
            if known is None or not found:
                continue
            self.held.setdefault(layer, set()).update(found)
            self.reused.add(layer)
            size = known.size * len(found) // max(1, known.rows)
            saved = known.seconds_per_image * len(found)
            age = max(0.0, time.time() - known.created)
            events.append(
                LayerReused(
                    layer=layer, run=known.run, rows=len(found), size=size, age_seconds=age, saved_seconds=saved
                )
            )
        return events

    def missing(self, layers: Sequence[str], needed: Iterable[str]) -> set[str]:
        """The needed images that lack at least one of the layers."""
        return {digest for digest in needed if any(digest not in self.held.get(layer, ()) for layer in layers)}

    def lacking(self, layer: str, digests: Iterable[str]) -> set[str]:
        return self.missing((layer,), digests)

    def read(self, layer: str, digests: Collection[str]) -> Vectors:
        """Vectors of held images. Raises VST611 where the store lost them meanwhile."""
        facts = self.facts(layer)
        wanted = self.held.get(layer, set()).intersection(digests)
        result = self._store.read(facts.key, wanted) if wanted else None
        self.notes.extend(result.notes if result else ())
        rows = result.table.num_rows if result else 0
        if rows < len(wanted):
            message = f"the store lost {len(wanted) - rows} of {len(wanted)} images of layer {layer} during the run"
            raise VistaStoreError("VST611", message, "run the cell again: what is missing is inferred again")
        return Vectors.of(result.table if result else schema().empty_table(), facts.width)

    def paths(self, layer: str) -> list[str]:
        """Parquet files of a layer, for an engine that reads them itself."""
        return [str(path) for path in self._store.paths(self.facts(layer).key)]

    def save(self, layer: str, table: pa.Table, seconds_per_image: float) -> int:
        """Keep (digest, vector) rows; the number kept, 0 where the store refused (noted)."""
        if not table.num_rows:
            return 0
        try:
            self._store.write_table(self.facts(layer), table, self._inputs.run, seconds_per_image)
        except VistaStoreError as error:
            note = f"features were not kept: {error.message}"
            if note not in self.notes:
                self.notes.append(note)
            return 0
        self.held.setdefault(layer, set()).update(table.column("digest").to_pylist())
        return int(table.num_rows)
