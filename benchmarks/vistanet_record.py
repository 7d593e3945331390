"""The record of a training: what was drawn, shown and learnt, by which versions, and digests of file and weights.

Reads the training's options and history and a saved model file; returns a JSON text.
May touch the model file. Tests hold the record's digests against the file that ships.
"""

import argparse
import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["record_of", "weights_digest"]

LIBRARIES: Final = ("tensorflow", "keras", "numpy", "pillow")
SETTINGS: Final = ("seed", "epochs", "cooldown", "pictures", "pool", "threads")


def weights_digest(weights: Sequence[NDArray[np.float32]]) -> str:
    """SHA-256 over shape, type and bytes of every array, in the model's order."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.shape} {array.dtype.str}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def record_of(options: argparse.Namespace, model: Any, history: list[dict[str, Any]], held_out: float) -> str:
    """Return the record as JSON, one line per epoch."""
    facts = {
        "file": options.output.name,
        "file_sha256": hashlib.sha256(options.output.read_bytes()).hexdigest(),
        "bytes": options.output.stat().st_size,
        "weights_sha256": weights_digest(model.get_weights()),
        "parameters": model.count_params(),
        "settings": {name: getattr(options, name) for name in SETTINGS},
        "pictures_shown": options.epochs * options.pictures,
        "pictures_drawn": min(options.epochs, options.pool) * options.pictures,
        "held_out_accuracy": round(held_out, 4),
        "seconds": round(sum(entry["seconds"] for entry in history)),
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        "machine": platform.machine(),
    }
    lines = ",\n".join("    " + json.dumps(entry) for entry in history)
    return json.dumps(facts, indent=2)[:-2] + ',\n  "epochs": [\n' + lines + "\n  ]\n}\n"
