"""Interrupting a blocking cell in a real kernel with real engines: a short true error, no Spark job left, the kernel
goes on, finished layers stay. One kernel for all; `python -m benchmarks.interrupt` measures how soon it is idle.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kernel_support import errors_in, kernel_in, outputs, run_cell, said, until_said

from vista_nb.demo import generate

pytestmark = [pytest.mark.spark, pytest.mark.tf]

CELL = """%%vista -o shop --ui text --reuse {reuse}
structured: catalogue/products.parquet
images: catalogue/photos/{{id}}.jpg
label: bestseller
cnn: mobilenet_025
weights: random
layers: [conv_pw_9_relu, conv_pw_11_relu, conv_pw_13_relu]
pool: avg
baseline: false
model: {model}
plan: {{cpu: 1, batch_size: {batch}, waves: 1, speculate: never, {plan}}}"""
CLUSTER = "LogisticRegression(regParam=0.02)"
DRIVER = "sklearn.LogisticRegression(solver='saga', tol=0.0, max_iter=1000000)"
STAGED = "materialization: staged, pooling: pulled_up, training: cluster"
SOON = 20.0  # seconds; at most 1.04 was seen on two idle cores (benchmarks.interrupt)
# the cell ends at once; a JVM that was just starting is left to come up, and a session beside it would be a second one
JOBS = """shop = globals().get("shop")  # on a slow machine the interrupt may have come before it was bound
if shop: shop.wait(300)
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
jobs = list(spark.sparkContext.statusTracker().getActiveJobsIds())
print(jobs, spark.range(3).count(), shop.status if shop else "cancelled")"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("interrupt")
    generate(folder / "catalogue", rows=500, seed=2)
    with kernel_in(folder) as pair:
        yield pair


def cell(plan: str = STAGED, model: str = CLUSTER, reuse: str = "never", batch: int = 1) -> str:
    return CELL.format(plan=plan, model=model, reuse=reuse, batch=batch)


def interrupted(kernel: Any, request: str, times: int = 1) -> str:
    """Interrupt the cell that runs: the text of its one error."""
    manager, client = kernel
    begin = time.monotonic()
    for _ in range(times):
        manager.interrupt_kernel()
        time.sleep(0.3 if times > 1 else 0.0)
    found = outputs(client, request, 60)
    took = time.monotonic() - begin
    print(f"interrupt to idle: {took:.2f} s")
    assert took < SOON
    errors = [output for output in found if output["type"] == "error"]
    assert [error["ename"] for error in errors] == ["VistaCancelled"], found
    assert len(errors[0]["traceback"]) == 1
    return str(errors[0]["evalue"])


def test_while_the_engines_start(kernel: Any) -> None:
    """Nothing has been found out; what was starting is left to come up and serves the next run."""
    client = kernel[1]
    request = client.execute(cell())
    time.sleep(2.0)
    assert "no layer was finished" in interrupted(kernel, request)
    assert said(run_cell(client, JOBS)) == "[] 3 cancelled\n"


def test_in_the_middle_of_inference(kernel: Any) -> None:
    """Spark's job is cancelled, and its context goes on."""
    client = kernel[1]
    request = client.execute(cell())
    until_said(client, request, "[3/", 180)  # read and joined: the CNN is at work
    time.sleep(1.0)
    assert "no layer was finished" in interrupted(kernel, request)
    assert said(run_cell(client, JOBS)) == "[] 3 cancelled\n"


def test_finished_layers_are_kept_and_reused(kernel: Any) -> None:
    """The error names them, the bound result scores them, the next cell takes them from the store."""
    client = kernel[1]
    request = client.execute(cell(batch=16))
    until_said(client, request, "conv_pw_9_relu: accuracy", 180)
    assert "kept: conv_pw_9_relu" in interrupted(kernel, request)
    assert said(run_cell(client, JOBS)) == "[] 3 cancelled\n"
    assert said(run_cell(client, "print(shop.accuracy.layer[0], shop.best is not None)")) == "conv_pw_9_relu True\n"
    again = run_cell(client, cell(plan="training: driver", reuse="auto", batch=16))
    assert not errors_in(again), again
    assert said(run_cell(client, "print(shop.status, shop.accuracy.source[0])")) == "done reused\n"


def test_twice_in_a_fit_that_cannot_be_stopped(kernel: Any) -> None:
    """The second one returns at once; the error says that the fit may still run; it is left to end, as cancelled."""
    client = kernel[1]
    request = client.execute(cell(plan="training: driver", model=DRIVER, reuse="auto", batch=16))
    until_said(client, request, "conv_pw_", 120)  # what was reused: the fit is next
    time.sleep(3.0)
    assert "may still run" in interrupted(kernel, request, times=2)
    assert said(run_cell(client, "print(shop.status)")) == "running\n"
