"""The small tables of `%vista` and `vista-nb`: stored layers, checks of the machine, CNNs and their layers.

Reads the roster and what session returns, returns views.Table values. May touch: nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts, LayerFacts, Roster, load_roster
from vista_nb.catalog.sizes import pooled_length
from vista_nb.errors import VistaUsageError
from vista_nb.spec.model import Pooling
from vista_nb.spec.suggest import did_you_mean
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.numbers import format_age
from vista_nb.views.table_view import Table

if TYPE_CHECKING:
    from vista_nb.session.calibration_cache import CNNRecord
    from vista_nb.session.health import Check
    from vista_nb.store.admin import Holding, Inventory

__all__ = ["calibration_table", "cnns_table", "doctor_table", "layers_table", "store_table", "told"]


def cnns_table(roster: Roster | None = None) -> Table:
    """Every CNN of the roster."""
    rows = [_cnn_row(cnn) for cnn in (roster or load_roster()).cnns]
    heads = ("cnn", "input", "layers", "parameters", "size", "weights")
    note = "`%vista layers NAME` lists the layers of one"
    return Table(heads, tuple(rows), frozenset({2, 3, 4}), note=note)


def _cnn_row(cnn: CNNFacts) -> tuple[str, ...]:
    size = f"{cnn.input_height} x {cnn.input_width}"
    parameters = f"{cnn.parameters / 1e6:.1f} M"
    return cnn.name, size, str(len(cnn.layers)), parameters, format_bytes(cnn.serialized), cnn.default_weights


def layers_table(name: str | CNNFacts, said: str = "", roster: Roster | None = None) -> Table:
    """The layers of one CNN, low to high: of the roster by name, or any by its facts. said: whose seconds they are.
    Raises VistaUsageError for an unknown name.
    """
    roster = roster or load_roster()
    cnn = name if isinstance(name, CNNFacts) else roster.find(name)
    if cnn is None:
        raise VistaUsageError("VST007", f"unknown CNN {name!r}", did_you_mean(str(name), roster.names, "CNNs"))
    heads = ("layer", "also", "shape", "max 2x2", "avg", "raw bytes", "GFLOP", "share", "ms per image", "")
    note = "max 2x2, avg: values once pooled; raw bytes: stored to go on from there; GFLOP, share, ms: from the image"
    caption = f"{cnn.name}, low to high{f'; {said}' if said else ''}"
    rows = tuple(_layer_row(layer, cnn) for layer in cnn.layers)
    return Table(heads, rows, frozenset(range(3, 9)), caption=caption, note=note)


def _layer_row(layer: LayerFacts, cnn: CNNFacts) -> tuple[str, ...]:
    marks = ["default"] if layer.name in cnn.default_layers else []
    marks += ["top k"] if layer.name in cnn.offered else []
    marks += ["class scores"] if layer.is_class else []
    marks += [f"cut of {len(layer.cut)}"] if len(layer.cut) > 1 else []
    whole = max(other.flops for other in cnn.layers)
    return (
        layer.name,
        ", ".join(layer.aliases),
        " x ".join(map(str, layer.shape)),
        *(str(pooled_length(layer.shape, pooling)) for pooling in (Pooling.MAX_2X2, Pooling.AVG)),
        format_bytes(4 * layer.stored_length),
        f"{layer.flops / 1e9:.2f}",
        f"{layer.flops / whole:.0%}" if whole else "",
        f"{1000 * layer.seconds:.3g}" if layer.seconds else "",
        ", ".join(marks),
    )


def calibration_table(records: Sequence[CNNRecord], roster: Roster | None = None) -> Table:
    """What was measured of each CNN on this machine, beside the roster's seconds."""
    roster = roster or load_roster()
    rows = []
    for record in records:
        top, seconds = list(record.layer_seconds.items())[-1]
        known = roster.find(record.cnn)
        layer = known.layer(top) if known else None
        expected = f"{1000 * layer.seconds:.3g}" if layer and layer.seconds else ""
        peaks = dict(record.peaks)
        held = [format_bytes(peaks[batch]) if batch in peaks else "" for batch in (8, 32)]
        start = f"{record.start.value:.1f} s" if record.start else ""
        size = format_bytes(record.serialized) if record.serialized else ""
        rows.append((record.cnn, top, f"{1000 * seconds.value:.3g}", expected, start, *held, size))
    heads = ("cnn", "to layer", "ms per image", "in the roster", "start-up", "worker, batch 8", "batch 32", "artifact")
    return Table(heads, tuple(rows), frozenset(range(2, 8)), note="the plans to come use these numbers")


def store_table(found: Inventory, now: float | None = None) -> Table:
    """The layer sets of the store, and how much of the budget they take."""
    now = time.time() if now is None else now
    rows = tuple(_store_row(holding, now, bool(found.remote)) for holding in found.holdings)
    heads = ("id", "cnn", "layer", "pool", "precision", "images", "values", "size", "run", "age", "used", "reused")
    last = ("saved", "remote", "") if found.remote else ("saved", "")
    saved = sum(holding.saved for holding in found.holdings)
    notes = [f"{format_bytes(found.size)} of {format_bytes(found.budget)}" + _saved(saved)]
    if not rows:
        notes = ["the store is empty: layers are stored by the first run that makes them"]
    notes += [f"{folder.name} ({format_bytes(size)}) is of another version: ignored" for folder, size in found.others]
    if found.remote:
        size = format_bytes(sum(holding.remote_bytes for holding in found.holdings))
        notes.append(f"remote: {size} in {found.remote}")
    return Table((*heads, *last), rows, frozenset({5, 6, 7, 11}), note="; ".join((*notes, *found.notes)))


def _store_row(holding: Holding, now: float, remote: bool) -> tuple[str, ...]:
    """A layer set that lies in the remote store alone has no age and no use here."""
    layers, facts = holding.layers, holding.layers.facts
    ages = [format_age(max(0.0, now - when)) if layers.parts else "" for when in (layers.created, holding.used)]
    away = f"{holding.remote_rows} images, {format_bytes(holding.remote_bytes)}" if holding.remote_rows else ""
    marks = [mark for mark, so in (("pinned", holding.pinned), ("in use", holding.in_use)) if so]
    return (
        layers.key[:8],
        facts.cnn,
        facts.layer,
        facts.pooling,
        facts.precision,
        str(layers.rows),
        str(facts.width),
        format_bytes(layers.size),
        layers.run,
        *ages,
        f"{holding.times}x" if holding.times else "",
        format_seconds(holding.saved) if holding.saved else "",
        *([away] if remote else []),
        ", ".join(marks),
    )


def _saved(seconds: float) -> str:
    return f"; {format_seconds(seconds)} of inference saved so far" if seconds else ""


def told(*lines: str) -> Table:
    """Lines without columns."""
    return Table((), (), note="; ".join(lines))


def doctor_table(checks: Sequence[Check]) -> Table:
    """Each check with its finding, and the fix where something is missing."""
    rows = tuple(("ok" if check.ok else "MISSING", check.name, check.detail, check.fix) for check in checks)
    bad = sum(not check.ok for check in checks)
    return Table(("", "check", "found", "what to do"), rows, note=f"{bad} to fix" if bad else "ready for a run")
