"""What a cell of `--bg` shows where there is no live panel: one sentence, and later the frozen form in its place.

Reads a submitted run, returns nothing. May touch: IPython's display. DESIGN.md section 4. The first `update` comes from
the cell's main thread and makes the display; what follows comes from another thread, which must not make a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from vista_nb.outcome.events import Event
from vista_nb.views.choose import exact, view_for
from vista_nb.views.frozen import show_frozen
from vista_nb.views.protocol import Finished, Hidden, View, Viewable

__all__ = ["Announced", "background_view", "going_words"]


def going_words(run_id: str) -> str:
    """`r1 runs in the background: %vista wait r1 waits and shows it, %vista cancel r1 stops it`."""
    return f"{run_id} runs in the background: %vista wait {run_id} waits and shows it, %vista cancel {run_id} stops it"


def background_view(kind: str, result: Viewable, run_id: str, cancel: Callable[[], None], **traits: Any) -> View:
    """The view of a run in the background. kind: as `choose.resolve` returns it; traits go to the live panel."""
    if kind == "widget":
        return view_for(kind, result, cancel=cancel, **(traits | {"progress_after": 0.0}))
    return Hidden() if kind == "off" else Announced(run_id, replaced=kind == "static" and exact())


class Announced:
    """Says once that the run goes on. replaced: the frozen form takes the sentence's place; never in a terminal, nor
    where output must be the same every time (VISTA_NB_UI=static: nbval ignores such updates).
    """

    def __init__(self, run_id: str, replaced: bool) -> None:
        self.words = going_words(run_id)
        self.replaced = replaced
        self.display_id = uuid4().hex
        self.said = False

    def update(self, events: Sequence[Event]) -> None:  # noqa: ARG002 (the protocol)
        """The sentence, at the first call."""
        if self.said:
            return
        from IPython.display import display

        self.said = True
        shown = {"text/plain": self.words}
        display(shown, raw=True, **({"display_id": self.display_id} if self.replaced else {}))

    def finish(self, result: Finished) -> None:
        """The frozen form, or the error where nothing was found out."""
        if self.replaced:
            show_frozen(result, self.display_id, alone=True)
