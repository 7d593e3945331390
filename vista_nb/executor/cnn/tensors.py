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

    layers: name -> batch of the good rows only, in their order (None where no row is good).
    """
    rows: list[list[dict[str, Any]] | None] = []
    position = 0
    for fine in good:
        if not fine:
            rows.append(None)
            continue
        records = (to_record(name, batch[position]) for name, batch in layers.items() if batch is not None)
        rows.append([{"name": r.name, "dtype": r.dtype, "shape": list(r.shape), "data": r.data} for r in records])
        position += 1
    return pa.array(rows, type=TENSORS_TYPE)


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
