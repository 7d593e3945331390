"""The cell's main thread while a run goes on: drain events, draw, obey the interrupt.

Reads a VistaResult's queue, returns the result or raises. May touch: the view it was given.
The thread waits on an Event, never on join (after KeyboardInterrupt a joined thread can look dead before it has
recorded its error); nothing is drawn from the worker thread (DESIGN.md section 6).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from vista_nb.errors import VistaCancelled

if TYPE_CHECKING:
    from vista_nb.result import VistaResult
    from vista_nb.views.protocol import View

__all__ = ["TICK", "drive", "finish", "wait_for"]

TICK = 0.1  # seconds: at most ten redraws a second
_GRACE = 1.0  # seconds an interrupted run gets to end by itself: drawn once more, the kernel is idle within two


def drive(result: VistaResult, view: View) -> VistaResult:
    """Draw until the run ends. KeyboardInterrupt cancels it and becomes VistaCancelled, saying what was kept."""
    try:
        while not result.wait(TICK):
            view.update(result.poll())
    except KeyboardInterrupt:
        ended = _cancel(result)
        with suppress(KeyboardInterrupt):  # one more: no time for a last picture
            finish(result, view)
        raise _cancelled(result, ended) from None
    finish(result, view)
    if result.error is not None:
        raise result.error
    return result


def finish(result: VistaResult, view: View) -> None:
    """The last events, then the frozen form in the place of the live one; the run is kept for later kernels."""
    from vista_nb.session.saved_runs import keep

    view.update(result.poll())
    view.finish(result)
    keep(result)


def _cancel(result: VistaResult) -> bool:
    """Ask the run to stop and wait a little; false when it did not end in time or the user interrupted again."""
    result.cancel()
    end = time.monotonic() + _GRACE
    try:
        while time.monotonic() < end:
            if result.wait(TICK):
                return True
    except KeyboardInterrupt:
        return False
    return False


def _cancelled(result: VistaResult, ended: bool) -> VistaCancelled:
    if isinstance(result.error, VistaCancelled):
        return result.error
    kept = [score.layer for score in result.outcome.scores if not score.is_baseline]
    left = "cancelling: a step that cannot be stopped now may still run, and is left to end"
    message = "the run was cancelled" if ended else left
    return VistaCancelled(message, kept)


def wait_for(result: VistaResult) -> VistaResult:
    """Wait for a run in the background and raise what it raised. An interrupt ends the waiting, not the run."""
    try:
        while not result.wait(TICK):
            pass
    except KeyboardInterrupt:
        name = result.run_id
        raise VistaCancelled(f"no longer waiting; run {name} goes on: %vista cancel {name} stops it", None) from None
    if result.error is not None:
        raise result.error
    return result
