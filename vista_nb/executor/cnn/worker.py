"""What runs inside a Spark Python worker: photos or stored tensors in, features or raw layers out.

Reads Arrow batches through `mapInArrow`, yields Arrow batches, one per mini-batch. May touch: the image files it
is told of, the artifact's folder, TensorFlow (imported inside functions: never in the kernel). A picture that
cannot be read becomes a row with `error` set, never a failed task. DESIGN.md sections 8 and 10.
Models live in a module-level cache (`model_cache`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.executor.cnn.decode import BadImageError, decode
from vista_nb.executor.cnn.first_to_go import volunteer
from vista_nb.executor.cnn.pooling import pool_array
from vista_nb.executor.cnn.preprocess import preprocess
from vista_nb.executor.cnn.rung import under_rung
from vista_nb.executor.cnn.slots import lease
from vista_nb.executor.cnn.tensors import (
    TENSORS_DDL,
    TENSORS_TYPE,
    from_arrow,
    raw_tensors,
    stack,
    tensors_column,
)
from vista_nb.executor.cnn.usage import decoding
from vista_nb.executor.shipping import local_folder
from vista_nb.spec.model import Pooling

__all__ = [
    "InferenceTask",
    "PoolTask",
    "infer_batches",
    "output_ddl",
    "output_schema",
    "pool_batches",
    "pool_ddl",
    "ready_batches",
]


@dataclass(frozen=True)
class InferenceTask:
    """Everything a worker must know, picklable.

    artifact: the folder made by `prepare_artifact`. layers: roster names, in output order. start: None for
    images, else the stored layer in column `tensors`. pooled: vectors out, else raw tensors; onward: beside the vectors
    the raw cut that a later pass starts from. threads: TensorFlow's per worker. limit: inference workers at a time on
    this machine (0: one per Spark task), by lock files in the folder `slots` (default: beside the artifact). channels:
    3 (RGB) or 1 (gray). gpu_memory: this worker's share of a GPU's bytes (0: none planned). model_bytes: weights of the
    plan's passes that a worker may keep (0: of one pass).
    """

    artifact: str
    height: int
    width: int
    preprocessing: str
    layers: tuple[str, ...]
    start: str | None = None
    pooled: bool = True
    batch_size: int = 32
    threads: int = 1
    limit: int = 0
    slots: str = ""
    channels: int = 3
    gpu_memory: int = 0
    model_bytes: int = 0
    onward: bool = False


@dataclass(frozen=True)
class PoolTask:
    """g_l of one raw layer pulled up: column `tensors` in, `f0` out."""

    layer: str
    pooling: Pooling


@dataclass
class _MiniBatch:
    """Rows on their way: digests of all, errors of all (None: fine), and the inputs of the fine ones, if any is."""

    digests: list[str] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)
    inputs: tuple[NDArray[np.float32], ...] = ()


def output_schema(task: InferenceTask) -> pa.Schema:
    """digest, error, worker, then `f0..fn` (list<float32>) in the order of task.layers, or `tensors`, or both."""
    vectors = [(f"f{i}", pa.list_(pa.float32())) for i in range(len(task.layers))] if task.pooled else []
    return _schema([*vectors, *([("tensors", TENSORS_TYPE)] if task.onward or not task.pooled else [])])


def output_ddl(task: InferenceTask) -> str:
    """The same as Spark DDL."""
    vectors = [f"f{i} array<float>" for i in range(len(task.layers))] if task.pooled else []
    raw = [f"tensors {TENSORS_DDL}"] if task.onward or not task.pooled else []
    return ", ".join(["digest string, error string, worker int", *vectors, *raw])


def pool_ddl() -> str:
    """Spark DDL of `pool_batches`' output."""
    return "digest string, error string, worker int, f0 array<float>"


