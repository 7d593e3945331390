"""The notebook a careful data scientist writes by hand: Keras multi-output features, scikit-learn on top.

Reads photos, a weights file and a table; returns pooled features and accuracies. May touch: TensorFlow (run it as a
script, in a process of its own). It is the reference for accuracy: another decoder path (keras.utils.load_img),
`predict`, global average pooling, a pipeline fitted on train rows.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["features_of", "fit_score", "main"]


def features_of(paths: list[Path], weights: Path, layers: list[str]) -> dict[str, Any]:
    """MobileNetV2 without its top: global average of each layer, float32 [n, channels], in one predict."""
    import keras

    base = keras.applications.MobileNetV2(include_top=False, input_shape=(224, 224, 3), weights=str(weights))
    pooled = [keras.layers.GlobalAveragePooling2D()(base.get_layer(name).output) for name in layers]
    model = keras.Model(base.input, pooled)
    chunks = [model.predict(_batch(paths[i : i + 64]), verbose=0) for i in range(0, len(paths), 64)]
    return {name: np.concatenate([_listed(chunk)[i] for chunk in chunks]) for i, name in enumerate(layers)}


def _listed(chunk: Any) -> list[Any]:
    return chunk if isinstance(chunk, list) else [chunk]


def _batch(paths: list[Path]) -> Any:
    import keras

    images = [keras.utils.load_img(path, target_size=(224, 224), interpolation="bilinear") for path in paths]
    return np.stack([np.asarray(image, dtype=np.float32) for image in images]) / 127.5 - 1.0


def table_features(frame: Any, numbers: list[str], categories: list[str], train: Any) -> Any:
    """Standardized numbers, categories one-hot with those under ten train rows merged; fitted on train rows."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    onehot = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
    encoder = ColumnTransformer([("numbers", StandardScaler(), numbers), ("categories", onehot, categories)])
    return encoder.fit(frame[train]).transform(frame)


def fit_score(features: Any, labels: Any, train: Any, c: float) -> tuple[float, Any]:
    """Accuracy on the rows that are not in `train`, and the predictions there (standardized L2 logistic regression)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
    predicted = model.fit(features[train], labels[train]).predict(features[~train])
    return float((predicted == labels[~train]).mean()), predicted


def main(argv: list[str] | None = None) -> int:
    """Features of the photos named in a JSON request, written as one .npz."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("request", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args(argv)
    request = json.loads(options.request.read_text())
    found = features_of([Path(p) for p in request["paths"]], Path(request["weights"]), request["layers"])
    np.savez(options.output, **found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
