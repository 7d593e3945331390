"""The table of layers: phase, accuracy with its interval, the best starred, the table-only line drawn across.

Reads a PanelState, returns HTML or text. May touch: nothing. DESIGN.md section 6, tab Layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from vista_nb.outcome.metrics import best_of
from vista_nb.outcome.scores import TABLE, LayerScore
from vista_nb.units import format_seconds
from vista_nb.views.numbers import format_interval, format_score
from vista_nb.views.state import LayerState, PanelState
from vista_nb.views.theme import ACCENT, BAD, DOT, GOOD, GREY, STAR, css, esc, muted, name, scroll, table, track

__all__ = ["Scale", "layers_html", "layers_text", "phase_words", "scale_of"]

_WORDS = {"ready": "features ready", "stopped": "not run"}
_MARKS = {"queued": "\N{WHITE CIRCLE}", "inferring": "\N{CIRCLE WITH LEFT HALF BLACK}"}
_MARKS |= {"ready": "\N{CIRCLE WITH RIGHT HALF BLACK}", "training": "\N{CIRCLE WITH RIGHT HALF BLACK}"}
_MARKS |= {"done": "\N{BLACK CIRCLE}", "reused": "\N{CLOCKWISE OPEN CIRCLE ARROW}"}
_MARKS |= {"failed": "\N{MULTIPLICATION X}", "stopped": "\N{EN DASH}"}
_COLOURS = {"done": GOOD, "reused": GOOD, "failed": BAD, "inferring": ACCENT, "training": ACCENT, "ready": ACCENT}

_OPTIONAL = ' class="vista-nb-wide"'  # a narrow live panel leaves these columns out: the bar's label says the same
_CELL = {"text_align": "left", "padding": "3px 9px 3px 0", "vertical_align": "middle", "white_space": "nowrap"}


@dataclass(frozen=True)
class Scale:
    """The values at both ends of the drawn axis."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where `value` lies, in percent of the axis, kept inside it."""
        width = self.high - self.low
        return 100.0 * min(1.0, max(0.0, (value - self.low) / width)) if width > 0 else 50.0


def scale_of(scores: tuple[LayerScore, ...]) -> Scale:
    """An axis that holds every interval with some room; shares stay within 0 and 1."""
    low, high = min(s.ci_low for s in scores), max(s.ci_high for s in scores)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    share = scores[0].metric in ("accuracy", "f1", "auc")
    return Scale(max(0.0, low - room), min(1.0, high + room)) if share else Scale(low - room, high + room)


def phase_words(layer: LayerState, state: PanelState) -> str:
    """`inferring 45 %`, `training`, `features ready`, ..."""
    word = _WORDS.get(layer.phase, layer.phase)
    return f"{word} {100 * state.stage_share:.0f} %" if layer.phase == "inferring" and state.total else word


def layers_html(state: PanelState, metric: str, *, live: bool = False, seconds: bool = True) -> str:
    """The table as HTML; `live` shows each layer's phase, else where its features came from."""
    scores = state.scores
    scale = scale_of(scores) if scores else None
    best = best_of(scores)
    table_alone = next((s for s in state.baselines if s.layer == TABLE), None)
    heads = ["", "layer", "state" if live else "features", "", esc(metric), "95 % interval", "time"]
    shown = heads if seconds else heads[:-1]
    rows = [_head(shown, live)]
    for layer in state.layers:
        mark = best is not None and layer.name == best.layer
        rows.append(_row(layer, state, scale, table_alone, mark, live, seconds))
    for place, score in enumerate(state.baselines):
        rows.append(_baseline_row(score, scale, table_alone, seconds, first=place == 0))
    if scale is not None:
        rows.append(_axis(scale, metric, seconds))
    return scroll(table("".join(rows), wide=True)) + _key(state, table_alone)


def _td(inner: str, **rules: str) -> str:
    return f"<td{css(**(_CELL | rules))}>{inner}</td>"


def _optional(inner: str) -> str:
    return f"<td{_OPTIONAL}{css(**_CELL)}>{inner}</td>"


def _tr(cells: str, top: bool = False) -> str:
    line = {"border_top": f"1px solid {GREY}"} if top else {}
    return f"<tr{css(background='transparent', **line)}>{cells}</tr>"


