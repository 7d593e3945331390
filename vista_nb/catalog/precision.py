"""What `precision: bfloat16` changes of a CNN's numbers: seconds per image, bytes of its weights.

Reads `bfloat16.json` beside this file (written by benchmarks/bfloat16.py, never by hand); returns the facts as the
optimizer should see them. May touch: that one file. DESIGN.md sections 3 and 8; docs/adr/0014.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from vista_nb.catalog.roster import CNNFacts
from vista_nb.spec.model import Precision

__all__ = ["ASSUMED_RATIO", "SPREAD_UNKNOWN", "bfloat16_note", "bfloat16_ratio", "in_precision"]

ASSUMED_RATIO = 0.75  # a CNN that was never measured: between what was seen of the roster
SPREAD_UNKNOWN = 0.5
_SAME = 0.98  # less than that is worth nothing


def bfloat16_ratio(cnn: CNNFacts) -> float | None:
    """Seconds per image in bfloat16 over those in float32, as measured; None for a CNN outside the roster."""
    return _ratios().get(cnn.name)


def in_precision(cnn: CNNFacts, precision: Precision) -> CNNFacts:
    """The CNN's facts where it computes in `precision`; the weights take half of the bytes in bfloat16."""
    if precision is Precision.FLOAT32:
        return cnn
    ratio = bfloat16_ratio(cnn) or ASSUMED_RATIO
    saved = cnn.serialized // 2
    layers = tuple(replace(layer, seconds=layer.seconds * ratio) for layer in cnn.layers)
    return replace(cnn, layers=layers, serialized=cnn.serialized - saved, resident=max(0, cnn.resident - saved))


def bfloat16_note(cnn: CNNFacts, precision: Precision) -> tuple[str, ...]:
    """A sentence where bfloat16 does not pay, or where nobody knows."""
    if precision is Precision.FLOAT32:
        return ()
    ratio = bfloat16_ratio(cnn)
    if ratio is None:
        return (f"{cnn.name} was never measured in bfloat16: {ASSUMED_RATIO} of float32's seconds is assumed",)
    if ratio >= _SAME:
        return (f"bfloat16 is no faster for {cnn.name}: {ratio:.2f} of float32's seconds were measured; leave it out",)
    return ()


@cache
def _ratios() -> dict[str, float]:
    data = json.loads(Path(__file__).with_name("bfloat16.json").read_text(encoding="utf-8"))
    return {entry["cnn"]: float(entry["ratio"]) for entry in data["cnns"]}
