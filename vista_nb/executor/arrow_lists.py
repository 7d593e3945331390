"""Arrow arrays straight from Python lists.

Reads lists, returns Arrow arrays. May touch: nothing. pyarrow's own converter (`pa.array`, `pa.scalar`, a Python
number given to a compute function) imports pandas only to ask whether a list is a Series: 0.3 s that `--explain` on
a file does not have (DESIGN.md section 13). On the probe's path arrays are therefore made from buffers.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pyarrow as pa

__all__ = ["binary_list", "int_list", "string_list"]


def string_list(values: Sequence[str]) -> pa.Array:
    """`string`, no nulls. File names that are no UTF-8 keep their bytes as `os.fsencode` gives them."""
    return _variable(pa.string(), [value.encode("utf-8", "surrogateescape") for value in values])


def binary_list(values: Sequence[bytes]) -> pa.Array:
    """`binary`, no nulls."""
    return _variable(pa.binary(), values)


def int_list(values: Sequence[int], kind: pa.DataType) -> pa.Array:
    """`kind` is int32 or int64; no nulls."""
    code = "i" if kind == pa.int32() else "q"
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(array(code, values).tobytes())])


def _variable(kind: pa.DataType, values: Sequence[bytes]) -> pa.Array:
    """Offsets and bytes, as the format lays them out; past 2 GB the converter, which then makes chunks."""
    if sum(map(len, values)) >= 2**31:
        return pa.array(values, kind)
    offsets = array("i", [0])
    end = 0
    for value in values:
        end += len(value)
        offsets.append(end)
    return pa.Array.from_buffers(
        kind, len(values), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(values))]
    )
