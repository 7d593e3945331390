"""A small table for people: what `%vista store`, `doctor`, `cnns` and `layers` show.

Reads headers and rows of text, returns a value that a notebook shows as HTML and a terminal as text.
May touch: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vista_nb.views.theme import GREY, card, css, esc, muted, name, table

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """`numbers` are the places of right-aligned columns; caption is one line above, note one below."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    caption: str = ""
    note: str = ""

    def __str__(self) -> str:
        if not self.rows:
            return self.note or f"{self.caption}: none"
        grid = [self.headers, *self.rows]
        widths = [max(len(_plain(row[place])) for row in grid) for place in range(len(self.headers))]
        lines = [self._line(row, widths) for row in grid]
        return "\n".join(filter(None, [self.caption, *lines, self.note]))

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = [
            _plain(cell).rjust(width) if place in self.numbers else _plain(cell).ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": str(self), "text/html": card(self.html())}

    def html(self) -> str:
        """Without the card around it, for a view that holds it."""
        if not self.rows:
            return muted(esc(str(self)))
        heads = "".join(f'<th scope="col"{self._style(p, head=True)}>{esc(h)}</th>' for p, h in enumerate(self.headers))
        body = "".join(self._row(row) for row in self.rows)
        caption = f"<div><b>{esc(self.caption)}</b></div>" if self.caption else ""
        return (
            caption
            + table(f"<tr{css(background='transparent')}>{heads}</tr>{body}")
            + (muted(esc(self.note)) if self.note else "")
        )

    def _row(self, row: Sequence[str]) -> str:
        cells = "".join(f"<td{self._style(place)}>{name(cell)}</td>" for place, cell in enumerate(row))
        return f"<tr{css(background='transparent')}>{cells}</tr>"

    def _style(self, place: int, head: bool = False) -> str:
        line = {"border_bottom": f"1px solid {GREY}", "font_weight": "600"} if head else {}
        align = "right" if place in self.numbers else "left"
        return css(text_align=align, padding="2px 14px 2px 0", vertical_align="top", **line)


def _plain(cell: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in cell)
