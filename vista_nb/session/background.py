"""`--bg`: the run's display follows it from a thread of its own, while the kernel serves the next cells.

Reads a VistaResult's queue, returns at once. May touch: the view it was given. The cell's main thread makes the display
(so that it stands under its own cell), then this one thread alone updates it. It runs in a copy of the cell's context:
ipykernel finds the cell that an output belongs to there (docs/adr/0025). It never prints.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

from vista_nb.session.driving import TICK, finish

if TYPE_CHECKING:
    from vista_nb.result import VistaResult
    from vista_nb.views.protocol import View

__all__ = ["watch"]


def watch(result: VistaResult, view: View) -> None:
    """Draw now, then whenever something happened, until the run has ended."""
    view.update(result.poll())
    thread = threading.Thread(
        target=copy_context().run, args=(_follow, result, view), name=f"vista-view-{result.run_id}", daemon=True
    )
    thread.start()


def _follow(result: VistaResult, view: View) -> None:
    while not result.wait(TICK):
        view.update(result.poll())
    finish(result, view)
