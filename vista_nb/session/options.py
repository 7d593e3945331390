"""What the caller of a run chose outside the spec.

Reads nothing, returns a frozen value. May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """reuse: auto | never | require. profile and overrides (`a.b`, value) come from the flags and win over the spec.

    store_budget: bytes the store may take (None: VISTA_NB_STORE_BYTES, else the default).
    speculate: auto | always | never (None: VISTA_NB_SPECULATE, else auto); the spec's `plan.speculate` wins.
    max_memory (bytes per worker node), max_seconds: a plan beyond them is refused.
    store_dir: a folder, or the address of an object store (None: VISTA_NB_STORE_DIR, else the user's cache). remote:
    whether the object store is looked into.
    verify: check the stored parts' checksums while planning: for a run, not for an explain.
    """

    reuse: str = "auto"
    profile: str | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    store_dir: Path | str | None = None
    verify: bool = False
    speculate: str | None = None
    store_budget: int | None = None
    max_memory: int | None = None
    max_seconds: float | None = None
    remote: bool = True

    @property
    def all_overrides(self) -> tuple[tuple[str, str], ...]:
        profile = (("plan.profile", self.profile),) if self.profile else ()
        return (*self.overrides, *profile)
