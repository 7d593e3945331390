"""The memory tier of the Spark that is up: one per SparkContext, gone with it.

Reads which Spark is up; returns its tier. May touch: nothing. DESIGN.md section 9.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaCancelled

if TYPE_CHECKING:
    from vista_nb.executor.memory_tier import MemoryTier
    from vista_nb.plan.candidate import Plan

__all__ = ["current_tier", "kept_if_well", "room_left", "tier_of"]

_tiers: list[tuple[Callable[[], Any], MemoryTier]] = []  # one at most


def tier_of(context: Any) -> MemoryTier:
    """The tier of this Spark; a new one where it is another Spark than before."""
    from vista_nb.executor.memory_tier import MemoryTier

    if not _tiers or _tiers[0][0]() is not context:
        _tiers[:] = [(weakref.ref(context), MemoryTier())]
    return _tiers[0][1]


def current_tier() -> MemoryTier | None:
    """Of the Spark that is up now; None where none is, or nothing was kept yet."""
    if "pyspark" not in sys.modules:
        return None
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    return _tiers[0][1] if context is not None and _tiers and _tiers[0][0]() is context else None


@contextmanager
def kept_if_well() -> Iterator[None]:
    """Around a walk: where it fails, what lies in memory may be why (an executor was lost): nothing of it is kept."""
    try:
        yield
    except VistaCancelled:
        raise
    except BaseException:
        tier = current_tier()
        if tier is not None:
            tier.clear()
        raise


def room_left(plan: Plan) -> int:
    """Bytes of Storage Memory that a plan does not fill itself, over its nodes."""
    if plan.chosen is None or plan.chosen.peak is None:
        return 0
    return max(0, plan.memory.storage - plan.chosen.peak.storage) * plan.physical.nodes
