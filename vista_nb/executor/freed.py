"""Freed memory goes back to the system, so that the kernel holds what is planned for it and no more.

Reads nothing, returns nothing. May touch: Arrow's memory pool, the C library's heap. DESIGN.md section 8 (the driver
region). Both keep what was freed for later use: after a few runs that was as much again as the region.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import pyarrow as pa

__all__ = ["give_back"]


def give_back() -> None:
    """After a layer was written, or its matrix was made and its source is gone."""
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    """Glibc's malloc_trim; None elsewhere."""
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # Windows has no such handle
        return None
