"""Interrupting a blocking cell in a real kernel: a short true error, no Spark job left, the kernel goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vista_nb.demo import generate

pytestmark = [pytest.mark.spark, pytest.mark.tf]

CELL = """%%vista -o shop --ui off --reuse never
structured: catalogue/products.parquet
images: catalogue/photos/{id}.jpg
label: bestseller
cnn: resnet50
weights: random
layers: top 2
pool: avg
model: LogisticRegression(regParam=0.02)
plan: {cpu: 1, batch_size: 8}"""
# the cell ends at once; a JVM that was just starting is left to come up, and a session beside it would be a second one
JOBS = """shop.wait(60)
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(list(spark.sparkContext.statusTracker().getActiveJobsIds()), spark.range(3).count(), shop.status)"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A kernel in a folder with a catalogue, the extension loaded."""
    from jupyter_client.manager import start_new_kernel

    generate(tmp_path / "catalogue", rows=1000, seed=2)
    manager, client = start_new_kernel(cwd=str(tmp_path))
    run(client, "%load_ext vista_nb")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: Any, code: str, timeout: float = 180) -> list[dict[str, Any]]:
    """Execute and gather what the cell put out until the kernel is idle again."""
    return outputs(client, client.execute(code), timeout)


def outputs(client: Any, request: str, timeout: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        message = client.get_iopub_msg(timeout=timeout)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return found
        found.append({"type": message["msg_type"], **message["content"]})


@pytest.mark.parametrize("after", [2.0, 9.0, 16.0])
def test_an_interrupt_ends_the_run(kernel: Any, after: float) -> None:
    """At any stage: `VistaCancelled`, zero active jobs, a context that works, a result that says cancelled."""
    manager, client = kernel
    request = client.execute(CELL)
    time.sleep(after)
    manager.interrupt_kernel()
    begin = time.monotonic()
    found = outputs(client, request, 60)
    assert time.monotonic() - begin < 20
    errors = [o for o in found if o["type"] == "error"]
    assert [e["ename"] for e in errors] == ["VistaCancelled"], found
    assert len(errors[0]["traceback"]) <= 3
    time.sleep(3)
    said = "".join(o.get("text", "") for o in run(client, JOBS) if o["type"] == "stream")
    assert said.startswith("[] 3 cancelled"), said
