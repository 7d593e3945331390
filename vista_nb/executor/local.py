"""The reference backend: a plan run in numpy, in milliseconds, with a small CNN that is only arithmetic.

Reads RunInputs and a Plan, keeps everything in memory. May touch: image files, the store. No Spark, no TensorFlow.
It answers what a plan means (waves, release, reuse, quarantine), so engines can be held against it. Its CNN: a photo
becomes an 8 x 8 grid of colours; each layer is tanh of a fixed random projection of the layer below, in the
shape the workload names. So a layer computed from the layer below equals the layer computed from the photo.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.catalog.roster import LayerFacts
from vista_nb.errors import VistaRunError
from vista_nb.executor.backend import Progress, Wave
from vista_nb.executor.cnn.decode import BadImageError, decode
from vista_nb.executor.cnn.pooling import pool_array
from vista_nb.executor.cnn.tensors import from_arrow, tensors_column, to_array
from vista_nb.executor.driver_backend import DriverBackend
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.records import Rows, Vectors
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer, Pool, Release, Save
from vista_nb.store.parts import write_part

__all__ = ["GRID", "LocalBackend"]

GRID = 8
_Tensors = dict[str, NDArray[np.float32]]


class LocalBackend(DriverBackend):
    """`raw` and `pooled` hold digest -> array by layer, so tests can see what is live."""

    def __init__(self, plan: Plan, inputs: RunInputs) -> None:
        super().__init__(plan, inputs)
        self.raw: dict[str, _Tensors] = {}
        self.pooled: dict[str, _Tensors] = {}
        self.cancels = 0

    def infer(self, step: Infer, wave: Wave, progress: Progress) -> int:
        began = time.perf_counter()
        self._load_cut(step.start, wave)
        todo = sorted(self.todo(step, wave, set(self.raw.get(step.start or "", {}))))
        found: dict[str, _Tensors] = {name: {} for name in step.outputs}
        reasons: dict[str, str] = {}
        for done, digest in enumerate(todo, 1):
            self._forward(step, digest, found, reasons)
            progress(done, len(todo))
        for name, tensors in found.items():
            self._keep(name, tensors, pooled=step.pooled)
            if step.pooled and self.goes_on_from(name):
                self.raw[name] = tensors
        self.seconds |= self.shares(step, (time.perf_counter() - began) / max(1, len(todo)))
        self.refuse(reasons)
        return len(todo)

    def pool(self, step: Pool, wave: Wave) -> int:
        self._load_cut(step.layer, wave)
        tensors = self.raw.get(step.layer)
        if tensors is None:
            raise VistaRunError("VST512", f"{step.layer} is pooled before it is inferred", "a defect: please report it")
        self._keep(step.layer, tensors, pooled=False, pool=True)
        return len(tensors)

    def save(self, step: Save, wave: Wave) -> int:
        if step.raw:
            return self._save_raw(step.layers[0])
        kept = sum(self._save(layer) for layer in step.layers)
        for layer in step.beside if wave.last else ():  # after what was asked for, of all waves
            made = self.pooled.pop(layer, {})
            self.shelf.save_beside(layer, _vectors_table(made, sorted(made)), self.seconds.get(layer, 0.0))
        return kept

    def release(self, step: Release, wave: Wave) -> None:  # noqa: ARG002 (the protocol)
        if self.raw.pop(step.layer, None) is None:
            raise VistaRunError("VST512", f"{step.layer} is released twice", "please report this: it is a defect")

    def cancel(self) -> None:
        self.cancels += 1

    def vectors(self, layer: str, rows: Rows) -> Vectors:
        digests = sorted({digest for view in rows.digests for digest in view})
        made = self.pooled.get(layer, {})
        stored = self.shelf.read(layer, set(digests) - made.keys())
        fresh = [digest for digest in digests if digest in made]
        block = np.array([made[d] for d in fresh], np.float32).reshape(-1, stored.width)
        return stored + Vectors(tuple(fresh), (block,), stored.width)

    def _forward(self, step: Infer, digest: str, found: dict[str, _Tensors], reasons: dict[str, str]) -> None:
        """From the photo, or from the raw layer below, up to the wanted layers."""
        chain = self.workload.cnn.layers
        if step.start is None:
            try:
                below = self._photo(digest)
            except (OSError, BadImageError) as error:
                reasons[digest] = str(error) or type(error).__name__
                return
            first = 0
        else:
            below = self.raw[step.start][digest]
            first = next(i for i, layer in enumerate(chain) if layer.name == step.start) + 1
            if step.start in found:
                found[step.start][digest] = below
        for layer in chain[first:]:
            below = _project(below, layer)
            if layer.name in found:
                found[layer.name][digest] = below

    def _keep(self, layer: str, tensors: _Tensors, *, pooled: bool, pool: bool = False) -> None:
        if not pooled and not pool:
            self.raw[layer] = tensors
            return
        vectors = {digest: pool_array(t[np.newaxis], self.workload.pool)[0] for digest, t in tensors.items()}
        self.pooled.setdefault(layer, {}).update(vectors)

    def _save(self, layer: str) -> int:
        made = self.pooled.get(layer, {})
        fresh = sorted(self.shelf.lacking(layer, made))
        return self.shelf.save(layer, _vectors_table(made, fresh), self.seconds.get(layer, 0.0))

    def _load_cut(self, layer: str | None, wave: Wave) -> None:
        """The cut's tensors that the store holds, beside those that this wave made."""
        if layer is None or layer != self.cut:
            return
        made = self.raw.setdefault(layer, {})
        wanted = (self.shelf.raw_held.get(layer, set()) & self.new_in(wave)) - made.keys()
        table = self.shelf.read_raw(layer, wanted) if wanted else None
        if table is None:
            return
        for digest, row in zip(table.column("digest").to_pylist(), table.column("tensors"), strict=True):
            made[digest] = to_array(next(record for record in from_arrow(row) if record.name == layer))

    def _save_raw(self, layer: str) -> int:
        made = self.raw.get(layer, {})
        fresh = sorted(self.shelf.raw_lacking(layer, made))
        tensors = tensors_column({layer: np.array([made[digest] for digest in fresh])}, [True] * len(fresh))
        table = pa.table({"digest": pa.array(fresh, pa.string()), "tensors": tensors})

        def write(stage: Path) -> list[Path]:
            write_part(table, stage / "part.parquet", raw=True)
            return [stage / "part.parquet"]

        return self.shelf.save_raw(layer, fresh, write, self.seconds.get(layer, 0.0)) if fresh else 0

    def _photo(self, digest: str) -> NDArray[np.float32]:
        """The picture on an 8 x 8 grid, decoded as the engine's workers do, in [-1, 1]."""
        images = self.inputs.images.images
        row = images.column("digest").to_pylist().index(digest)
        third = images.column(1)[row].as_py()
        content = third if isinstance(third, bytes) else Path(third).read_bytes()
        return decode(content, GRID, GRID) / np.float32(127.5) - np.float32(1.0)


def _vectors_table(made: _Tensors, digests: Sequence[str]) -> pa.Table:
    vectors = [made[digest].tolist() for digest in digests]
    return pa.table({"digest": pa.array(digests, pa.string()), "vector": pa.array(vectors, pa.list_(pa.float32()))})


def _project(below: NDArray[np.float32], layer: LayerFacts) -> NDArray[np.float32]:
    """The tanh of a projection that depends on the layer's name and the two sizes alone."""
    flat = below.ravel()
    seed = int.from_bytes(hashlib.sha256(layer.name.encode()).digest()[:8], "big")
    weights = np.random.default_rng(seed).standard_normal((prod(layer.shape), flat.size), dtype=np.float32)
    values: NDArray[np.float32] = np.tanh(weights @ flat * np.float32(2.0 / np.sqrt(flat.size)))
    return values.reshape(layer.shape)
