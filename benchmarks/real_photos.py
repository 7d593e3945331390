"""Real photos: vista_nb against the hand-written notebook, on the same train and test rows.

Reads ../shared/data (VISTA_NB_SHARED); prints accuracy per layer and the report's sentences. Clothing: pictures carry
the label. Houses: they do not help, and a good report says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vista_nb
from vista_nb.plan.fingerprint import SPLIT_SALT, row_fraction

__all__ = ["LAYERS", "clothing_spec", "houses_spec", "main", "reference_accuracies", "shared"]

LAYERS = ["block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "block_16_project_BN", "out_relu"]
C = 0.01


def shared() -> Path:
    """The folder of real data, absent in a user's clone."""
    return Path(os.environ.get("VISTA_NB_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"


def weights() -> Path:
    return shared() / "weights" / "mobilenet_v2_1.0_224_no_top_slim_bnfolded.h5"


def is_train(keys: list[str], seed: int = 0, test: float = 0.2) -> Any:
    return np.array([row_fraction(SPLIT_SALT, seed, key) >= test for key in keys])


def _spec(table: Path, images: str, label: str, features: str, train_rows: int) -> str:
    return f"""
structured: {table}
images: {images}
on: id
label: {label}
features: {features}
cnn: mobilenetv2
weights: {weights()}
layers: [{", ".join(LAYERS)}]
pool: avg
model: LogisticRegression(regParam={1 / (C * train_rows)!r})
"""


def clothing_spec() -> str:
    """The clothing set as the issue states it."""
    folder = shared() / "clothing"
    rows = int(is_train(pd.read_csv(folder / "clothing.csv").id.astype(str).tolist()).sum())
    features = "[kids, width, height, sender_id:category]"
    return _spec(folder / "clothing.csv", "images/{id}.jpg", "label", features, rows)


def houses_spec() -> str:
    """The houses set: frontal photos."""
    folder = shared() / "houses"
    rows = int(is_train(pd.read_csv(folder / "houses.csv").id.astype(str).tolist()).sum())
    return _spec(folder / "houses.csv", "images/{id}_frontal.jpg", "expensive", "[bedrooms, bathrooms, area]", rows)


def reference_accuracies() -> dict[str, float]:
    """Clothing by hand: accuracy of table + photo per layer on the same rows."""
    from benchmarks.reference_photos import fit_score, table_features

    folder = shared() / "clothing"
    frame = pd.read_csv(folder / "clothing.csv", dtype={"id": str})
    train = is_train(frame.id.tolist())
    labels = frame.label.to_numpy(dtype=object)
    table = table_features(frame, ["kids", "width", "height"], ["sender_id"], train)
    photos = _features_by_hand([folder / "images" / f"{key}.jpg" for key in frame.id])
    return {name: fit_score(np.hstack([table, photos[name]]), labels, train, C)[0] for name in LAYERS}


def _features_by_hand(paths: list[Path]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        request, output = Path(folder) / "request.json", Path(folder) / "features.npz"
        asked = {"paths": [str(p) for p in paths], "weights": str(weights()), "layers": LAYERS}
        request.write_text(json.dumps(asked))
        script = Path(__file__).with_name("reference_photos.py")
        subprocess.run([sys.executable, str(script), str(request), str(output)], check=True, timeout=900)
        return dict(np.load(output))


def main() -> int:
    """Both sets; returns 1 where a layer is more than one point off the reference."""
    result = vista_nb.run(clothing_spec())
    ours = result.accuracy.set_index("layer").value
    reference = reference_accuracies()
    print(f"{'layer':24} {'vista_nb':>9} {'by hand':>9}")
    for name, expected in reference.items():
        print(f"{name:24} {ours[name]:9.4f} {expected:9.4f}")
    print(result.report())
    print(vista_nb.run(houses_spec()).report())
    return int(max(abs(ours[name] - expected) for name, expected in reference.items()) > 0.01)


if __name__ == "__main__":
    sys.exit(main())
