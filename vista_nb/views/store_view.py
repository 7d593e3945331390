"""The Store tab and its text twin: a row per layer that was reused or materialized, and how full the store is.

Reads a StoreState, returns HTML or text. May touch: nothing. DESIGN.md section 6, tab Store.
"""

from __future__ import annotations

from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.numbers import count, format_age
from vista_nb.views.store_state import StoreRow, StoreState
from vista_nb.views.table_view import Table

__all__ = ["store_html", "store_table", "store_text"]

_HEADS = ("layer", "", "images", "size", "age", "run", "saved")


def store_table(state: StoreState, exact: bool = True) -> Table:
    """The tab's content; not `exact`: without what differs from machine to machine and day to day."""
    rows = tuple(_row(row, exact) for row in state.rows)
    note = _level(state) if exact else ""
    if not rows:
        note = ". ".join(filter(None, ["nothing was reused, and nothing stored yet", note]))
    return Table(_HEADS if exact else _HEADS[:3], rows, frozenset({2, 3} if exact else {2}), note=note)


def store_html(state: StoreState, exact: bool = True) -> str:
    return store_table(state, exact).html()


def store_text(state: StoreState, exact: bool = True) -> str:
    return str(store_table(state, exact))


def _row(row: StoreRow, exact: bool) -> tuple[str, ...]:
    layer = f"{row.layer} (raw)" if row.raw else row.layer
    known = (layer, row.kind, count(row.rows, "image").rpartition(" ")[0])
    if not exact:
        return known
    reused = row.kind == "reused"
    saved = format_seconds(row.saved_seconds) if row.saved_seconds else ""
    return (*known, format_bytes(row.size), format_age(row.age_seconds) if reused else "", row.run, saved)


def _level(state: StoreState) -> str:
    """`reused 212 MB, 21.0 s of inference saved; wrote 40 MB; the store holds 1.2 GB of 20 GB`."""
    parts = []
    if state.reused_bytes:
        saved = f", {format_seconds(state.saved_seconds)} of inference saved" if state.saved_seconds else ""
        parts.append(f"reused {format_bytes(state.reused_bytes)}{saved}")
    if state.written_bytes:
        parts.append(f"wrote {format_bytes(state.written_bytes)}")
    if state.held is not None and state.budget:
        parts.append(f"the store holds {format_bytes(state.held)} of {format_bytes(state.budget)}")
    return "; ".join(parts)