def _head(heads: list[str], live: bool) -> str:
    widths = {2: "9.5em", 3: "38%"} if live else {3: "38%"}  # a phase that changes must not move the columns

    def style(place: int) -> str:
        width = {"width": widths[place]} if place in widths else {}
        words = css(**(_CELL | {"font_weight": "600", "border_bottom": f"1px solid {GREY}"} | width))
        return f"{_OPTIONAL if place > 4 else ''}{words}"

    return _tr("".join(f'<th scope="col"{style(place)}>{head}</th>' for place, head in enumerate(heads)))


def _row(
    layer: LayerState,
    state: PanelState,
    scale: Scale | None,
    table_alone: LayerScore | None,
    best: bool,
    live: bool,
    seconds: bool,
) -> str:
    star = _star(layer.final) if best else ""
    weight = {"font_weight": "600"} if best else {}
    cells = [_td(star, width="1em"), _td(name(layer.name), **weight), _td(_phase(layer, state, live))]
    if layer.score is None or scale is None:
        cells += [_td(_running_bar(layer, state)), _td(""), _optional("")]
    else:
        cells += _score_cells(layer.score, scale, table_alone, layer.final, weight)
    if seconds:
        cells.append(_optional(format_seconds(layer.score.seconds) if layer.score else ""))
    return _tr("".join(cells))


def _star(final: bool) -> str:
    words, sign = ("best", "\N{BLACK STAR}") if final else ("best so far", "\N{WHITE STAR}")
    return f'<span role="img" aria-label="{words}" title="{words}"{css(color=STAR)}>{sign}</span>'


def _score_cells(
    score: LayerScore, scale: Scale, table_alone: LayerScore | None, final: bool, weight: dict[str, str]
) -> list[str]:
    interim = "" if final else ' <span title="interim: more rows are coming">\N{HORIZONTAL ELLIPSIS}</span>'
    return [
        _td(_interval_bar(score, scale, table_alone, final)),
        _td(esc(format_score(score.metric, score.value)) + interim, **weight),
        _optional(f"<span{css(opacity='0.75')}>{esc(format_interval(score))}</span>"),
    ]


def _baseline_row(
    score: LayerScore, scale: Scale | None, table_alone: LayerScore | None, seconds: bool, first: bool
) -> str:
    assert scale is not None  # a baseline is a score, so there is an axis
    cells = [_td(""), _td(name(score.layer)), _td(f"<span{css(opacity='0.75')}>baseline</span>")]
    cells += _score_cells(score, scale, table_alone, True, {})
    if seconds:
        cells.append(_optional(format_seconds(score.seconds)))
    return _tr("".join(cells), top=first)


def _phase(layer: LayerState, state: PanelState, live: bool) -> str:
    if not live and layer.phase == "done":
        return "computed"
    colour = {"color": _COLOURS[layer.phase]} if layer.phase in _COLOURS else {"opacity": "0.7"}
    mark = f'<span aria-hidden="true"{css(**colour)}>{_MARKS.get(layer.phase, "")}</span>'
    return f"{mark} {esc(phase_words(layer, state))}"


def _running_bar(layer: LayerState, state: PanelState) -> str:
    """Before the first score the place of the interval shows how far inference is."""
    if layer.phase != "inferring":
        return ""
    return track(f"{phase_words(layer, state)}: {layer.name}", state.stage_share)


def _interval_bar(score: LayerScore, scale: Scale, table_alone: LayerScore | None, final: bool) -> str:
    """A band from ci_low to ci_high with a point (hollow while interim) and the table-only value as a dashed line.

    Built from widths alone, no positions: JupyterLab cleans those from notebooks it does not trust.
    """
    colour = GREY if score.is_baseline else ACCENT
    low, value, high = (scale.share(v) for v in (score.ci_low, score.value, score.ci_high))
    marks = [(value, _point(colour, final))]
    if table_alone is not None:
        marks.append((scale.share(table_alone.value), _tick()))
    cuts = sorted({0.0, low, high, 100.0, *(at for at, _ in marks)})
    parts = []
    for start, end in pairwise(cuts):
        parts += [mark for at, mark in marks if at == start]
        parts.append(_segment(end - start, colour if low <= start and end <= high else ""))
    parts += [mark for at, mark in marks if at == 100.0]
    label = f"{format_score(score.metric, score.value)}, 95 % interval {format_interval(score)}"
    style = css(display="flex", align_items="center", height="16px", width="100%", min_width="60px")
    return f'<div role="img" aria-label="{esc(label)}" title="{esc(label)}"{style}>{"".join(parts)}</div>'


