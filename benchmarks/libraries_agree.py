"""scikit-learn, pyspark.ml and a run outside vista_nb on the clothing photos: one model, so one accuracy per layer.

    python -m benchmarks.libraries_agree

Reads ../shared/data (VISTA_NB_SHARED); prints accuracies per layer and the largest difference in points. Returns 1
where two of them are more than half a point apart (issue 8, must-show 2).
"""

from __future__ import annotations

import sys

import vista_nb
from benchmarks.real_photos import LAYERS, C, clothing_spec, reference_accuracies

__all__ = ["main"]

_SKLEARN = f"sklearn.LogisticRegression(C={C}, max_iter=2000, tol=1e-6)"


def accuracies(model: str = "", training: str = "") -> dict[str, float]:
    """Accuracy per layer of one run; layers are inferred by the first one only."""
    lines = [line for line in clothing_spec().splitlines() if not model or not line.startswith("model:")]
    lines += [f"model: {model}"] if model else []
    lines += [f"plan: {{training: {training}}}"] if training else []
    found = vista_nb.run("\n".join(lines)).accuracy.set_index("layer").value
    return {name: float(found[name]) for name in LAYERS}


def main() -> int:
    """The table, one column per way."""
    ways = {
        "pyspark.ml": accuracies(training="cluster"),
        "on the driver": accuracies(training="driver"),
        "scikit-learn": accuracies(_SKLEARN),
        "by hand": reference_accuracies(),
    }
    print(f"{'layer':24}" + "".join(f"{way:>15}" for way in ways))
    widest = 0.0
    for layer in LAYERS:
        values = [found[layer] for found in ways.values()]
        widest = max(widest, max(values) - min(values))
        print(f"{layer:24}" + "".join(f"{value:15.4f}" for value in values))
    print(f"largest difference: {100 * widest:.2f} points")
    return int(widest > 0.005)


if __name__ == "__main__":
    sys.exit(main())
