"""Where the plan changes as one number of the machine varies: a picture with its text twin.

Reads a Variation, returns SVG, HTML or text. May touch: nothing. DESIGN.md section 7, what-if.
One band per plan, numbered as in the list below the picture; the line is the predicted time. Both axes are in ratios.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any

from vista_nb.plan.variation import Segment, Variation, plan_words, value_words, variation_text
from vista_nb.units import format_seconds
from vista_nb.views.theme import ACCENT, BAD, GREY, card, css, esc, muted, table

__all__ = ["VariationView", "alt_text", "variation_svg"]

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 12, 26, 34
_FILLS = ("#7fb8e0", "#f0c36d", "#a8d5a2", "#d3b5dc", "#f2a58e", "#c4c4c4")
_ROOM = 16  # a narrower band carries no number
_LEAST = 0.001  # seconds, so that the logarithm exists


@dataclass(frozen=True)
class _Axes:
    """Values and seconds to places in the picture, logarithmic both."""

    low: int
    high: int
    fast: float
    slow: float

    def x(self, value: float) -> float:
        share = log(value / self.low) / log(self.high / self.low) if self.high > self.low else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, seconds: float) -> float:
        share = log(max(seconds, _LEAST) / self.fast) / log(self.slow / self.fast)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def alt_text(variation: Variation) -> str:
    """The picture in words: the whole text, its lines as sentences."""
    return "; ".join(line.strip() for line in variation_text(variation).splitlines())


def variation_svg(variation: Variation) -> str:
    """A picture that needs no script and no style sheet; its title and description are the text twin."""
    axes = _axes(variation)
    parts = [*_bands(variation, axes), *_ticks(variation, axes), _line(variation, axes)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label='
    title = f"predicted seconds by {variation.key}"
    return (
        f'{head}"{esc(alt_text(variation))}" style="max-width:100%;height:auto" font-size="12" '
        f'font-family="sans-serif"><title>{esc(title)}</title><desc>{esc(alt_text(variation))}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _axes(variation: Variation) -> _Axes:
    found = [max(seconds, _LEAST) for _, seconds in variation.points if seconds is not None] or [1.0]
    fast, slow = min(found) / 1.1, max(found) * 1.1
    return _Axes(variation.segments[0].low, variation.segments[-1].high, fast, slow)


def _bands(variation: Variation, axes: _Axes) -> Iterator[str]:
    """From each plan's first value to the next one's: in between lies where the plan changes."""
    segments = variation.segments
    ends = [*(segment.low for segment in segments[1:]), segments[-1].high]
    for number, (segment, end) in enumerate(zip(segments, ends, strict=True), 1):
        left = axes.x(segment.low)
        width = max(axes.x(end) - left, 1.0) if len(segments) > 1 else _WIDTH - _LEFT - _RIGHT
        left = left if len(segments) > 1 else _LEFT
        yield (
            f'<rect x="{left:.1f}" y="{_TOP}" width="{width:.1f}" height="{_HEIGHT - _TOP - _BOTTOM}" '
            f'fill="{_fill(number, segment)}" fill-opacity="0.35"/>'
        )
        if width >= _ROOM:
            place = f'x="{left + width / 2:.1f}" y="{_TOP - 8}"'
            yield f'<text {place} text-anchor="middle" fill="{GREY}">{number}</text>'


def _fill(number: int, segment: Segment) -> str:
    return BAD if segment.first is None else _FILLS[(number - 1) % len(_FILLS)]


def _ticks(variation: Variation, axes: _Axes) -> Iterator[str]:
    """Both ends and, where there is room, every change; the fastest and the slowest prediction."""
    bottom, taken = _HEIGHT - _BOTTOM, -1e9
    last = axes.x(axes.high)
    for value in [*(segment.low for segment in variation.segments), axes.high]:
        place = axes.x(value)
        if place - taken > 62 and (last - place > 62 or value == axes.high):
            taken = place
            words = esc(value_words(variation.key, value))
            yield f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle" fill="{GREY}">{words}</text>'
    yield f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 4}" text-anchor="middle" fill="{GREY}">{esc(variation.key)}</text>'
    found = sorted({seconds for _, seconds in variation.points if seconds is not None})
    for seconds in found[:1] + found[1:][-1:]:
        words = esc(format_seconds(seconds))
        yield f'<text x="{_LEFT - 6}" y="{axes.y(seconds) + 4:.1f}" text-anchor="end" fill="{GREY}">{words}</text>'


def _line(variation: Variation, axes: _Axes) -> str:
    places = [(axes.x(v), axes.y(s)) for v, s in variation.points if s is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{ACCENT}"/>' for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{ACCENT}" stroke-width="2"/>{dots}'


@dataclass(frozen=True)
class VariationView:
    """What `%vista explain --vary` shows: text, and in a notebook the picture with its list."""

    variation: Variation

    def __str__(self) -> str:
        return variation_text(self.variation)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        head, *_ = variation_text(self.variation).splitlines()
        body = f"<div><b>{esc(head)}</b></div>{variation_svg(self.variation)}{_list(self.variation)}"
        return {"text/plain": str(self), "text/html": card(body)}


def _list(variation: Variation) -> str:
    cell = css(text_align="left", padding="2px 12px 2px 0", vertical_align="top")
    rows = []
    for number, segment in enumerate(variation.segments, 1):
        low, high = (value_words(variation.key, value) for value in (segment.low, segment.high))
        span = low if low == high else f"{low} .. {high}"
        words = plan_words(segment.first, variation.key) if segment.first else f"no plan fits: {segment.constraint}"
        rows.append(
            f"<tr{css(background='transparent')}><td{cell}>{number}</td><td{cell}>{esc(span)}</td>"
            f"<td{cell}>{esc(words)}</td></tr>"
        )
    return table("".join(rows)) + muted("line: predicted time; both axes in ratios")