def _segment(width: float, colour: str) -> str:
    fill = {"background": colour, "opacity": "0.4", "height": "8px"} if colour else {"height": "8px"}
    return f"<div{css(width=f'{width:.2f}%', **fill)}></div>"


def _point(colour: str, final: bool) -> str:
    fill = {"background": colour if final else "var(--jp-layout-color0, transparent)"}
    size = {"width": "7px", "height": "7px", "margin": "0 -5px", "border": f"2px solid {colour}"}
    return f"<div{css(**size, border_radius='50%', flex='none', **fill)}></div>"


def _tick() -> str:
    line = {"width": "0", "height": "16px", "margin": "0 -1px", "border_left": f"2px dashed {GREY}"}
    return f"<div{css(**line, flex='none')}></div>"


def _key(state: PanelState, table_alone: LayerScore | None) -> str:
    """What the marks that are there mean."""
    words = ["dashed: (table), without pictures"] if table_alone else []
    if any(layer.score and not layer.final for layer in state.layers):
        words.append("hollow: early, on part of the rows")
    return muted(esc(DOT.join(words))) if words else ""


def _axis(scale: Scale, metric: str, seconds: bool) -> str:
    """Both ends of the axis under the bars."""
    ends = "".join(f"<span>{esc(format_score(metric, end))}</span>" for end in (scale.low, scale.high))
    line = css(display="flex", justify_content="space-between", gap="8px", opacity="0.75", font_size="0.85em")
    blank = _td("") + _td("") + _td("") + _td(f"<div{line}>{ends}</div>")
    tail = f'<td colspan="{3 if seconds else 2}"{css(**_CELL)}></td>'
    return _tr(blank + tail, top=True)


def layers_text(state: PanelState, metric: str, *, seconds: bool = False, limit: int | None = None) -> str:
    """The same table as plain text; with `limit`, the best layers only, in the order of the network."""
    best = best_of(state.scores)
    layers = _most_useful(state.layers, limit)
    lines: list[tuple[str, ...]] = [("", "layer", metric, "95 % interval", "features", "seconds")]
    for layer in layers:
        mark = "*" if best is not None and layer.name == best.layer else ""
        lines.append((mark, *_text_cells(layer.name, layer.score, _source(layer, state), layer.final)))
    for score in state.baselines:
        lines.append(("", *_text_cells(score.layer, score, "-", True)))
    columns = 6 if seconds else 5
    text = "\n".join(_aligned([line[:columns] for line in lines]))
    hidden = len(state.layers) - len(layers)
    return text + (f"\n  ... and {hidden} more: see .accuracy" if hidden else "")


def _source(layer: LayerState, state: PanelState) -> str:
    return "computed" if layer.phase == "done" else phase_words(layer, state)


def _text_cells(label: str, score: LayerScore | None, source: str, final: bool) -> tuple[str, ...]:
    plain = "".join(c if c.isprintable() else "?" for c in label)
    if score is None:
        return plain, "-", "-", source, "-"
    value = format_score(score.metric, score.value) + ("" if final else " (interim)")
    return plain, value, format_interval(score), source, format_seconds(score.seconds)


def _most_useful(layers: tuple[LayerState, ...], limit: int | None) -> tuple[LayerState, ...]:
    if limit is None or len(layers) <= limit:
        return layers
    kept: list[LayerState] = []
    rest = list(layers)
    while len(kept) < limit:
        best = best_of(layer.score for layer in rest if layer.score)
        chosen = next((layer for layer in rest if best and layer.score is best), rest[-1])
        kept.append(chosen)
        rest.remove(chosen)
    return tuple(layer for layer in layers if layer in kept)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    widths[0] = 1
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
