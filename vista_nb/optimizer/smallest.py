"""The smallest memory that works, to the byte.

Reads a predicate over bytes, returns bytes or None. May touch: nothing. The predicate must not turn false again as
memory grows; `memory.reserved` is written so that this holds.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["smallest_memory"]

_MOST = 2**60


def smallest_memory(fits: Callable[[int], bool]) -> int | None:
    """Bisection over the total; None where not even an exbibyte would do."""
    high = 1
    while not fits(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
