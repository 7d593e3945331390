"""ResNet50 top 5 with random weights: inside Spark against a bare loop on the same artifact.

    python -m benchmarks.speed [--quick]

Reads photos (the clothing set where present, else generated ones), prints images per second, medians of 3, and writes
results/speed.csv. Both sides: two processes, one thread each, the same decoder, batch and artifact; both stay warm and
take turns. The Spark side is the inference stage of a whole `vista_nb.run` with `reuse="never"`, tables and storage
included. DESIGN.md section 13, issue 5 must-show 3.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import vista_nb
from benchmarks.real_photos import shared
from benchmarks.record import REPETITIONS, Row, asked, ended, inference_seconds, measured, memory_of, report, rows_asked

__all__ = ["main"]

ROWS = 1_000
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

    files = [folder / f"{i}.jpg" for i in range(rows)]
    for i, file in enumerate(files):
        Image.effect_noise((224, 168), 20 + i % 60).convert("RGB").save(file, quality=85)
    numbers = range(rows)
    columns = {"id": [str(i) for i in numbers], "photo": [str(file) for file in files]}
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


def inside_spark(table: pd.DataFrame, store: Path) -> tuple[float, Any]:
    """Images per second of the inference stage of one run, and the run."""
    result = vista_nb.run(spec(), namespace={"table": table}, reuse="never", store_dir=store)
    return len(table) / inference_seconds(result), result


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
    """One bare process, warmed by two batches; tells when each of its passes ends."""
    run = _loop(artifact, size, rule)
    run(paths[: 2 * BATCH])
    with suppress(threading.BrokenBarrierError):  # no more passes are wanted
        for _ in range(REPETITIONS):
            gate.wait()
            run(paths)
            out.put(time.monotonic())


@contextmanager
def bare_processes(artifact: Path, table: pd.DataFrame, size: tuple[int, int], rule: str) -> Iterator[Any]:
    """As many bare processes as Spark has workers; a function that times one pass of theirs, images per second."""
    context = multiprocessing.get_context("spawn")
    gate, out = context.Barrier(WORKERS + 1), context.Queue()
    shares = [table.photo.tolist()[i::WORKERS] for i in range(WORKERS)]
    workers = [context.Process(target=_worker, args=(str(artifact), s, size, rule, gate, out)) for s in shares]
    for worker in workers:
        worker.start()

    def once() -> float:
        gate.wait()
        begin = time.monotonic()
        last: float = max(out.get() for _ in workers)
        return len(table) / (last - begin)

    try:
        yield once
    finally:
        gate.abort()  # those that still wait for a pass that is not to come
        for worker in workers:
            worker.join()


def bare(artifact: Path, table: pd.DataFrame, size: tuple[int, int], preprocessing: str) -> list[float]:
    """Images per second of the bare processes, three times, after a warm-up."""
    with bare_processes(artifact, table, size, preprocessing) as once:
        return [once() for _ in range(REPETITIONS)]


def artifact_of(layers: Sequence[str]) -> tuple[Path, Any]:
    """The very artifact that the run used, and the roster's entry."""
    from vista_nb.catalog.roster import load_roster
    from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
    from vista_nb.session.folders import cache_root
    from vista_nb.spec.model import Pooling

    cnn = load_roster().find("resnet50")
    assert cnn is not None
    source = resolve_model(cnn, "random", 0, cache_root())
    return prepare_artifact(source, cnn, None, layers, Pooling.MAX_2X2, "float32", cache_root()), cnn


def compared(table: pd.DataFrame, store: Path, repetitions: int) -> list[Row]:
    """Both, taking turns, after one unmeasured run inside Spark and two batches of each bare process."""
    cold, result = inside_spark(table, store)
    artifact, cnn = artifact_of(result.plan.layers)
    rates: dict[str, list[float]] = {"inside Spark, warm": [], "bare frozen loop, warm": []}
    with bare_processes(artifact, table, (cnn.input_height, cnn.input_width), cnn.preprocessing) as once:
        inside_spark(table.head(4 * BATCH), store)
        for _ in range(repetitions):
            rates["bare frozen loop, warm"].append(once())
            rates["inside Spark, warm"].append(inside_spark(table, store)[0])
    head = f"resnet50/5, {len(table)} photos, {WORKERS} processes x 1 thread, batch {BATCH}"
    spark, loop = (statistics.median(found) for found in rates.values())
    return [
        measured(f"{head}: inside Spark, first run", [cold], "images/s", memory=memory_of(result)),
        *(measured(f"{head}: {name}", found, "images/s") for name, found in rates.items()),
        ended(f"{head}: inside Spark / bare", spark / loop, "x", ">= 0.90"),
    ]


def main(argv: Sequence[str] = ()) -> int:
    """Prints both rates and their ratio; returns 1 where the target is missed."""
    given = asked("speed", argv)
    with tempfile.TemporaryDirectory() as folder:
        table = photos(Path(folder), rows_asked(ROWS, 256, given))
        rows = compared(table, Path(folder) / "store", 1 if given.quick else REPETITIONS)
    return report("speed", rows, write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
