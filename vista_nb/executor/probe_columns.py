"""What the columns of T_str hold: kinds, counts, and whether the key is one.

Reads an Arrow table, returns ColumnFacts and cleaned tables. May touch: nothing. DESIGN.md section 3 (features, on).
No Python number goes into a compute function here: see `arrow_lists`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.errors import VistaDataError

__all__ = ["KeyReport", "as_text", "check_keys", "column_facts"]

_SHOWN = 20
_FREQUENT = 10
_PATH_LIKE = re.compile(r"(?:[/\\].*|\.(?:jpe?g|png|gif|bmp|webp|tiff?))$", re.IGNORECASE)


@dataclass(frozen=True)
class KeyReport:
    """rows: with a key. null_key: rows dropped because they have none."""

    rows: int
    null_key: int


def column_facts(table: pa.Table) -> tuple[ColumnFacts, ...]:
    """One ColumnFacts per column, in the table's order."""
    return tuple(_facts(name, column) for name, column in zip(table.column_names, table.columns, strict=True))


def check_keys(table: pa.Table, on: str) -> tuple[pa.Table, KeyReport]:
    """The rows with a key, the key as text in its place. Raises VST311 (no such column), VST312 (duplicates).

    Idempotent: a checked table passes through as it is.
    """
    if on not in table.column_names:
        raise VistaDataError(
            "VST311", f"the table has no key column {on!r}", f"set `on:` to one of {', '.join(table.column_names[:8])}"
        )
    try:
        keys = as_text(table.column(on))
    except pa.ArrowException as error:
        message = f"the key column {on!r} ({table.column(on).type}) cannot be written as text"
        hint = "keys are texts or whole numbers: convert the column, or set `on:`"
        raise VistaDataError("VST314", message, hint) from error
    nulls = keys.null_count
    if nulls:
        valid = pc.is_valid(keys)
        table, keys = table.filter(valid), keys.filter(valid)
    if not len(keys):
        raise VistaDataError("VST313", f"every row of the key column {on!r} is empty", "choose another key with `on:`")
    counted = pc.value_counts(keys)
    counts = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    double = [key for key, count in counts if count > 1]
    if double:
        some = ", ".join(map(repr, sorted(double)[:3])) + (", ..." if len(double) > 3 else "")
        keys_appear = "1 key of {!r} appears" if len(double) == 1 else f"{len(double)} keys of {{!r}} appear"
        message = f"{keys_appear.format(on)} more than once: {some}"
        raise VistaDataError("VST312", message, "one row per key: drop the others, or aggregate")
    place = table.column_names.index(on)
    return table.set_column(place, on, keys), KeyReport(len(keys), nulls)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as people write them in file names: 7, not 7.0; empty text counts as missing."""
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.nulls(len(column), kind), column)
        whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
        column = column.cast(pa.int64()) if whole is not False else column
    text = column.cast(pa.string())
    filled = pc.binary_length(text).cast(pa.bool_())
    return text if pc.all(filled).as_py() is not False else pc.if_else(filled, text, pa.nulls(len(text), pa.string()))


def _facts(name: str, column: pa.ChunkedArray) -> ColumnFacts:
    kind, rows = _kind(column), len(column)
    if kind == "other":
        return ColumnFacts(name, kind, rows, nulls=column.null_count)
    given = column.drop_null()
    if pa.types.is_floating(column.type):
        given = given.filter(pc.invert(pc.is_nan(given)))
    counts = pc.value_counts(given)
    values = counts.field("values")
    frequent = sum(count >= _FREQUENT for count in counts.field("counts").to_pylist())
    shown = tuple(sorted(map(str, values.to_pylist()))) if len(values) <= _SHOWN else ()
    paths = kind == "string" and _looks_like_paths(values)
    return ColumnFacts(name, kind, rows, len(values), rows - len(given), paths, frequent, shown)


def _looks_like_paths(values: pa.Array) -> bool:
    """Most of the first hundred distinct strings end like an image file or hold a separator."""
    sample = values.slice(0, 100).to_pylist()
    return bool(sample) and sum(bool(_PATH_LIKE.search(v)) for v in sample) > 0.8 * len(sample)


def _kind(column: pa.ChunkedArray) -> str:
    types, kind = pa.types, column.type
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "string"
    if types.is_timestamp(kind):
        return "datetime" if _has_times(column) else "date"
    return "date" if types.is_date(kind) else "other"


def _has_times(column: pa.ChunkedArray) -> bool:
    """Whether a timestamp is more than a date: not all of them are midnight, as pandas writes a date."""
    given = column.drop_null()
    return bool(pc.any(pc.not_equal(given, pc.floor_temporal(given, unit="day"))).as_py())
