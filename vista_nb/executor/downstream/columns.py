"""Structured columns as NumPy: numbers as doubles with NaN for null, categories as text with None for null.

Reads Arrow columns, returns arrays. May touch: nothing. One rule for both tables a model ever sees (training and
`.predict`): infinities and NaN are nulls, booleans are 0 and 1, dates are days. As a feature a date is also its place
in the year (and in the day, where it has a time), as sine and cosine: December lies beside January (ADR 27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.errors import VistaDataError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CALENDAR", "as_calendar", "as_categories", "as_numbers", "column_of"]

CALENDAR = {
    "date": ("days", "year sin", "year cos"),
    "datetime": ("days", "year sin", "year cos", "hour sin", "hour cos"),
}
"""What a date becomes, by its encoding."""
_DAY_US = 86_400_000_000
_YEAR = 365.2425


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
            stamps = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(pa.int64())
            column = pc.divide(stamps.cast(pa.float64(), safe=False), float(_DAY_US))
        numbers = column.cast(pa.float64(), safe=False).combine_chunks()
    except pa.ArrowException as error:
        hint = f"write {name}:category to one-hot it, or leave it out of `features`"
        raise VistaDataError("VST354", f"column {name!r} ({kind}) does not hold numbers", hint) from error
    found = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def as_calendar(table: pa.Table, name: str, encoding: str) -> NDArray[np.float64]:
    """A column of dates as (rows, 3), with times as (rows, 5): see `CALENDAR`; NaN for null."""
    days = as_numbers(table, name)
    angles = [days / _YEAR, days][: (len(CALENDAR[encoding]) - 1) // 2]
    waves = [wave(2 * np.pi * (turns % 1.0)) for turns in angles for wave in (np.sin, np.cos)]
    return np.column_stack([days, *waves])


def as_categories(table: pa.Table, name: str) -> NDArray[np.object_]:
    """A column as text; null and NaN are None. Whole floats lose their `.0`, so 3 and 3.0 are one category."""
    from vista_nb.executor.downstream.split import class_text

    return np.array([class_text(value) for value in column_of(table, name).to_pylist()], dtype=object)
