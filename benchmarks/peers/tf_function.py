"""The notebook of somebody who knows TensorFlow: tf.data, one tf.function over the union of outputs, scikit-learn.

    python -m benchmarks.peers.tf_function '{"table": "t.csv", "precision": "float32"}'

Reads a table (see `by_hand`), prints one JSON line: accuracies and seconds by part. ResNet50, random weights (seed 0).
`freeze`: variables become constants, so that Grappler folds the batch norms; costs some seconds once.
`rewrite`: for bfloat16, TensorFlow's own graph rewrite in the place of Keras' mixed precision.
"""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ["main"]


def _inference(model: Any, freeze: bool) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(
        lambda images: tuple(model(images, training=False)),
        input_signature=[tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)],
        autograph=False,
    )
    return convert_variables_to_constants_v2(call.get_concrete_function()) if freeze else call


def main(request: dict[str, Any]) -> int:
    """Features, fits, scores."""
    from benchmarks.peers.by_hand import BATCH, LAYERS, Clock, accuracies, answer, dataset, pooled_model, read_table

    clock = Clock()
    import numpy as np
    import tensorflow as tf

    table = read_table(request["table"])
    precision = request.get("precision", "float32")
    if precision == "bfloat16" and request.get("rewrite", True):
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
        precision = "float32"
    infer = _inference(pooled_model(LAYERS, precision), request.get("freeze", True))
    clock.lap("import and build")
    batches = []
    for images in dataset(table.paths, request.get("batch", BATCH)):
        batches.append([part.numpy() for part in infer(images)])
        if len(batches) == 1:
            clock.lap("first batch")
    vectors = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    clock.lap("infer")
    scores = accuracies(table, dict(zip(LAYERS, vectors, strict=True)))
    clock.lap("fit")
    answer(clock, scores)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
