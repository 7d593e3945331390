"""`--vary memory=2g..64g`: the same cell planned for many machines.

Reads a spec, or a run of this kernel, and the range as text; returns a `Variation`. May touch: what `prepare` reads.
DESIGN.md section 7, what-if. Starts no engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vista_nb.errors import VistaUsageError
from vista_nb.optimizer.vary import VARIED, vary
from vista_nb.plan.variation import Variation
from vista_nb.session.options import Options
from vista_nb.session.prepare import Prepared, plan_with, prepare
from vista_nb.session.runs import find_prepared
from vista_nb.units import parse_bytes

__all__ = ["parse_range", "vary_run", "vary_spec"]

_HINT = "write --vary memory=2g..64g, --vary nodes=1..64 or --vary cores=1..16"


def parse_range(text: str) -> tuple[str, int, int]:
    """`memory=2g..64g` -> ("memory", 2e9, 64e9). Raises VistaUsageError."""
    key, _, span = text.partition("=")
    low, dots, high = span.partition("..")
    if key not in VARIED or not dots:
        raise VistaUsageError("VST009", f"--vary: {text!r} is not KEY=LOW..HIGH", _HINT)
    try:
        first, last = (parse_bytes(end) if key == "memory" else int(end) for end in (low, high))
    except ValueError as error:
        raise VistaUsageError("VST009", f"--vary: {error}", _HINT) from None
    if not 0 < first <= last:
        raise VistaUsageError("VST009", f"--vary: {low} .. {high} holds no {key}", _HINT)
    if key != "memory" and last > 100_000:
        raise VistaUsageError("VST009", f"--vary: {last} {key} are more than any cluster has", _HINT)
    return key, first, last


def vary_spec(
    source: str | Mapping[str, object] | Path,
    varied: str,
    *,
    namespace: Mapping[str, object] | None = None,
    profile: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    reuse: str = "auto",
    store_dir: Path | str | None = None,
) -> Variation:
    """Where the plan of this spec changes."""
    span = parse_range(varied)
    return _vary(prepare(source, namespace or {}, Options(reuse, profile, tuple(overrides), store_dir)), span)


def vary_run(name: str | None, varied: str) -> Variation:
    """Where the plan of the last run, or of the one named, would change."""
    span = parse_range(varied)
    return _vary(find_prepared(name), span)


def _vary(prepared: Prepared, span: tuple[str, int, int]) -> Variation:
    key, low, high = span
    return vary(prepared.snapshot, key, low, high, lambda snapshot: plan_with(prepared, snapshot))
