"""The pages of the live panel: what each draws, from which part of the state, and how often at most.

Reads a Scene (all that the panel knows at one moment), returns HTML. May touch: nothing. DESIGN.md section 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from vista_nb.plan.candidate import Plan
from vista_nb.views.header_view import header_html
from vista_nb.views.layers_view import layers_html
from vista_nb.views.log_view import LogRing, log_html
from vista_nb.views.memory_view import measured_peaks, memory_html
from vista_nb.views.plan_view import plan_html
from vista_nb.views.state import PanelState
from vista_nb.views.store_view import store_html
from vista_nb.views.theme import card, css, esc, muted

__all__ = ["PAGES", "TITLES", "Page", "Scene", "drawn"]


@dataclass(frozen=True)
class Scene:
    """elapsed: seconds since the cell began; since: seconds since the last event."""

    plan: Plan
    metric: str
    state: PanelState
    log: LogRing
    elapsed: float
    since: float


@dataclass(frozen=True)
class Page:
    """draw gives its HTML; reads: the values it depends on: while they are the same, nothing is drawn. period: the
    least seconds between two drawings, so that all pages together stay within the budget of messages.
    """

    name: str
    draw: Callable[[Scene], str]
    reads: Callable[[Scene], tuple[Any, ...]]
    period: float


def _header(scene: Scene) -> str:
    return header_html(scene.state, scene.plan.cnn, scene.elapsed, scene.since)


def _layers(scene: Scene) -> str:
    return layers_html(scene.state, scene.metric, live=True)


def _plan(scene: Scene) -> str:
    return plan_html(scene.plan, scene.state)


def _memory(scene: Scene) -> str:
    state, plan = scene.state, scene.plan
    shown = memory_html(plan.memory, measured_peaks(state.peak), now=measured_peaks(state.memory_now))
    if plan.driver_node is None:
        return shown
    return f"{shown}<div{css(margin='10px 0 0 0')}></div>{memory_html(plan.driver_node, who='the driver machine')}"


def _foot(scene: Scene) -> str:
    """The newest line of the log: what a screen reader is told, and what is seen from every tab."""
    return f'<div role="status" aria-live="polite">{muted(esc(scene.log.last))}</div>' if scene.log.last else ""


def _place(scene: Scene) -> tuple[Any, ...]:
    state = scene.state
    return state.status, state.stage, state.wave, state.done, state.total, len(state.finished)


PAGES: Final = (
    Page("header", _header, lambda s: (*_place(s), round(s.elapsed)), 0.5),
    Page("foot", _foot, lambda s: (s.log.last,), 0.5),
    Page("layers", _layers, lambda s: (*_place(s), s.state.layers, s.state.baselines), 0.5),
    Page("plan", _plan, lambda s: (*_place(s), s.plan), 1.0),
    Page("memory", _memory, lambda s: (s.plan, s.state.memory_now), 1.0),
    Page("store", lambda s: store_html(s.state), lambda s: (s.state.store, s.state.stored, s.state.reused), 1.0),
    Page("log", lambda s: log_html(s.log), lambda s: (s.log,), 1.0),
)
TITLES: Final = ("Layers", "Plan", "Memory", "Store", "Log")
"""The tabs; the pages `header` and `foot` stand above and below them."""


def drawn(page: Page, scene: Scene) -> str:
    """The page in the frame that every view stands in."""
    return card(page.draw(scene))
