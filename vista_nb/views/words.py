"""Text that a notebook shows as text.

Reads text, returns a str that prints without quotes. May touch: nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Words"]


class Words(str):
    """Text that a notebook shows without quotes."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(str(self))
