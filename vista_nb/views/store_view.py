"""What this run took from the store and put into it, the seconds that saved, and what the store holds.

Reads a PanelState, returns HTML or text. May touch: nothing. DESIGN.md sections 6 and 9, tab Store.
"""

from __future__ import annotations

from collections.abc import Sequence

from vista_nb.outcome.events import LayerStored, StoreEntry, StoreListed
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.numbers import count, format_age
from vista_nb.views.report_view import reuse_lines
from vista_nb.views.state import PanelState
from vista_nb.views.theme import ACCENT, BAD, GOOD, GREY, css, dot, esc, muted, name, scroll, table, track

__all__ = ["store_html", "store_text"]

_HEADS = (("layer", False), ("form", False), ("images", True), ("size", True), ("age", True), ("used", True))
_CELL = {"text_align": "left", "padding": "2px 14px 2px 0", "vertical_align": "top", "white_space": "nowrap"}


def store_html(state: PanelState) -> str:
    """What this run did first, then the layer sets, then how full the store is."""
    said = "".join(f"<div{css(margin='1px 0')}>{dot(GOOD)}{name(line)}</div>" for line in _this_run(state))
    if state.store is None:
        return said or muted("the store has not been looked at yet")
    return said + _entries(state.store) + _fill(state.store)


def _this_run(state: PanelState) -> tuple[str, ...]:
    """What was reused, with the seconds saved; then what was stored, and what was kept though nobody asked for it."""
    asked = [event for event in state.stored if not event.later]
    later = [event for event in state.stored if event.later]
    return (*reuse_lines(state.reused), *_stored("stored", asked), *_stored("kept for later cells too:", later))


def _stored(verb: str, events: Sequence[LayerStored]) -> tuple[str, ...]:
    """`stored conv5_1, fc6: 800 images, 104 MB`: the waves of a layer together, in the order of their first."""
    if not events:
        return ()
    rows: dict[str, int] = {}
    for event in events:
        layer = f"raw {event.layer}" if event.raw else event.layer
        rows[layer] = rows.get(layer, 0) + event.rows
    size = format_bytes(sum(event.size for event in events))
    return (f"{verb} {', '.join(rows)}: {count(max(rows.values()), 'image')}, {size}",)


def _entries(store: StoreListed) -> str:
    if not store.entries:
        return muted("the store is empty")
    heads = "".join(_th(text, right) for text, right in (*_HEADS, ("saved", True), ("", False)))
    rows = "".join(_row(entry) for entry in store.entries)
    more = store.holds - len(store.entries)
    rest = muted(esc(f"{count(more, 'more layer set')}: %vista store ls")) if more > 0 else ""
    return scroll(table(f"<tr{css(background='transparent')}>{heads}</tr>{rows}")) + rest


def _th(text: str, right: bool) -> str:
    side = {"text_align": "right"} if right else {}
    style = css(**(_CELL | side), font_weight="600", border_bottom=f"1px solid {GREY}")
    return f'<th scope="col"{style}>{esc(text)}</th>'


def _row(entry: StoreEntry) -> str:
    cells = _cells(entry)
    sides = [right for _, right in _HEADS] + [True, False]
    body = "".join(
        f"<td{css(**(_CELL | ({'text_align': 'right'} if right else {})))}>{name(cell)}</td>"
        for cell, right in zip(cells, sides, strict=True)
    )
    return f"<tr{css(background='transparent')}>{body}</tr>"


def _cells(entry: StoreEntry) -> tuple[str, ...]:
    marks = [word for word, so in (("new", entry.written), ("pinned", entry.pinned)) if so]
    return (
        f"{entry.cnn} {entry.layer}",
        entry.form,
        f"{entry.rows}",
        format_bytes(entry.size),
        format_age(entry.age_seconds),
        f"{entry.times}x" if entry.times else "",
        format_seconds(entry.saved_seconds) if entry.saved_seconds else "",
        ", ".join(marks),
    )


def _fill(store: StoreListed) -> str:
    words = _fill_words(store)
    share = store.size / store.budget if store.budget else 0.0
    bar = track(f"store: {words}", share, BAD if share > 1 else ACCENT, role="img")
    return f"<div{css(margin='8px 0 0 0', max_width='420px')}>{bar}</div>{muted(esc(words))}"


def _fill_words(store: StoreListed) -> str:
    saved = f"; {format_seconds(store.saved_seconds)} of inference saved so far" if store.saved_seconds else ""
    held = f"{count(store.holds, 'layer set')}, {format_bytes(store.size)} of {format_bytes(store.budget)}"
    return held + saved


def store_text(state: PanelState) -> str:
    """The same as lines."""
    lines = list(_this_run(state))
    if state.store is not None:
        grid = [(*(text for text, _ in _HEADS), "saved", ""), *map(_cells, state.store.entries)]
        widths = [max(len(row[place]) for row in grid) for place in range(len(grid[0]))]
        table_lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in grid)
        lines += [*(table_lines if len(grid) > 1 else ("the store is empty",)), _fill_words(state.store)]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