def infer_batches(task: InferenceTask, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The body of `mapInArrow`: exactly batch_size rows per yielded batch, the last one shorter.

    Input: digest + path | content (start None), or digest + tensors. The next mini-batch is read and decoded by
    a thread while TensorFlow works on this one.
    """
    task = replace(under_rung(task), artifact=local_folder(task.artifact))
    volunteer()
    schema = output_schema(task)
    folder = Path(task.slots) if task.slots else Path(task.artifact).parent / "slots"
    with lease(folder, task.limit, _forget):
        infer: Any = None
        for mini in _ahead(_prepared(task, batches)):
            # loaded late: an empty partition costs no TensorFlow
            infer = infer or _model(task)
            yield _result(task, schema, mini, infer)


def ready_batches(task: InferenceTask, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Gets this process ready for `infer_batches`, and yields nothing: TensorFlow, the artifact (unless its name is
    empty), and one blank photo through it, as the first call is the slowest.
    """
    from vista_nb.executor.cnn.devices import use_devices

    volunteer()
    for _ in batches:
        pass
    use_devices(task.threads, task.gpu_memory)
    if task.artifact:
        infer = _model(task)
        if task.start is None:
            infer(preprocess(np.zeros((1, task.height, task.width, task.channels), np.uint8), task.preprocessing))
    yield from ()


def pool_batches(task: PoolTask, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """g_l of a raw layer, in numpy: digest + tensors -> digest, error, worker, f0. No TensorFlow."""
    schema = _schema([("f0", pa.list_(pa.float32()))])
    for batch in batches:
        if batch.num_rows == 0:
            continue
        rows = [from_arrow(row) for row in batch.column("tensors")]
        good = [bool(row) for row in rows]
        held = [row for row in rows if row]
        vectors = pool_array(stack(held, task.layer).astype(np.float32, copy=False), task.pooling) if held else None
        errors = [None if fine else "no tensor stored" for fine in good]
        columns = [batch.column("digest").cast(pa.string()), *_head(errors), _vectors_column(vectors, good)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _schema(columns: Sequence[tuple[str, Any]]) -> pa.Schema:
    return pa.schema([("digest", pa.string()), ("error", pa.string()), ("worker", pa.int32()), *columns])


def _prepared(task: InferenceTask, batches: Iterator[pa.RecordBatch]) -> Iterator[_MiniBatch]:
    for rows in _rebatched(batches, task.batch_size):
        if task.start:
            yield _from_tensors(task, rows)
        else:
            with decoding(rows.num_rows):
                mini = _from_images(task, rows)
            yield mini


def _rebatched(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    """Spark's batches cut and joined to exactly `size` rows."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        rest = batch
        while rest.num_rows:
            taken = rest.slice(0, size - count)
            rest = rest.slice(taken.num_rows)
            waiting.append(taken)
            count += taken.num_rows
            if count == size:
                yield pa.Table.from_batches(waiting)
                waiting, count = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _from_images(task: InferenceTask, rows: pa.Table) -> _MiniBatch:
    mini = _MiniBatch(rows.column("digest").to_pylist())
    has_content = "content" in rows.column_names
    pictures = []
    for value in rows.column("content" if has_content else "path"):
        try:
            content = value.as_py() if has_content else _read(value.as_py())
            pictures.append(decode(content or b"", task.height, task.width, task.channels))
            mini.errors.append(None)
        except BadImageError as error:
            mini.errors.append(str(error))
    if pictures:
        mini.inputs = (preprocess(np.stack(pictures), task.preprocessing),)
    return mini


def _read(path: str | None) -> bytes:
    try:
        return Path((path or "").removeprefix("file:")).read_bytes()
    except OSError as error:
        raise BadImageError(f"cannot be opened: {error.strerror or error}") from error


def _from_tensors(task: InferenceTask, rows: pa.Table) -> _MiniBatch:
    records = [from_arrow(row) for row in rows.column("tensors")]
    mini = _MiniBatch(rows.column("digest").to_pylist(), [None if row else "no tensor stored" for row in records])
    held = [row for row in records if row]
    if held:
        mini.inputs = tuple(stack(held, name).astype(np.float32, copy=False) for name in _input_names(task.artifact))
    return mini


def _ahead(items: Iterator[_MiniBatch]) -> Iterator[_MiniBatch]:
    """Makes the next item in a thread while the consumer works on this one (Pillow releases the GIL)."""
    with ThreadPoolExecutor(1, "vista-decode") as pool:
        future: Future[_MiniBatch | None] = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item


@lru_cache(maxsize=8)
def _input_names(artifact: str) -> tuple[str, ...]:
    """The tensors of a stored cut that the artifact takes, in its order."""
    from vista_nb.executor.cnn.artifact import usable_meta

    return tuple(name for name, _, _ in usable_meta(Path(artifact)).inputs)


def _model(task: InferenceTask) -> Any:
    """The artifact as a function, from the process' cache."""
    from vista_nb.executor.cnn.devices import use_devices
    from vista_nb.executor.cnn.model_cache import model

    use_devices(task.threads, task.gpu_memory)
    return model(Path(task.artifact), task.model_bytes)


def _forget() -> None:
    """Another process' turn: this one's CNN leaves memory."""
    from vista_nb.executor.cnn.model_cache import forget

    forget()


def _result(task: InferenceTask, schema: pa.Schema, mini: _MiniBatch, infer: Any) -> pa.RecordBatch:
    good = [error is None for error in mini.errors]
    results: Mapping[str, NDArray[np.float32]] = infer(*mini.inputs) if mini.inputs else {}
    payload = [_vectors_column(results.get(layer), good) for layer in task.layers] if task.pooled else []
    if task.onward or not task.pooled:
        payload.append(tensors_column(raw_tensors(results) if task.pooled else results, good))
    columns = [pa.array(mini.digests, pa.string()), *_head(mini.errors), *payload]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _head(errors: Sequence[str | None]) -> list[pa.Array]:
    return [pa.array(errors, pa.string()), pa.array([os.getpid()] * len(errors), pa.int32())]


def _vectors_column(vectors: NDArray[np.float32] | None, good: Sequence[bool]) -> pa.Array:
    """list<float32>, null where not good; the values are taken as one buffer, never as Python floats."""
    if vectors is None:
        return pa.nulls(len(good), pa.list_(pa.float32()))
    lengths = np.where(np.asarray(good, dtype=bool), vectors.shape[1], 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel(), pa.float32())
    missing = pa.array([not fine for fine in good])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=missing)
