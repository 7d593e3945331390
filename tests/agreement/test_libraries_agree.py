"""scikit-learn, pyspark.ml and a run outside vista_nb: one model on the same rows, so one accuracy.

Issue 8: logistic regression at regParam = 1 / (C n), within 0.5 points. The bundled photos and CNN; the outside run
decodes with Pillow, calls Keras' own `predict` in a process of its own, averages, and fits scikit-learn on the same
folds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vista_nb
from vista_nb.demo import CataloguePaths, generate, vistanet_path
from vista_nb.plan.fingerprint import SPLIT_SALT, row_fraction

pytestmark = [pytest.mark.spark, pytest.mark.tf]

ROWS, FOLDS, C = 500, 3, 0.5
LAYERS = ["conv3", "conv4"]
NUMBERS, CATEGORY = ["price", "weight", "rating"], "department"
OUTSIDE = """
import sys, numpy as np, keras
from PIL import Image
model, folder, out, layers, *keys = sys.argv[1:]
net = keras.models.load_model(model, compile=False)
taps = keras.Model(net.input, [net.get_layer(name).output for name in layers.split(",")])
size = net.input_shape[1:3]
opened = (Image.open(f"{folder}/{key}.jpg").convert("RGB") for key in keys)
photos = [photo.resize(size[::-1], Image.Resampling.BILINEAR) for photo in opened]
batch = np.stack([np.asarray(photo, dtype="float32") for photo in photos]) / 127.5 - 1.0
found = taps.predict(batch, verbose=0)
np.savez(out, **{name: each.mean(axis=(1, 2)) for name, each in zip(layers.split(","), found)})
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    return generate(tmp_path_factory.mktemp("agree") / "catalogue", rows=ROWS, seed=11)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agree_store")


def run(shop: CataloguePaths, store: Path, model: str, **more: Any) -> Any:
    spec = {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "features": [*NUMBERS, CATEGORY],
        "cnn": "vistanet",
        "layers": LAYERS,
        "pool": "avg",
        "folds": FOLDS,
        "model": model,
    }
    return vista_nb.run(spec | more, store_dir=store)


@pytest.fixture(scope="module")
def outside(shop: CataloguePaths, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Accuracy per layer, by hand."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.read_parquet(shop.table).sort_values("id")
    keys = frame["id"].astype(str).tolist()
    file = tmp_path_factory.mktemp("outside") / "features.npz"
    words = [sys.executable, "-c", OUTSIDE, str(vistanet_path()), str(shop.images), str(file), ",".join(LAYERS), *keys]
    subprocess.run(words, check=True, capture_output=True, timeout=600)
    fold = np.array([int(row_fraction(SPLIT_SALT, 0, key) * FOLDS) for key in keys])
    truth = frame["bestseller"].to_numpy()
    found = {}
    for name, photos in np.load(file).items():
        hits = 0
        for number in range(FOLDS):
            train, held = fold != number, fold == number
            one_hot = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
            groups = one_hot.fit(frame[[CATEGORY]][train]).transform(frame[[CATEGORY]])
            matrix = np.hstack([frame[NUMBERS].to_numpy(dtype=float), groups, photos])
            model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=2000, tol=1e-6))
            hits += int((model.fit(matrix[train], truth[train]).predict(matrix[held]) == truth[held]).sum())
        found[name] = hits / len(truth)
    return found


def test_three_ways_to_one_accuracy(shop: CataloguePaths, store: Path, outside: dict[str, float]) -> None:
    """pyspark.ml on the cluster, the same on the driver, scikit-learn's own, and the run by hand: within 0.5 points."""
    penalty = f"LogisticRegression(regParam={1 / (C * ROWS * (FOLDS - 1) / FOLDS)!r}, maxIter=300)"
    runs = {
        "pyspark.ml": run(shop, store, penalty, plan={"training": "cluster"}),
        "pyspark.ml on the driver": run(shop, store, penalty, plan={"training": "driver"}),
        "scikit-learn": run(shop, store, f"sklearn.LogisticRegression(C={C}, max_iter=2000, tol=1e-6)"),
    }
    for layer, expected in outside.items():
        ours = {name: result.accuracy.set_index("layer").value[layer] for name, result in runs.items()}
        assert ours == pytest.approx(dict.fromkeys(runs, expected), abs=0.005 + 1e-9), layer
    assert runs["scikit-learn"].outcome.inferred_images == 0
    assert {score.rows_test for score in runs["pyspark.ml"].outcome.scores} == {ROWS}
