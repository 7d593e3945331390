"""The small tables of `%vista` and `vista-nb`: stored layers, checks of the machine, CNNs and their layers.

Reads the roster and what session returns, returns views.Table values. May touch: nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts, Roster, load_roster
from vista_nb.errors import VistaUsageError
from vista_nb.spec.suggest import did_you_mean
from vista_nb.units import format_bytes
from vista_nb.views.numbers import format_age
from vista_nb.views.table_view import Table

if TYPE_CHECKING:
    from vista_nb.session.health import Check
    from vista_nb.store.manifest import LayerSet

__all__ = ["cnns_table", "doctor_table", "layers_table", "store_table"]


def cnns_table(roster: Roster | None = None) -> Table:
    """Every CNN of the roster."""
    rows = [_cnn_row(cnn) for cnn in (roster or load_roster()).cnns]
    heads = ("cnn", "input", "layers", "parameters", "size", "weights", "")
    note = "`%vista layers NAME` lists the layers of one"
    return Table(heads, tuple(rows), frozenset({2, 3, 4}), note=note)


def _cnn_row(cnn: CNNFacts) -> tuple[str, ...]:
    size = f"{cnn.input_height} x {cnn.input_width}"
    note = "plans only, cannot run yet" if cnn.plan_only else ""
    parameters = f"{cnn.parameters / 1e6:.1f} M"
    return cnn.name, size, str(len(cnn.layers)), parameters, format_bytes(cnn.serialized), cnn.default_weights, note


def layers_table(name: str, roster: Roster | None = None) -> Table:
    """The layers of one CNN, low to high. Raises VistaUsageError for an unknown name."""
    roster = roster or load_roster()
    cnn = roster.find(name)
    if cnn is None:
        raise VistaUsageError("VST007", f"unknown CNN {name!r}", did_you_mean(name, roster.names, "CNNs"))
    rows = []
    for layer in cnn.layers:
        marks = ["default"] if layer.name in cnn.default_layers else []
        marks += ["class scores"] if layer.is_class else []
        shape = " x ".join(map(str, layer.shape))
        gflop = f"{layer.flops / 1e9:.2f}"
        rows.append((layer.name, ", ".join(layer.aliases), shape, str(layer.length), gflop, ", ".join(marks)))
    heads = ("layer", "also", "shape", "values", "GFLOP from the image", "")
    return Table(heads, tuple(rows), frozenset({3, 4}), caption=f"{cnn.name}, low to high")


def store_table(sets: Sequence[LayerSet], now: float | None = None) -> Table:
    """The layer sets of the store."""
    now = time.time() if now is None else now
    rows = []
    for held in sets:
        facts = held.facts
        age = format_age(max(0.0, now - max((part.created for part in held.parts), default=now)))
        rows.append((facts.cnn, facts.layer, facts.pooling, facts.precision, str(held.rows), str(facts.width)))
        rows[-1] += (format_bytes(held.size), held.run, age)  # type: ignore[assignment]
    heads = ("cnn", "layer", "pool", "precision", "images", "values", "size", "run", "age")
    total = format_bytes(sum(held.size for held in sets))
    note = f"{total} in all" if rows else "the store is empty: layers are stored by the first run that makes them"
    return Table(heads, tuple(rows), frozenset({4, 5, 6}), note=note)


def doctor_table(checks: Sequence[Check]) -> Table:
    """Each check with its finding, and the fix where something is missing."""
    rows = tuple(("ok" if check.ok else "MISSING", check.name, check.detail, check.fix) for check in checks)
    bad = sum(not check.ok for check in checks)
    return Table(("", "check", "found", "what to do"), rows, note=f"{bad} to fix" if bad else "ready for a run")
