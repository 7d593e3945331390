"""A kernel of its own that runs cells one after the other, for the benchmarks of the store.

    python -m benchmarks.cells_child '{"folder": ..., "rows": ..., "cells": [{"layers": ..., "model": ...}, ...]}'

A cell's "skip" and "take" are the rows it reads. Prints one marked JSON line: of each cell its seconds, photos
inferred, scores, and the processes that it started.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vista_nb
from benchmarks.record import MARK
from benchmarks.speed import photos

__all__ = ["main", "processes", "ready", "rows_of", "run_cell"]

SPEC = """
structured: $table
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: {weights}
layers: {layers}
pool: {pool}
model: {model}
plan: {{speculate: {speculate}{more}}}
"""
USUAL = {
    "cnn": "resnet50",
    "weights": "random",
    "layers": "top 3",
    "pool": "max 2x2",
    "model": "LogisticRegression(regParam=0.05)",
    "speculate": "never",
    "more": "",
    "reuse": "auto",
    "store": "store",
}


def processes() -> dict[int, str]:
    """Everything that runs below this kernel: the JVM, its Python daemon and workers, throw-away processes."""
    import psutil

    found = {}
    for child in psutil.Process().children(recursive=True):
        try:
            found[child.pid] = child.name()
        except psutil.Error:
            continue
    return found


def ready(result: Any) -> float:
    """Seconds from the cell's start until every layer's features lie in the kernel as matrices, engines included."""
    timeline = result.timeline
    made = timeline[timeline.step.str.match("Start|CNN|Save|Load|Read|Join")]
    began = time.perf_counter()
    for layer in result.plan.layers:
        engine = result._handle._engine()
        engine.vectors(layer, engine.rows)
    return float(made.end.max()) + time.perf_counter() - began


def run_cell(cell: Mapping[str, str], table: Any, folder: Path) -> dict[str, Any]:
    """One cell from the spec's text to the last score."""
    chosen = USUAL | dict(cell)
    store, reuse = folder / chosen.pop("store"), chosen.pop("reuse")
    before = processes()
    result = vista_nb.run(SPEC.format(**chosen), namespace={"table": table}, store_dir=store, reuse=reuse)
    started = {pid: name for pid, name in processes().items() if pid not in before}
    layers = [score for score in result.outcome.scores if not score.is_baseline]
    return {
        "end": result.outcome.seconds,
        "ready": ready(result),
        "cnn": float(result.timeline[result.timeline.step.str.startswith("CNN")].seconds.sum()),
        "save": float(result.timeline[result.timeline.step.str.startswith("Save")].seconds.sum()),
        "inferred": result.outcome.inferred_images,
        "computed": [score.layer for score in layers if score.source == "computed"],
        "scores": {score.layer: score.value for score in layers},
        "python": sum(1 for name in started.values() if "python" in name),
        "java": sum(1 for name in started.values() if "java" in name),
        "notes": list(result.outcome.notes),
        "store": sum(path.stat().st_size for path in store.rglob("*.parquet")),
    }


def rows_of(cell: dict[str, Any], table: Any) -> Any:
    """The cell's rows; takes both keys out of it."""
    skip, take = cell.pop("skip", 0), cell.pop("take", len(table))
    return table.iloc[skip : skip + take].reset_index(drop=True)


def main(request: str) -> int:
    """Runs the cells of the request."""
    given = json.loads(request)
    folder = Path(given["folder"])
    table = photos(folder, given["rows"])
    cells = [run_cell(cell, rows_of(cell, table), folder) for cell in given["cells"]]
    print(MARK + json.dumps({"cells": cells}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
