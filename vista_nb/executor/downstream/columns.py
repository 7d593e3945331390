"""Structured columns as NumPy: numbers as doubles with NaN for null, categories as text with None for null.

Reads Arrow columns, returns arrays. May touch: nothing. One rule for both tables a model ever sees (training and
`.predict`): infinities and NaN are nulls, booleans are 0 and 1, dates are days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["as_categories", "as_numbers", "column_of"]

_DAY_NS = 86_400_000_000_000


def column_of(table: pa.Table, name: str) -> Any:
    """One column; raises VistaDataError VST353 where the table lacks it."""
    if name not in table.column_names:
        have = ", ".join(table.column_names[:12])
        raise VistaDataError("VST353", f"the table has no column {name!r}", f"its columns: {have}")
    return table.column(name)


def as_numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column as float64; null, NaN and infinities are NaN. Raises VST354 for what is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = column_of(table, name)
    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            stamps = column.cast(pa.timestamp("ns"), safe=False).cast(pa.int64())
            column = pc.divide(stamps.cast(pa.float64(), safe=False), float(_DAY_NS))
        numbers = column.cast(pa.float64(), safe=False).combine_chunks()
    except pa.ArrowException as error:
        hint = f"write {name}:category to one-hot it, or leave it out of `features`"
        raise VistaDataError("VST354", f"column {name!r} ({kind}) does not hold numbers", hint) from error
    found = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def as_categories(table: pa.Table, name: str) -> NDArray[np.object_]:
    """A column as text; null and NaN are None. Whole floats lose their `.0`, so 3 and 3.0 are one category."""
    from vista_nb.executor.downstream.split import class_text

    return np.array([class_text(value) for value in column_of(table, name).to_pylist()], dtype=object)
