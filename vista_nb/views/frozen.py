"""Show a finished run once, as html + png + text without any widget mime type.

Reads a finished result, returns MIME bundles. May touch: IPython's display machinery: new displays from the cell's main
thread only, replacements from the one thread that draws. DESIGN.md section 6: what a saved notebook holds must be
readable without a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vista_nb.outcome.events import Event
from vista_nb.views.protocol import Finished
from vista_nb.views.theme import card, css, esc

__all__ = ["Static", "frozen_bundle", "publish", "show_frozen"]

Bundle = tuple[dict[str, Any], dict[str, Any]]


def frozen_bundle(result: Finished, alone: bool = False) -> Bundle:
    """Data and metadata of what stays: the result, or nothing where the error below the cell says all.

    alone: a run in the background, whose cell has long ended: no error will stand below it, so it is shown here.
    """
    if result.worth_showing:
        return result._repr_mimebundle_()
    if not alone or result.error is None:
        return {"text/plain": ""}, {}
    said = f"{type(result.error).__name__}: {result.error}"
    return {
        "text/plain": said,
        "text/html": card(f"<pre{css(margin='0', white_space='pre-wrap')}>{esc(said)}</pre>"),
    }, {}


def publish(data: dict[str, Any], metadata: dict[str, Any], replacing: str | None = None) -> None:
    """Display a bundle, in the place of the display `replacing` where one is given."""
    from IPython.display import display, publish_display_data

    if replacing is not None:
        publish_display_data(data, metadata, transient={"display_id": replacing}, update=True)
    else:
        display(data, metadata=metadata, raw=True)


def show_frozen(result: Finished, replacing: str | None = None, *, alone: bool = False) -> None:
    """Display `result`, in the place of the display `replacing` where one is given. alone: as in `frozen_bundle`."""
    if replacing is not None or result.worth_showing:
        publish(*frozen_bundle(result, alone), replacing=replacing)


class Static:
    """`--ui static`: nothing while it runs, the frozen form at the end."""

    def update(self, events: Sequence[Event]) -> None:
        """A static view shows the end only."""

    def finish(self, result: Finished) -> None:
        """Display the frozen form once."""
        show_frozen(result)
