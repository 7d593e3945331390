"""The live panel: core ipywidgets only, made and drawn by the cell's main thread, replaced by a frozen form.

Reads events, returns nothing. May touch: ipywidgets and IPython's display. DESIGN.md section 6.
Nothing is shown in the first second, so a fast cell does not flicker; after that at most `refresh_hz` times a
second, and only what changed is sent. Cancel stays off: a blocking cell is served its clicks only after it has
ended (measured, anchors F6), so the panel points to the kernel's interrupt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any
from uuid import uuid4

from vista_nb.outcome.events import Event
from vista_nb.units import format_seconds
from vista_nb.views.frozen import show_frozen
from vista_nb.views.layers_view import layers_html
from vista_nb.views.memory_view import measured_peaks, memory_html
from vista_nb.views.plan_view import plan_html
from vista_nb.views.protocol import Finished, Viewable
from vista_nb.views.report_view import reuse_lines, small_lines
from vista_nb.views.state import PanelState, apply_all
from vista_nb.views.theme import ACCENT, BAD, DOT, STAR, card, css, esc, muted, name

__all__ = ["Panel", "header_html"]

TITLES = ("Layers", "Plan", "Memory")
_LOG_SHOWN = 3
_STOP = "use the kernel's interrupt (\N{BLACK SQUARE})"


class Panel:
    """One run's panel. `began`: when the cell began, by `clock`; `clock` and `show` are given by tests."""

    def __init__(
        self,
        run: Viewable,
        *,
        progress_after: float = 1.0,
        refresh_hz: float = 10.0,
        began: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[Any, str], None] | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> None:
        self.run = run
        self.cancel = cancel  # what the button calls in `--bg`; None in a blocking cell, which the kernel's interrupt ends
        self.plan = run.plan
        self.state = PanelState.of(self.plan)
        self.progress_after = progress_after
        self.period = 1.0 / refresh_hz
        self.clock = clock
        self.show = show or _display
        self.began = clock() if began is None else began
        self.drawn_at = float("-inf")
        self.widgets: _Widgets | None = None
        self.display_id = uuid4().hex
        import_module("ipywidgets")  # now, while there is nothing to draw: the first paint must not wait for it

    def update(self, events: Sequence[Event]) -> None:
        """Fold the events in; draw if the first second is over and the last drawing is old enough."""
        if self.run.plan is not self.plan:  # the store turned out to hold layers: planned again, once
            self.plan = self.run.plan
            self.state = self.state.planned_again(self.plan)
        self.state = apply_all(self.state, events)
        now = self.clock()
        if now - self.began < self.progress_after or now - self.drawn_at < self.period:
            return
        if self.widgets is None:
            self.widgets = _Widgets()
            self._draw(now)
            self.show(self.widgets.root, self.display_id)
        else:
            self._draw(now)
        self.drawn_at = now

    def _draw(self, now: float) -> None:
        assert self.widgets is not None
        self.widgets.draw(self.state, self.run, now - self.began)

    def finish(self, result: Finished) -> None:
        """Replace the live panel by the frozen form; nothing of the widgets stays behind."""
        show_frozen(result, self.display_id if self.widgets else None, alone=self.cancel is not None)
        if self.widgets is not None:
            self.widgets.close()
            self.widgets = None


def _display(root: Any, display_id: str) -> None:
    from IPython.display import display

    display(root, display_id=display_id)


class _Widgets:
    """The widgets of one panel and nothing else: values in, no decisions."""

    def __init__(self) -> None:
        import ipywidgets as w

        self.header = w.HTML(layout=w.Layout(flex="1 1 auto"))
        self.cancel = w.Button(description="Cancel", disabled=True, tooltip=_STOP, layout=w.Layout(width="80px"))
        self.bar = w.FloatProgress(min=0.0, max=1.0, layout=w.Layout(width="100%", height="10px", margin="0"))
        self.bar.style.bar_color = ACCENT
        self.pages = [w.HTML() for _ in TITLES]
        self.tab = w.Tab(children=self.pages)
        self.tab.titles = TITLES
        self.foot = w.HTML()
        stop = w.HTML(card(muted(_STOP)), layout=w.Layout(flex="0 0 auto"))
        top = w.HBox([self.header, stop, self.cancel], layout=w.Layout(align_items="center"))
        self.root = w.VBox([top, self.bar, self.tab, self.foot], layout=w.Layout(max_width="1000px"))
        self.root.add_class("vista-nb-panel")

    def draw(self, state: PanelState, run: Viewable, elapsed: float) -> None:
        """Set the values; ipywidgets sends only those that differ."""
        plan = run.plan
        self.header.value = card(header_html(state, plan.cnn, elapsed))
        self.bar.value = round(state.progress, 3)
        self.pages[0].value = card(layers_html(state, run.metric, live=True))
        self.pages[1].value = card(plan_html(plan, state))
        self.pages[2].value = card(memory_html(plan.memory, measured_peaks(state.peak)))
        self.foot.value = card(_foot(state))

    def close(self) -> None:
        """Close every model, layouts and styles too, or they would be saved with the notebook."""
        import ipywidgets as w

        todo: list[Any] = [self.root]
        while todo:
            widget = todo.pop()
            todo += [value for value in widget.trait_values().values() if isinstance(value, w.Widget)]
            todo += list(getattr(widget, "children", ()))
            widget.close()


def header_html(state: PanelState, cnn: str, elapsed: float) -> str:
    """Status and the running step; then how far it is, how fast, how long still."""
    first = [f"<b>{name(cnn)}</b>", f"<span{css(color=ACCENT)}>{esc(state.status)}</span>"]
    if state.title:
        first.append(f"step {state.stage} of {state.stages}: {name(state.title)}")
    if state.waves > 1:
        first.append(f"wave {state.wave} of {state.waves}")
    return f"<div>{DOT.join(first)}</div>{muted(DOT.join(_pace(state, elapsed)))}"


def _pace(state: PanelState, elapsed: float) -> list[str]:
    parts = [f"{_whole(elapsed)} so far"]
    if state.eta is not None:
        parts.append(f"about {_whole(max(1.0, state.eta))} left")
    if state.total:
        parts.append(f"{state.done} of {state.total} images")
    if state.images_per_second:
        parts.append(f"{state.images_per_second:.1f} images/s")
    return parts


def _whole(seconds: float) -> str:
    """Whole seconds: a running clock with decimals only flickers."""
    return format_seconds(float(round(seconds))).replace(".0 s", " s")


def _foot(state: PanelState) -> str:
    """What was reused, and the last lines of the log, warnings marked."""
    reused = small_lines(reuse_lines(state.reused))
    colours = {"warning": STAR, "error": BAD}
    lines = []
    for line in state.log[-_LOG_SHOWN:]:
        level = f"<span{css(color=colours[line.level])}>{esc(line.level)}</span> " if line.level in colours else ""
        lines.append(muted(level + esc(line.text)))
    return reused + "".join(lines)
