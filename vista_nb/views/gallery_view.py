"""Photos with what was said of them: a gallery of held-out rows.

Reads tiles (small JPEGs and words), returns a value that a notebook shows as HTML and a terminal as text. May touch:
nothing. DESIGN.md sections 5 and 6: inline, escaped, small; no script, no link to a file, every photo with a text that
says the same.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vista_nb.views.table_view import Table
from vista_nb.views.theme import BAD, GOOD, GREY, card, css, dot, esc, muted, name

__all__ = ["SIDE", "Gallery", "Group", "Said", "Tile"]

SIDE: Final = 128
"""Pixels of a photo's longer side: a dozen photos take about 60 kB in the notebook."""


@dataclass(frozen=True)
class Said:
    """What one layer predicted, in words; right: None where that is no question of yes or no (a regression)."""

    layer: str
    prediction: str
    right: bool | None = None


@dataclass(frozen=True)
class Tile:
    """One record. jpeg: empty where no photo can be shown, and `why`."""

    key: str
    truth: str
    said: tuple[Said, ...]
    jpeg: bytes = b""
    why: str = ""

    @property
    def words(self) -> str:
        """The text twin of the photo."""
        predictions = "; ".join(f"{s.layer}: {s.prediction}" for s in self.said)
        return f"{self.key}: {self.truth}; {predictions}"


@dataclass(frozen=True)
class Group:
    """Tiles under one heading. total: how many rows the heading is true of; the tiles are the first of them."""

    heading: str
    tiles: tuple[Tile, ...]
    total: int


@dataclass(frozen=True)
class Gallery:
    """`.mistakes(...)` and `.compare_layers(...)`: groups of photos; caption above, note below."""

    caption: str
    groups: tuple[Group, ...]
    note: str = ""

    def __len__(self) -> int:
        return sum(len(group.tiles) for group in self.groups)

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the records shown, in order."""
        return tuple(tile.key for group in self.groups for tile in group.tiles)

    def __str__(self) -> str:
        parts = [self.caption]
        for group in self.groups:
            parts.append(_heading(group))
            if group.tiles:
                parts.append(str(_text_table(group.tiles)))
        return "\n".join(filter(None, [*parts, self.note]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": str(self), "text/html": self.html()}

    def html(self) -> str:
        parts = [f"<div><b>{esc(self.caption)}</b></div>"]
        for group in self.groups:
            parts.append(f"<div{css(margin='8px 0 2px 0')}>{esc(_heading(group))}</div>")
            tiles = "".join(map(_tile, group.tiles))
            if tiles:
                parts.append(f"<div{css(display='flex', flex_wrap='wrap', gap='10px', margin='4px 0')}>{tiles}</div>")
        if self.note:
            parts.append(muted(esc(self.note)))
        return card("".join(parts))


def _heading(group: Group) -> str:
    shown = len(group.tiles)
    return f"{group.heading}: {group.total}" + (f", the first {shown} shown" if shown < group.total else "")


def _text_table(tiles: Sequence[Tile]) -> Table:
    layers = tuple(said.layer for said in tiles[0].said)
    return Table(("key", "truth", *layers), tuple((t.key, t.truth, *(s.prediction for s in t.said)) for t in tiles))


def _tile(tile: Tile) -> str:
    """A column as wide as a photo: the photo, the key, the truth, what each layer said."""
    lines = [f"<div{css(opacity='0.75', overflow_wrap='anywhere')}>{name(tile.key)}</div>"]
    lines.append(f"<div{css(font_weight='600', overflow_wrap='anywhere')}>{name(tile.truth)}</div>")
    lines += [_said(said, alone=len(tile.said) == 1) for said in tile.said]
    return f"<div{css(width=f'{SIDE}px', font_size='12px', line_height='1.35')}>{_photo(tile)}{''.join(lines)}</div>"


def _photo(tile: Tile) -> str:
    frame = {"width": f"{SIDE}px", "height": f"{SIDE}px", "border_radius": "3px"}
    if not tile.jpeg:
        style = css(**frame, border=f"1px dashed {GREY}", box_sizing="border-box", padding="6px", overflow="hidden")
        return f"<div{style}>{esc(tile.why or 'no photo')}</div>"
    data = base64.b64encode(tile.jpeg).decode("ascii")
    style = css(**frame, object_fit="contain", background="rgba(140,140,140,0.15)", display="block", margin="0")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{esc(tile.words)}"{style}>'


def _said(said: Said, alone: bool) -> str:
    mark = "" if said.right is None else dot(GOOD if said.right else BAD, hollow=not said.right)
    who = "" if alone else f"<span{css(opacity='0.75')}>{name(said.layer)}: </span>"
    word = "" if said.right is None or alone else f" ({'right' if said.right else 'wrong'})"
    return f"<div{css(overflow_wrap='anywhere')}>{mark}{who}{name(said.prediction)}{word}</div>"
