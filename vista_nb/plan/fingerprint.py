"""Content keys: the name under which a layer's features are kept, and the hashes that split rows.

Reads values, returns text and numbers. May touch: hashlib. DESIGN.md section 9: a layer set is keyed by model
digest, preprocessing with input size, layer, pooling and precision, and by nothing else (no path, no label, no
split), so that every later cell that needs the same features finds them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vista_nb.catalog.roster import LayerFacts

__all__ = [
    "RAW",
    "SPLIT_SALT",
    "TUNE_SALT",
    "WAVE_SALT",
    "layer_key",
    "preprocessing_key",
    "raw_pooling",
    "row_fraction",
    "short",
]

SPLIT_SALT = "split"
WAVE_SALT = "wave"
TUNE_SALT = "tune"
_DIGITS = 13  # 52 bits: exact in a double
FORMAT = 1
RAW = "raw"
DECODER = 2  # raised whenever executor/cnn/decode.py gives other pixels for the same bytes (docs/adr/0015)


def preprocessing_key(preprocessing: str, height: int, width: int, channels: int = 3) -> str:
    """Everything done to a photo before the CNN, as text: scaling rule, input size, colours, the decoder's version."""
    colours = "" if channels == 3 else f"x{channels}"
    return f"decode{DECODER}:{preprocessing}:{height}x{width}{colours}"


def raw_pooling(layer: LayerFacts) -> str:
    """What stands in the place of the pooling for raw tensors: `raw`, and the names of the cut's other tensors.

    A cut that another version of the graph analysis chooses otherwise is another layer set.
    """
    return " ".join([RAW, *(name for name, _ in layer.cut if name not in (layer.name, layer.node))])


def layer_key(model_digest: str, preprocessing: str, layer: str, pooling: str, precision: str) -> str:
    """32 hex digits naming one layer set."""
    parts = json.dumps([FORMAT, model_digest, preprocessing, layer, pooling, precision])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def row_fraction(salt: str, seed: int, key: str) -> float:
    """A number in [0, 1) from the key alone: the same row always lands in the same split or wave.

    Split and wave use different salts, so a wave is an unbiased sample of both sides of the split. SHA-256, because
    Spark's `sha2` gives the same digits: a cluster can compute it where the rows are.
    """
    digits = hashlib.sha256(f"{salt}:{seed}:{key}".encode()).hexdigest()[:_DIGITS]
    return float(int(digits, 16) / 16**_DIGITS)


def short(digest: str) -> str:
    """Twelve digits for people."""
    return digest[:12]
