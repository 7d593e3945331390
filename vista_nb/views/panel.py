"""The live panel: when it appears, what it says how often, and how the frozen form takes its place.

Reads events, returns nothing. May touch: ipywidgets and IPython's display. DESIGN.md section 6, ADR 24.
Nothing is shown in the first second, so a fast cell does not flicker; after that at most `refresh_hz` messages a
second, and only what changed is sent. Cancel is live in `--bg`; a blocking cell is served its clicks only after it has
ended (measured, anchors F6), so there the panel points to the kernel's interrupt. One thread at a time calls it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from uuid import uuid4

from vista_nb.outcome.events import Event
from vista_nb.views.frozen import frozen_bundle, publish, show_frozen
from vista_nb.views.log_view import LogRing
from vista_nb.views.pace import Pace
from vista_nb.views.pages import PAGES, Page, Scene, drawn
from vista_nb.views.panel_widgets import PanelWidgets
from vista_nb.views.protocol import Finished, Viewable
from vista_nb.views.state import PanelState, apply

__all__ = ["Panel"]

_KEPT: Final = 4  # finished panels whose last widget is kept for pages that were loaded again
_finished: deque[PanelWidgets] = deque()


@dataclass(frozen=True)
class _Sent:
    """What a page last sent, when, and of which values it was drawn."""

    html: str
    at: float
    values: tuple[Any, ...]


class Panel:
    """One run's panel. `began`: when the cell began, by `clock`; `clock` and `show` are given by tests.

    cancel: what the Cancel button calls in `--bg`, None in a blocking cell. With it the panel is shown at the first
    update, because the cell is about to end, and only what is displayed before that belongs to it.
    """

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
        self.plan = run.plan
        self.state = PanelState.of(self.plan)
        self.log = LogRing()
        self.progress_after = progress_after if cancel is None else 0.0
        self.clock = clock
        self.show = show or _display
        self.cancel = cancel
        self.began = clock() if began is None else began
        self.heard_at = self.began  # the last event
        self.pace = Pace(max(1, round(refresh_hz)))
        self.sent: dict[str, _Sent] = {}
        self.widgets: PanelWidgets | None = None
        self.display_id = uuid4().hex
        import_module("ipywidgets")  # now, while there is nothing to draw: the first paint must not wait for it

    def update(self, events: Sequence[Event]) -> None:
        """Fold the events in; draw what is due, once the first second is over."""
        if self.run.plan is not self.plan:  # the store turned out to hold layers: planned again, once
            self.plan = self.run.plan
            self.state = self.state.planned_again(self.plan)
        now = self.clock()
        for event in events:
            self.state = apply(self.state, event)
            self.log = self.log.took(event, self.state)
            self.heard_at = now
        if now - self.began < self.progress_after:
            return
        scene = Scene(self.plan, self.run.metric, self.state, self.log, now - self.began, now - self.heard_at)
        if self.widgets is None:
            self._open(scene, now)
            return
        for page in PAGES:
            if self._is_due(page, scene, now):
                self._send(page, scene, now)

    def _open(self, scene: Scene, now: float) -> None:
        self.sent = {page.name: _Sent(drawn(page, scene), now, page.reads(scene)) for page in PAGES}
        self.widgets = PanelWidgets({name: sent.html for name, sent in self.sent.items()}, self.cancel)
        self.show(self.widgets.root, self.display_id)

    def _is_due(self, page: Page, scene: Scene, now: float) -> bool:
        """A page whose values changed is drawn after its period, and while the second has room for a message."""
        sent = self.sent[page.name]
        return now - sent.at >= page.period and sent.values != page.reads(scene) and self.pace.may(now)

    def _send(self, page: Page, scene: Scene, now: float) -> None:
        assert self.widgets is not None
        html, before = drawn(page, scene), self.sent[page.name].html
        self.sent[page.name] = _Sent(html, now, page.reads(scene))
        if html != before:
            self.widgets.html[page.name].value = html
            self.pace.spent(now)

    def finish(self, result: Finished) -> None:
        """Replace the live panel by the frozen form, which has no widget in it."""
        if self.widgets is None:
            show_frozen(result)
            return
        data, metadata = frozen_bundle(result, alone=self.cancel is not None)
        publish(data, metadata, replacing=self.display_id)
        self.widgets.end(data.get("text/html", ""))
        _finished.append(self.widgets)
        self.widgets = None
        while len(_finished) > _KEPT:
            _finished.popleft().close()


def _display(root: Any, display_id: str) -> None:
    from IPython.display import display

    display(root, display_id=display_id)
