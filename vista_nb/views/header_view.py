"""The head of the live panel: what runs, how far it is, how fast, how long still.

Reads a PanelState and a clock, returns HTML or text. May touch: nothing. DESIGN.md section 6.
"""

from __future__ import annotations

from vista_nb.units import format_seconds
from vista_nb.views.state import PanelState
from vista_nb.views.theme import ACCENT, BAD, DOT, GOOD, STAR, css, dot, esc, muted, name, track

__all__ = ["header_html", "header_text"]

_COLOURS = {"running": ACCENT, "done": GOOD, "failed": BAD, "cancelled": STAR}


def header_html(state: PanelState, cnn: str, elapsed: float, since: float = 0.0) -> str:
    """elapsed: seconds since the cell began; since: seconds since the last event. The bar is the whole run's."""
    mark = dot(_COLOURS.get(state.status, ACCENT), hollow=state.status == "planned")
    first = [f"<b>{name(cnn)}</b>", f"{mark}{esc(_status(state))}", *(name(part) for part in _where(state))]
    head = f"<div{css(margin='0 0 1px 0')}>{DOT.join(first)}</div>"
    words = DOT.join(esc(part) for part in _pace(state, elapsed, since))
    bar = track(f"whole run, {100 * state.progress:.0f} %", state.progress)
    return f"{head}{muted(words)}<div{css(margin='4px 0 2px 0')}>{bar}</div>"


def header_text(state: PanelState, cnn: str, elapsed: float, since: float = 0.0) -> str:
    """The same in one line."""
    return DOT.join((cnn, _status(state), *_where(state), *_pace(state, elapsed, since)))


def _status(state: PanelState) -> str:
    return "starting the engines" if state.status == "planned" else state.status


def _where(state: PanelState) -> tuple[str, ...]:
    """The running step and the wave."""
    step = (f"step {state.stage} of {state.stages}: {state.title}",) if state.title and not state.is_over else ()
    return (*step, f"wave {state.wave} of {state.waves}") if step and state.waves > 1 else step


def _pace(state: PanelState, elapsed: float, since: float) -> list[str]:
    parts = [f"{_whole(elapsed)} so far"]
    left = state.left(since)
    if left is not None:
        parts.append(f"about {_whole(max(1.0, left))} left")
    if state.total and not state.is_over:
        parts.append(f"{state.done} of {state.total} images")
    if state.images_per_second:
        parts.append(f"{state.images_per_second:.1f} images/s")
    return parts


def _whole(seconds: float) -> str:
    """Whole seconds: a running clock with decimals only flickers."""
    return format_seconds(float(round(seconds))).replace(".0 s", " s")
