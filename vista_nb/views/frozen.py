"""Show a finished run once, as html + png + text without any widget mime type.

Reads a finished result, returns the display's id. May touch: IPython's display machinery, from the cell's main
thread. DESIGN.md section 6: what a saved notebook holds must be readable without a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vista_nb.outcome.events import Event
from vista_nb.views.protocol import Finished

__all__ = ["Static", "show_frozen"]


def show_frozen(result: Finished, replacing: str | None = None, *, alone: bool = False) -> None:
    """Display `result`, in the place of the display `replacing` where one is given.

    alone: no cell raises the error of a run that found nothing (`--bg`), so it stands here.
    """
    from IPython.display import display, publish_display_data

    if not result.worth_showing:
        data: dict[str, Any] = {"text/plain": str(result.error) if alone and result.error else ""}
        metadata: dict[str, Any] = {}
    else:
        data, metadata = result._repr_mimebundle_()
    if replacing is not None:
        publish_display_data(data, metadata, transient={"display_id": replacing}, update=True)
    elif result.worth_showing:
        display(data, metadata=metadata, raw=True)


class Static:
    """`--ui static`: nothing while it runs, the frozen form at the end."""

    def update(self, events: Sequence[Event]) -> None:
        """A static view shows the end only."""

    def finish(self, result: Finished) -> None:
        """Display the frozen form once."""
        show_frozen(result)
