"""The memory regions of one worker, in bytes, and the sizes they were made from.

Reads nothing, returns frozen values. May touch: nothing. Paper: section 4.1, Figure 4; here mapped to processes:
os_reserved (everything else on the machine), driver (kernel, collected results, driver-side training; local mode
only), dl_execution (Python workers with TensorFlow), user + core + storage (the JVM's heap).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MemoryRegions", "Sizes"]


@dataclass(frozen=True)
class MemoryRegions:
    """Bytes per worker; the six regions sum to `total`."""

    os_reserved: int
    driver: int
    dl_execution: int
    user: int
    core: int
    storage: int

    @property
    def total(self) -> int:
        return self.os_reserved + self.driver + self.dl_execution + self.user + self.core + self.storage

    @property
    def heap(self) -> int:
        """What the JVM gets: user, core (execution) and storage memory."""
        return self.user + self.core + self.storage

    def items(self) -> tuple[tuple[str, int], ...]:
        """(name, bytes) in the order they are drawn."""
        names = ("os_reserved", "driver", "dl_execution", "user", "core", "storage")
        return tuple((name, getattr(self, name)) for name in names)


@dataclass(frozen=True)
class Sizes:
    """Table sizes in bytes (equations 5, 6, 16 as DESIGN.md section 7 states them)."""

    t_str: int
    t_img: int
    t_i: tuple[tuple[str, int], ...]
    s_single: int
    s_double: int
