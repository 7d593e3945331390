"""What a run may keep for later cells: the setting, the store's room to spare, and what it has already.

Reads the spec's `plan.speculate`, `%config VistaMagic.speculate`, VISTA_NB_SPECULATE and the store; returns catalog
values for the optimizer. May touch: the environment and the store, read only. DESIGN.md section 9; docs/adr/0022.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vista_nb.catalog.snapshot import NOTHING_BESIDE, Beside
from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaStoreError
from vista_nb.session.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from vista_nb.store.files import Store

__all__ = ["MODES", "VARIABLE", "beside"]

MODES = ("auto", "always", "never")
VARIABLE = "VISTA_NB_SPECULATE"


def beside(
    store: Store,
    workload: Workload,
    needed: set[str],
    missing: int | None,
    key_of: Callable[[str], str],
    options: Options,
) -> Beside:
    """For this workload, now. Where nothing is inferred, or the run is to be a baseline, nothing is kept."""
    mode = _mode(workload, options)
    if mode == "never" or not missing:
        return NOTHING_BESIDE
    asked = workload.layer_names
    others = [layer.name for layer in workload.cnn.counted if not layer.cut and layer.name not in asked]
    try:
        room = store.spare()
        held = frozenset(name for name in others if _has_all(store, key_of(name), needed))
    except VistaStoreError:
        return NOTHING_BESIDE  # a store that cannot be used keeps nothing
    return Beside(mode, room, held)


def _mode(workload: Workload, options: Options) -> str:
    """The cell's word, else the notebook's, else the environment's. `--reuse never` is a baseline. Raises VST620."""
    if workload.spec.plan.speculate:
        return workload.spec.plan.speculate
    if options.reuse == "never":
        return "never"
    named, value = "VistaMagic.speculate", options.speculate
    if not value or value == "auto":
        named, value = VARIABLE, os.environ.get(VARIABLE, "").strip().lower() or "auto"
    if value not in MODES:
        raise VistaStoreError("VST620", f"{named}={value!r} is no such setting", f"one of: {', '.join(MODES)}")
    return value


def _has_all(store: Store, key: str, needed: set[str]) -> bool:
    known = store.lookup(key)
    return known is not None and known.rows >= len(needed) and needed <= store.digests(key)
