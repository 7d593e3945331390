"""Untrained layers that a staged plan may pass through, where they are small: less lives at once.

Reads facts and what is inferred; returns, for each useful number of them, which. May touch: nothing. Paper: equation 6
counts the two neighbouring tables that live at once; between two wide layers of L a narrow one (MobileNetV2's
projections) makes both pairs smaller. Without this, fewer layers could need more memory, and take longer
(docs/adr/0009).
"""

from __future__ import annotations

from itertools import pairwise

from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.reuse import Reuse

__all__ = ["Stopovers", "stopovers"]

Stopovers = tuple[tuple[str, str], ...]
"""(layer of L, untrained layer passed through just before it), low to high."""


def stopovers(facts: Facts, reuse: Reuse) -> tuple[Stopovers, ...]:
    """None, then in the widest gap, in the two widest, ...: to get below a bound, only pairs above it need one."""
    order = {name: place for place, name in enumerate(facts.layers)}
    gaps = []
    for low, high in pairwise(reuse.inferred):
        narrow = _narrowest(low, high, facts, order)
        if narrow is not None:
            gaps.append((facts.raw[low] + facts.raw[high], high, narrow))
    widest_first = sorted(gaps, key=lambda gap: -gap[0])
    nested = (widest_first[:count] for count in range(len(gaps) + 1))
    return tuple(tuple(sorted(((high, via) for _, high, via in some), key=lambda p: order[p[0]])) for some in nested)


def _narrowest(low: str, high: str, facts: Facts, order: dict[str, int]) -> str | None:
    """The smallest layer between the two, if it is smaller than both: no longer chain does better."""
    between = [name for name, place in order.items() if order[low] < place < order[high]]
    found = min(between, key=lambda name: facts.raw[name], default=None)
    smaller = found is not None and facts.raw[found] < min(facts.raw[low], facts.raw[high])
    return found if smaller else None
