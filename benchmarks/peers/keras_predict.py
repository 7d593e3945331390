"""The notebook most people would write: a Keras model with all layers as outputs, `predict`, scikit-learn per layer.

    python -m benchmarks.peers.keras_predict '{"table": "t.csv", "precision": "float32"}'

Reads a table (see `by_hand`), prints one JSON line: accuracies and seconds by part. ResNet50, random weights (seed 0).
`jit` (default false): XLA, which Keras would choose by itself on some machines; without it is faster here.
"""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["main"]


def main(request: dict[str, Any]) -> int:
    """Features, fits, scores."""
    from benchmarks.peers.by_hand import BATCH, LAYERS, Clock, accuracies, answer, dataset, pooled_model, read_table

    clock = Clock()
    table = read_table(request["table"])
    model = pooled_model(LAYERS, request.get("precision", "float32"))
    model.compile(jit_compile=request.get("jit", False))
    clock.lap("import and build")
    vectors = model.predict(dataset(table.paths, request.get("batch", BATCH)), verbose=0)
    clock.lap("infer")
    scores = accuracies(table, dict(zip(LAYERS, vectors, strict=True)))
    clock.lap("fit")
    answer(clock, scores)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
