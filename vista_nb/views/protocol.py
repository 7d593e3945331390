"""What a view is, and what it may know of a run: the seam between drawing and running.

Reads nothing, returns nothing. May touch: nothing. DESIGN.md sections 6 and 12 (views never import the executor).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from vista_nb.outcome.events import Event
from vista_nb.plan.candidate import Plan

__all__ = ["Finished", "Hidden", "View", "Viewable"]


class Finished(Protocol):
    """A run that has ended and can be shown without anything live."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]: ...

    @property
    def worth_showing(self) -> bool:
        """False where nothing was found out: the error that follows says all."""
        ...

    @property
    def error(self) -> BaseException | None:
        """What ended a run that did not end well."""
        ...


class Viewable(Protocol):
    """A submitted run as a view sees it before the first event."""

    @property
    def plan(self) -> Plan: ...

    @property
    def metric(self) -> str: ...


class View(Protocol):
    """Called by the cell's main thread only, at most ten times a second."""

    def update(self, events: Sequence[Event]) -> None:
        """Take what happened since the last call (perhaps nothing) and draw if it is time."""
        ...

    def finish(self, result: Finished) -> None:
        """Put the final, static form in the place of the live one."""
        ...


class Hidden:
    """The view of `--ui off` and `-q`: nothing at all."""

    def update(self, events: Sequence[Event]) -> None:
        """Nothing to draw."""

    def finish(self, result: Finished) -> None:
        """Nothing to replace."""
