"""What one writes by hand with Spark's documentation open: a model per layer, one inference per layer, no settings.

    python -m benchmarks.peers.lazy_spark_defaults TABLE.parquet

Reads a table (id, photo, kids, label); prints one JSON line: accuracies by layer, seconds. `SparkSession.builder.
getOrCreate()` as it comes (1 GB of heap, local[*]), `predict_batch_udf` over the photos' paths with decoding inside,
max 2x2 pooling inside the Keras model (as ours), MLlib's logistic regression. Weights are random, by seed 0. The
paper's Lazy (section 3.3, Figure 5 A); the ratio of times is not this file's business, its memory is.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["main"]

LAYERS = ("conv4_block6_out", "conv5_block1_out", "conv5_block2_out", "conv5_block3_out", "predictions")
SIZE = 224


def predictor(layer: str) -> Callable[[], Callable[[Any], Any]]:
    """The function that `predict_batch_udf` wants: loads the model in the worker, returns what infers a batch."""

    def make() -> Callable[[Any], Any]:
        import keras
        import tensorflow as tf

        keras.utils.set_random_seed(0)
        whole = keras.applications.ResNet50(weights=None)
        output = whole.get_layer(layer).output
        if len(output.shape) == 4:
            height, width = output.shape[1:3]
            pool = (-(-height // 2), -(-width // 2))
            strides = (height - pool[0], width - pool[1])
            output = keras.layers.Flatten()(keras.layers.MaxPooling2D(pool, strides=strides)(output))
        model = keras.Model(whole.input, output)

        def predict(paths: Any) -> Any:
            pictures = [
                tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(str(path)), channels=3), (SIZE, SIZE))
                for path in paths
            ]
            batch = keras.applications.resnet.preprocess_input(np.stack([p.numpy() for p in pictures]))
            return model.predict(batch, verbose=0)

        return predict

    return make


def main(table: str) -> int:
    """Every layer: infer all photos, join with the table's columns, fit, score."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.evaluation import MulticlassClassificationEvaluator
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.functions import array_to_vector, predict_batch_udf
    from pyspark.sql import SparkSession
    from pyspark.sql.types import ArrayType, FloatType

    began = time.perf_counter()
    spark = SparkSession.builder.getOrCreate()
    records = spark.read.parquet(table)
    accuracies = {}
    for layer in LAYERS:
        infer = predict_batch_udf(predictor(layer), return_type=ArrayType(FloatType()), batch_size=32)
        # a parquet file of 2 000 paths is one partition, and one core would work: anybody sees that and repartitions
        features = records.repartition(spark.sparkContext.defaultParallelism).withColumn("image", infer("photo"))
        vectors = features.withColumn("image", array_to_vector("image"))
        assembled = VectorAssembler(inputCols=["kids", "image"], outputCol="features").transform(vectors).cache()
        train, test = assembled.where("abs(hash(id)) % 5 > 0"), assembled.where("abs(hash(id)) % 5 = 0")
        model = LogisticRegression(regParam=0.05, maxIter=10).fit(train)
        scored = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(model.transform(test))
        accuracies[layer] = round(scored, 4)
        assembled.unpersist()
        print(f"{layer} {scored:.4f} {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps({"accuracy": accuracies, "seconds": round(time.perf_counter() - began, 1)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
