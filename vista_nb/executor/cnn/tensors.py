"""Tensor records to numpy and to Arrow: how a raw layer travels through Spark.

Reads and returns values. May touch: numpy, pyarrow. A stored cut is a list of (name, dtype, shape, data), one
per tensor; data is little-endian, C order, without the batch axis (executor/inputs.py, DESIGN.md section 10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.errors import VistaRunError
from vista_nb.executor.inputs import TensorRecord

__all__ = [
    "BESIDE",
    "TENSORS_DDL",
    "TENSORS_TYPE",
    "from_arrow",
    "raw_tensors",
    "stack",
    "tensors_column",
    "to_array",
    "to_record",
]

BESIDE = "raw:"  # a pass with pooling pushed down gives a layer's vector, and raw under this prefix what goes on

TENSORS_DDL = "array<struct<name: string, dtype: string, shape: array<int>, data: binary>>"
_FIELDS = [
    pa.field("name", pa.string()),
    pa.field("dtype", pa.string()),
    pa.field("shape", pa.list_(pa.int32())),
    pa.field("data", pa.binary()),
]
TENSORS_TYPE = pa.list_(pa.struct(_FIELDS))


def to_record(name: str, array: NDArray[Any]) -> TensorRecord:
    """One image's tensor as a record."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return TensorRecord(name, array.dtype.name, tuple(int(n) for n in array.shape), little.tobytes())


def to_array(record: TensorRecord) -> NDArray[Any]:
    """The tensor of a record (a read-only view on its bytes). Raises VST541 where bytes and shape disagree."""
    dtype = np.dtype(record.dtype).newbyteorder("<")
    if len(record.data) != prod(record.shape) * dtype.itemsize:
        raise VistaRunError(
            "VST541",
            f"stored tensor {record.name!r} has {len(record.data)} bytes, "
            f"shape {record.shape} of {record.dtype} needs {prod(record.shape) * dtype.itemsize}",
            "the materialized layer is damaged: run again with --reuse never",
        )
    return np.frombuffer(record.data, dtype=dtype).reshape(record.shape)


def tensors_column(layers: Mapping[str, NDArray[Any] | None], good: Sequence[bool]) -> pa.Array:
    """A column of lists of records: row i holds every layer's next tensor where good[i], else null.

    layers: name -> batch of the good rows only, in their order (None where no row is good). The batches' bytes become
    the column's: as Python objects they took longer than the CNN.
    """
    held = [_records(name, batch) for name, batch in layers.items() if batch is not None]
    if not held:
        return pa.nulls(len(good), TENSORS_TYPE)
    flat, per_row, rows = held[0], len(held), len(held[0])
    if per_row > 1:  # from layer by layer to row by row
        flat = pa.concat_arrays(held).take(pa.array(np.arange(per_row * rows).reshape(per_row, rows).T.ravel()))
    offsets = np.concatenate([[0], np.cumsum(np.where(np.asarray(good, dtype=bool), per_row, 0))]).astype(np.int32)
    missing = pa.array([not fine for fine in good])
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=TENSORS_TYPE, mask=missing)


def _records(name: str, batch: NDArray[Any]) -> pa.StructArray:
    """One record per image of a batch (n, ...)."""
    little = np.ascontiguousarray(batch, dtype=batch.dtype.newbyteorder("<"))
    count, shape = len(batch), list(batch.shape[1:])
    ends = np.arange(count + 1, dtype=np.int64) * (little.nbytes // max(1, count))
    data = pa.Array.from_buffers(
        pa.large_binary(), count, [None, pa.py_buffer(ends), pa.py_buffer(little.reshape(-1).view(np.uint8))]
    ).cast(pa.binary())
    sizes = pa.ListArray.from_arrays(
        np.arange(count + 1, dtype=np.int32) * len(shape), pa.array(shape * count, pa.int32())
    )
    names, types = (pa.array([text] * count, pa.string()) for text in (name, batch.dtype.name))
    return pa.StructArray.from_arrays([names, types, sizes, data], fields=_FIELDS)


def raw_tensors(results: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors that a pass gives beside its vectors, under their names in the stored cut."""
    return {name.removeprefix(BESIDE): value for name, value in results.items() if name.startswith(BESIDE)}


def from_arrow(row: pa.ListScalar) -> tuple[TensorRecord, ...]:
    """The records of one row of a tensors column; empty for null."""
    values = row.as_py() or []
    return tuple(TensorRecord(v["name"], v["dtype"], tuple(v["shape"]), v["data"]) for v in values)


def stack(rows: Sequence[tuple[TensorRecord, ...]], name: str) -> NDArray[Any]:
    """The batch (n, ...) of the tensor `name` over rows of records. Raises VST542 where a row lacks it."""
    found = [next((record for record in row if record.name == name), None) for row in rows]
    if any(record is None for record in found):
        held = sorted({record.name for row in rows for record in row})
        raise VistaRunError("VST542", f"no tensor {name!r} in the stored cut", f"it holds: {', '.join(held) or 'none'}")
    return np.stack([to_array(record) for record in found if record is not None])
