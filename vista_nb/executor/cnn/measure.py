"""The throw-away process that measures a CNN: `python -m vista_nb.executor.cnn.measure REQUEST.json`.

Reads a request (what to measure), prints one marked JSON line. `worker`: start-up and peak resident memory of a process
that does what a Spark Python worker does. `prefixes`: seconds per image from the image to each layer. `machine`: rates
without a CNN. One thread. May touch: TensorFlow, an artifact, temporary files. DESIGN.md section 7, "Calibration";
paper: |f|_mem of Table 1(A). Its kernel-side client is `measuring`.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.executor.cnn.throwaway import answering

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["main"]

_PHOTOS = 16  # distinct ones, used again and again
_PHOTO_SIZE = 640, 480


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    return answering(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"worker": _worker, "prefixes": _prefixes, "machine": _machine}[request["what"]](request)


def _machine(request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (as the others)
    from vista_nb.executor.machine_rates import machine_rates

    return {"rates": machine_rates()}


def _worker(request: Mapping[str, Any]) -> dict[str, Any]:
    """`rounds` batches of photos through the worker's own code, the model loaded for the first of them, as in Spark.

    Returns start_seconds (CPU time up to a first batch of one photo) and peak (bytes).
    """
    from vista_nb.executor.cnn.usage import own_peak, told

    with tempfile.TemporaryDirectory(prefix="vista_nb-measure-") as made:
        before = time.process_time()
        photos = _photos(Path(made))
        drawing = time.process_time() - before
        count = int(request["task"]["batch_size"]) * int(request["rounds"])
        _as_a_spark_worker(request, [photos[i % len(photos)] for i in range(count)], made)
        (usage,) = told(made)
    # macOS tells of the peak elsewhere, in bytes
    peak = own_peak() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"start_seconds": usage.start_seconds - drawing, "peak": peak}


def _as_a_spark_worker(request: Mapping[str, Any], images: Sequence[str], folder: str) -> None:
    """What `mapInArrow` does in a worker: Spark's modules, Arrow in, the task's body, Arrow out."""
    import pyarrow as pa
    import pyspark.worker  # noqa: F401 - with pandas and Arrow it is a part of every worker

    from vista_nb.executor.cnn.usage import watched
    from vista_nb.executor.cnn.worker import InferenceTask, infer_batches, output_schema

    task = InferenceTask(**{**request["task"], "layers": tuple(request["task"]["layers"])})
    work = partial(infer_batches, task)
    # the JVM takes each batch at once
    with Path(os.devnull).open("wb") as jvm, pa.ipc.new_stream(jvm, output_schema(task)) as writer:
        for answer in watched(folder, work, _arrow(images, 4 * task.batch_size)):
            writer.write_batch(answer)


def _arrow(images: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Arrow batches as `infer_pass` sends them: four mini-batches of (digest, path)."""
    import pyarrow as pa

    for start in range(0, len(images), rows):
        paths = images[start : start + rows]
        digests = [f"{start + i:064d}" for i in range(len(paths))]
        yield pa.record_batch({"digest": digests, "path": paths})


def _photos(folder: Path) -> list[str]:
    """Generated JPEGs of a usual size: smooth colours with noise, no two alike."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    width, height = _PHOTO_SIZE
    paths = []
    for number in range(_PHOTOS):
        coarse = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((width, height))
        noisy = np.asarray(coarse, np.int16) + random.integers(-12, 12, (height, width, 3), dtype=np.int16)
        path = folder / f"{number}.jpg"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=85)
        paths.append(str(path))
    return paths


def _prefixes(request: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds per image of each repetition from the image to each layer, decoding left out."""
    import numpy as np

    from vista_nb.executor.cnn.artifact import load_each

    _one_thread()
    layers = list(request["layers"])
    batch, repetitions = int(request["batch"]), int(request["repetitions"])
    shape = (batch, *request["input_shape"])
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    functions = load_each(Path(request["folder"]), layers)
    return {"seconds": {name: _timed(functions.pop(name), images, repetitions) for name in layers}}


def _timed(infer: Any, images: Any, repetitions: int) -> list[float]:
    """CPU time, not the clock: other processes of the machine must not enter. The first call only warms up."""
    infer(images)
    seconds = []
    for _ in range(repetitions):
        start = time.process_time()
        infer(images)
        seconds.append((time.process_time() - start) / len(images))
    return seconds


def _one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    sys.exit(main())
