"""First speed reading: ResNet50 top 5 with random weights, inside Spark against a bare loop on the same artifact.

Reads photos (the clothing set where present, else generated ones), prints images per second, medians of 3. Both
sides: two processes, one thread each, the same decoder, the same batch; both warm. The Spark side is the inference
stage of a whole `vista_nb.run` with `reuse="never"`, tables and storage included.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vista_nb
from benchmarks.real_photos import shared

__all__ = ["main"]

ROWS = 500
WORKERS = max(1, len(os.sched_getaffinity(0)))
BATCH = 32


def photos(folder: Path, rows: int = ROWS) -> pd.DataFrame:
    """id, a number, a label, and a photo each, 224 pixels on the longer side."""
    clothing = shared() / "clothing"
    if clothing.is_dir():
        frame = pd.read_csv(clothing / "clothing.csv", dtype={"id": str}).head(rows)
        paths = [str(clothing / "images" / f"{key}.jpg") for key in frame.id]
        return pd.DataFrame({"id": frame.id, "photo": paths, "kids": frame.kids, "label": frame.is_tshirt})
    from PIL import Image

    paths = [folder / f"{i}.jpg" for i in range(rows)]
    for i, path in enumerate(paths):
        Image.effect_noise((224, 168), 20 + i % 60).convert("RGB").save(path, quality=85)
    numbers = range(rows)
    columns = {"id": [str(i) for i in numbers], "photo": [str(p) for p in paths]}
    return pd.DataFrame({**columns, "kids": [i % 3 for i in numbers], "label": [i % 2 for i in numbers]})


def spec() -> str:
    return f"""
structured: $table
images: photo
label: label
features: [kids]
cnn: resnet50
weights: random
layers: top 5
model: LogisticRegression(regParam=0.05)
plan: {{materialization: eager, pooling: pushed_down, cpu: {WORKERS}, batch_size: {BATCH}, waves: 1}}
"""


def inside_spark(table: pd.DataFrame, store: Path) -> tuple[list[float], Any]:
    """Images per second of the inference stage: a cold run, then three warm ones."""
    rates, result = [], None
    for _ in range(4):
        result = vista_nb.run(spec(), namespace={"table": table}, reuse="never", store_dir=store)
        timeline = result.timeline
        stage = timeline[timeline.step.str.startswith("CNN")].iloc[0]
        rates.append(len(table) / stage.seconds)
    return rates, result


def _loop(artifact: str, size: tuple[int, int], rule: str) -> Any:
    """What anybody would write around the frozen graph: decode a batch, run it, keep the pooled vectors."""
    import tensorflow as tf

    from vista_nb.executor.cnn.artifact import load
    from vista_nb.executor.cnn.decode import decode
    from vista_nb.executor.cnn.preprocess import preprocess

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    infer = load(Path(artifact))

    def run(paths: Sequence[str]) -> list[Any]:
        batches = [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)]
        return [
            infer(preprocess(np.stack([decode(Path(p).read_bytes(), *size) for p in batch]), rule)) for batch in batches
        ]

    return run


def _worker(artifact: str, paths: Sequence[str], size: tuple[int, int], rule: str, gate: Any, out: Any) -> None:
    """One bare process, warmed by two batches; tells when each of its three passes ends."""
    run = _loop(artifact, size, rule)
    run(paths[: 2 * BATCH])
    for _ in range(3):
        gate.wait()
        run(paths)
        out.put(time.monotonic())


def bare(artifact: Path, table: pd.DataFrame, size: tuple[int, int], preprocessing: str) -> list[float]:
    """Images per second of as many bare processes as Spark has workers, three times, after a warm-up."""
    context = multiprocessing.get_context("spawn")
    gate, out = context.Barrier(WORKERS + 1), context.Queue()
    shares = [table.photo.tolist()[i::WORKERS] for i in range(WORKERS)]
    arguments = [(str(artifact), share, size, preprocessing, gate, out) for share in shares]
    workers = [context.Process(target=_worker, args=a) for a in arguments]
    for worker in workers:
        worker.start()
    rates = []
    for _ in range(3):
        gate.wait()
        begin = time.monotonic()
        rates.append(len(table) / (max(out.get() for _ in workers) - begin))
    for worker in workers:
        worker.join()
    return rates


def main() -> int:
    """Prints both rates and their ratio."""
    from vista_nb.catalog.roster import load_roster
    from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
    from vista_nb.session import jvm
    from vista_nb.session.folders import cache_root
    from vista_nb.spec.model import Pooling

    with tempfile.TemporaryDirectory() as folder:
        table = photos(Path(folder))
        rates, result = inside_spark(table, Path(folder) / "store")
        jvm.stop()
        cnn = load_roster().find("resnet50")
        assert cnn is not None
        source = resolve_model(cnn, "random", 0, cache_root())
        layers = result.plan.layers
        artifact = prepare_artifact(source, cnn, None, layers, Pooling.MAX_2X2, "float32", cache_root())
        loop = bare(artifact, table, (cnn.input_height, cnn.input_width), cnn.preprocessing)
    spark, base = statistics.median(rates[1:]), statistics.median(loop)
    print(f"ResNet50 top 5, {len(table)} photos, {WORKERS} processes x 1 thread, batch {BATCH}")
    print(f"inside Spark, cold   {rates[0]:7.1f} images/s")
    print(f"inside Spark, warm   {spark:7.1f} images/s   ({', '.join(f'{r:.1f}' for r in rates[1:])})")
    print(f"bare frozen loop     {base:7.1f} images/s   ({', '.join(f'{r:.1f}' for r in loop)})")
    print(f"ratio                {spark / base:7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
