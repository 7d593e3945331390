"""A second cell with the same layers and another model: seconds until the features are ready, and in all.

Reads the clothing set (or generated photos), prints both cells. The second must start no TensorFlow process.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import vista_nb
from benchmarks.speed import photos

__all__ = ["main"]

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
    """Prints the table; returns 1 where the second cell inferred anything."""
    with tempfile.TemporaryDirectory() as folder:
        table = photos(Path(folder))
        store = Path(folder) / "store"
        models = ("LogisticRegression(regParam=0.05)", "sklearn.LogisticRegression(C=0.1)")
        cells = [vista_nb.run(SPEC.format(model=m), namespace={"table": table}, store_dir=store) for m in models]
    for number, result in enumerate(cells, start=1):
        found = result.outcome
        print(
            f"cell {number}: features ready {ready(result):6.2f} s, end to end {found.seconds:6.2f} s, "
            f"{found.inferred_images} images inferred"
        )
    print(f"ratio to features {ready(cells[0]) / ready(cells[1]):.1f}")
    return int(cells[1].outcome.inferred_images != 0)


if __name__ == "__main__":
    sys.exit(main())
