"""How rows come in waves: growing samples, so that every layer has an early accuracy.

Reads a number of waves, returns bounds. May touch: nothing. DESIGN.md section 7, "Waves": rows are ordered by a
hash of the key (`fingerprint.row_fraction` with the salt `wave`); about 10 %, 30 %, 100 % of them have been seen
at the end of each of three waves.
"""

from __future__ import annotations

__all__ = ["MOST_WAVES", "wave_bounds"]

MOST_WAVES = 3


def wave_bounds(waves: int) -> tuple[tuple[float, float], ...]:
    """(low, high) per wave: rows whose wave fraction lies in [low, high) are new in it.

    >>> wave_bounds(3)
    ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0))
    """
    if waves < 1:
        raise ValueError(f"waves must be at least 1, got {waves}")
    # 1, 0.3, 0.1, 0.03, ...: each wave is about a third of the next
    highs = [(1.0 if k % 2 == 0 else 3.0) / 10 ** ((k + 1) // 2) for k in range(waves)][::-1]
    return tuple(zip([0.0, *highs[:-1]], highs, strict=True))
