"""What the hand-written notebooks share: photos decoded by tf.data, the pooled layers of ResNet50, scikit-learn on top.

Reads a CSV (id, photo, kids, label, held_out); returns datasets, a Keras model, accuracies. May touch: TensorFlow and
Keras, in a process of its own. Written as well as we can, since a ratio to a weak baseline is worth nothing:

- photos are read and decoded in TensorFlow's own threads while the CNN works (AUTOTUNE, prefetch), batches of 32;
- one pass gives all layers, pooled inside the model (max 2x2, as ours), so that only vectors leave it;
- fits take float32, standardized, one BLAS thread (two take longer for matrices of this size).
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["LAYERS", "Clock", "Table", "accuracies", "answer", "dataset", "pooled_model", "read_table"]

LAYERS = ("conv4_block6_out", "conv5_block1_out", "conv5_block2_out", "conv5_block3_out", "predictions")
SIZE = 224
BATCH = 32
PENALTY = 0.1
FITS_AT_A_TIME = 2


@dataclass
class Clock:
    """Seconds since the process began its work, by part."""

    began: float = field(default_factory=time.perf_counter)
    parts: dict[str, float] = field(default_factory=dict)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.parts[name] = round(now - self.began, 3)
        self.began = now


@dataclass(frozen=True)
class Table:
    paths: list[str]
    kids: Any
    labels: Any
    held_out: Any


def read_table(path: str) -> Table:
    with open(path, newline="", encoding="utf-8") as file:  # noqa: PTH123
        rows = list(csv.DictReader(file))
    kids, labels, held = (np.array([int(row[name]) for row in rows]) for name in ("kids", "label", "held_out"))
    return Table([row["photo"] for row in rows], kids.astype(np.float32)[:, None], labels, held.astype(bool))


def dataset(paths: Sequence[str], batch: int = BATCH) -> Any:
    """Batches (batch, 224, 224, 3), float32, as the CNN wants them."""
    import keras
    import tensorflow as tf

    def decoded(path: Any) -> Any:
        pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_FAST")
        return tf.image.resize(pixels, (SIZE, SIZE))

    photos = tf.data.Dataset.from_tensor_slices(list(paths)).map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
    scaled = photos.batch(batch).map(keras.applications.resnet.preprocess_input, num_parallel_calls=tf.data.AUTOTUNE)
    return scaled.prefetch(tf.data.AUTOTUNE)


def pooled_model(layers: Sequence[str] = LAYERS, precision: str = "float32") -> Any:
    """ResNet50, all layers' vectors as outputs, float32. bfloat16: Keras' own mixed precision."""
    import keras

    keras.utils.set_random_seed(0)
    if precision == "bfloat16":
        keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    whole = keras.applications.ResNet50(weights=None, classifier_activation=None)
    return keras.Model(whole.input, [_pooled(whole.get_layer(name).output) for name in layers])


def _pooled(output: Any) -> Any:
    import keras

    if len(output.shape) == 4:
        size = output.shape[1]
        output = keras.layers.MaxPooling2D((size + 1) // 2, strides=size // 2)(output)
        output = keras.layers.Flatten()(output)
    return keras.layers.Activation("linear", dtype="float32")(output)


def accuracies(table: Table, features: Mapping[str, Any]) -> dict[str, float]:
    """Table + photo, one logistic regression per layer."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(FITS_AT_A_TIME) as pool:
        scores = pool.map(lambda vectors: _accuracy(table, vectors), features.values())
        return dict(zip(features, scores, strict=True))


def _accuracy(table: Table, vectors: Any) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    matrix = np.hstack([table.kids, vectors])
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression(C=PENALTY))
    model.fit(matrix[~table.held_out], table.labels[~table.held_out])
    return float(model.score(matrix[table.held_out], table.labels[table.held_out]))


def answer(clock: Clock, scores: Mapping[str, float]) -> None:
    """What the benchmark reads."""
    print("BENCHMARK " + json.dumps({"accuracy": dict(scores), "parts": clock.parts}), flush=True)
