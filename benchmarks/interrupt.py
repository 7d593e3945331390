"""How soon the kernel is idle after an interrupt of a blocking cell, and what is left of the run then.

    python -m benchmarks.interrupt          about 3 minutes; --quick: once

A real kernel, real cells with the live panel: interrupted while the engines start, while the CNN is at work, once a
layer is scored (then a picture is drawn before the kernel is idle).
Prints medians, writes results/interrupt.csv. DESIGN.md section 6: idle within two seconds, no Spark job, a context
that works.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import REPETITIONS, Row, asked, ended, report, rows_asked
from vista_nb.demo import generate

__all__ = ["main"]

ROWS = 1000
CELL = """%%vista -o shop --ui widget --reuse never
structured: catalogue/products.parquet
images: catalogue/photos/{id}.jpg
label: bestseller
cnn: mobilenet_025
weights: random
layers: [conv_pw_9_relu, conv_pw_11_relu, conv_pw_13_relu]
pool: avg
baseline: false
model: LogisticRegression(regParam=0.02)
plan: {cpu: 2, batch_size: 8, waves: 1, materialization: staged, pooling: pulled_up, training: cluster}"""
LOAD = "%load_ext vista_nb\nimport os\nfor name in ('CI', 'VISTA_NB_UI'): os.environ.pop(name, None)"
JOBS = """shop.wait(120)
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(len(spark.sparkContext.statusTracker().getActiveJobsIds()), spark.range(3).count())"""
MOMENTS = {
    "the engines start": "",
    "the CNN is at work": r"inferring \d",
    "a layer is scored": r"95 % interval [^<]*\d",
}
"""What the panel has said when the interrupt comes; nothing: two seconds after the cell began."""


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a target is missed."""
    given = asked("interrupt", argv)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "catalogue", rows=rows_asked(ROWS, 300, given), seed=3)
        found = [measured_once(folder) for _ in range(1 if given.quick else REPETITIONS)]
    return report("interrupt", rows_of(found), write=not given.quick)


def rows_of(found: Sequence[Sequence[tuple[float, int]]]) -> Iterator[Row]:
    """The slowest of each moment: one interrupt that hangs is one too many."""
    for moment, runs in zip(MOMENTS, zip(*found, strict=True), strict=True):
        seconds = [took for took, _ in runs]
        told = " ".join(f"{took:.2f}" for took in seconds)
        yield ended(f"interrupt while {moment}: to idle, slowest", max(seconds), "s", "<= 2", told)
        yield ended(f"interrupt while {moment}: Spark jobs left", max(jobs for _, jobs in runs), "jobs", "<= 0")


def measured_once(folder: str) -> list[tuple[float, int]]:
    """(seconds, jobs left) of each moment, in a kernel of its own."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=folder)
    try:
        _until_idle(client, client.execute(LOAD))
        return [_interrupted(manager, client, said) for said in MOMENTS.values()]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _interrupted(manager: Any, client: Any, said: str) -> tuple[float, int]:
    request = client.execute(CELL)
    _until_said(client, request, said)
    begin = time.perf_counter()
    manager.interrupt_kernel()
    _until_idle(client, request)
    took = time.perf_counter() - begin
    jobs, rows = _until_idle(client, client.execute(JOBS)).split()[-2:]
    if rows != "3":
        raise RuntimeError("Spark's context is not usable")
    return took, int(jobs)


def _until_said(client: Any, request: str, said: str) -> None:
    """Until a widget of the cell's panel says so. Raises RuntimeError where the cell ended without."""
    if not said:
        time.sleep(2.0)
        return
    while True:
        message = client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "comm_msg" and re.search(said, str(message["content"])):
            return
        if message["content"].get("execution_state") == "idle":
            raise RuntimeError(f"the cell ended before {said!r}")


def _until_idle(client: Any, request: str) -> str:
    """What the cell printed until the kernel was idle again."""
    text = ""
    while True:
        message = client.get_iopub_msg(timeout=300)
        if message["parent_header"].get("msg_id") != request:
            continue
        text += message["content"]["text"] if message["msg_type"] == "stream" else ""
        if message["content"].get("execution_state") == "idle":
            return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
