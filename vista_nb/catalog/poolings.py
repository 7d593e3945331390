"""Which stored pooling already holds what another one asks for, exactly.

Reads a layer's shape and poolings, returns poolings. May touch: nothing. DESIGN.md sections 3 and 9. A layer that gives
a vector is the same under every pooling; the largest of the four cells of `max 2x2`, which cover the whole plane, is
`max`. `none` holds everything too, but reading a whole tensor per photo is what the optimizer's raw cuts are for.
"""

from __future__ import annotations

from vista_nb.spec.model import Pooling

__all__ = ["poolings_holding"]


def poolings_holding(shape: tuple[int, ...], wanted: Pooling) -> tuple[Pooling, ...]:
    """Other poolings of this layer from which `wanted` follows to the last bit."""
    if len(shape) != 3:
        return tuple(pooling for pooling in Pooling if pooling is not wanted)
    return (Pooling.MAX_2X2,) if wanted is Pooling.MAX else ()
