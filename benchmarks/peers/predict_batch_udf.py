"""Spark's own way to infer: `pyspark.ml.functions.predict_batch_udf`, a layer at a time, written as well as we can.

    python -m benchmarks.peers.predict_batch_udf '{"table": "t.csv", "passes": 2}'

Reads a table (see `by_hand`); prints one JSON line: seconds of each pass over all five layers of ResNet50, features
pooled (max 2x2) and cached in Spark. The first pass is cold, later ones warm: graphs are frozen once per worker and
layer, and kept (Spark's own cache of models holds three). One TensorFlow thread per worker, decoding in the graph.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

__all__ = ["loaded", "main", "make_predict"]

CORES = len(os.sched_getaffinity(0))


@lru_cache(maxsize=1)
def _one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


@lru_cache(maxsize=8)
def loaded(layer: str) -> Any:
    """A frozen function from paths to one layer's vectors, kept by the worker process."""
    _one_thread()
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from benchmarks.peers.by_hand import SIZE, pooled_model

    model = pooled_model((layer,))

    def decoded(path: Any) -> Any:
        pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method="INTEGER_FAST")
        return tf.image.resize(pixels, (SIZE, SIZE))

    def infer(paths: Any) -> Any:
        photos = tf.map_fn(decoded, paths, fn_output_signature=tf.TensorSpec((SIZE, SIZE, 3), tf.float32))
        return model(keras.applications.resnet.preprocess_input(photos), training=False)

    call = tf.function(infer, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    return convert_variables_to_constants_v2(call.get_concrete_function())


def make_predict(layer: str) -> Callable[[Any], Any]:
    """What Spark calls once per worker."""
    import tensorflow as tf

    infer = loaded(layer)

    def predict(paths: Any) -> Any:
        (vectors,) = tf.nest.flatten(infer(tf.constant([str(path) for path in paths])))
        return vectors.numpy()

    return predict


def main(request: dict[str, Any]) -> int:
    """All layers, one after the other, several times over."""
    repository = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join([repository, *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql import SparkSession
    from pyspark.sql.types import ArrayType, FloatType

    from benchmarks.peers import predict_batch_udf as here  # workers import it by name: what it keeps, stays
    from benchmarks.peers.by_hand import BATCH, LAYERS

    settings = {"spark.driver.memory": "2g", "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    builder = SparkSession.builder.master(f"local[{CORES}]").appName("predict_batch_udf")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(4 * BATCH))
    records = spark.read.csv(request["table"], header=True).select("id", "photo").repartition(CORES).cache()
    count = records.count()
    kinds = ArrayType(FloatType())
    infer = {
        layer: predict_batch_udf(partial(here.make_predict, layer), return_type=kinds, batch_size=BATCH)
        for layer in LAYERS
    }
    passes = []
    for _ in range(request.get("passes", 2)):
        began = time.perf_counter()
        for layer in LAYERS:
            features = records.withColumn("image", infer[layer]("photo")).cache()
            assert features.where("image is not null").count() == count
            features.unpersist()
        passes.append(round(time.perf_counter() - began, 3))
        print(passes[-1], file=sys.stderr, flush=True)
    print("BENCHMARK " + json.dumps({"passes": passes}), flush=True)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
