"""A second cell with the same layers and another model: seconds until the features are ready, and in all.

Reads the clothing set (or generated photos), prints both cells, writes results/second_cell.csv. The second must start
no TensorFlow process. Its photos are ready >= 20x sooner than the first's (DESIGN.md section 13).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import vista_nb
from benchmarks.record import ended, measured, report
from benchmarks.speed import photos

__all__ = ["main"]

ROWS = 500
SPEC = """
structured: $table
images: photo
label: label
features: [kids]
cnn: resnet50
weights: random
layers: top 3
model: {model}
"""


def ready(result: Any) -> float:
    """Seconds from the cell's start until the last features were there, engines included."""
    timeline = result.timeline
    made = timeline[timeline.step.str.match("CNN|Save|Load|Read|Join")]
    return float(made.end.max())


def main() -> int:
    """Prints the table; returns 1 where the second cell inferred anything, or was not fast enough."""
    with tempfile.TemporaryDirectory() as folder:
        table = photos(Path(folder), ROWS)
        store = Path(folder) / "store"
        models = ("LogisticRegression(regParam=0.05)", "sklearn.LogisticRegression(C=0.1)")
        cells = [vista_nb.run(SPEC.format(model=m), namespace={"table": table}, store_dir=store) for m in models]
    rows = []
    for number, result in enumerate(cells, start=1):
        note = f"{result.outcome.inferred_images} images inferred"
        head = f"resnet50/3, {len(table)} photos, cell {number}"
        rows.append(measured(f"{head}: features ready", [ready(result)], note=note))
        rows.append(measured(f"{head}: end to end", [result.outcome.seconds]))
    rows.append(ended("second cell: images inferred", cells[1].outcome.inferred_images, "images", "<= 0"))
    rows.append(ended("features ready, first cell / second", ready(cells[0]) / ready(cells[1]), "x", ">= 20"))
    return report("second_cell", rows)


if __name__ == "__main__":
    sys.exit(main())
