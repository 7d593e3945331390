"""`--bg`, cancel, a dead JVM and `%vista session restart` with the real engine, in one kernel, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kernel_support import errors_in, kernel_in, outputs, run_cell, said, shown, until_begun, wait_until

from vista_nb.demo import generate

pytestmark = [pytest.mark.spark, pytest.mark.tf]

CELL = """%%vista -o {name} --bg --ui off --reuse {reuse}
structured: catalogue/products.parquet
images: catalogue/photos/{{id}}.jpg
label: bestseller
cnn: mobilenet_025
weights: random
layers: [conv_pw_11_relu, conv_pw_13_relu]
pool: avg
model: LogisticRegression(regParam={penalty})
plan: {{cpu: 1, batch_size: {batch}, waves: 1, training: driver, speculate: never}}"""
JOBS = """from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(list(spark.sparkContext.statusTracker().getActiveJobsIds()), spark.range(3).count())"""
KILL = """import os, signal
from pyspark import SparkContext
os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
SparkContext._gateway.proc.wait()"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("background")
    generate(folder / "catalogue", rows=600, seed=3)
    with kernel_in(folder) as pair:
        yield pair


@pytest.fixture
def client(kernel: Any) -> Any:
    return kernel[1]


def cell(name: str, reuse: str = "auto", penalty: float = 0.02, batch: int = 16) -> str:
    return CELL.format(name=name, reuse=reuse, penalty=penalty, batch=batch)


def test_the_kernel_is_free_while_the_run_goes_on(client: Any) -> None:
    """Bound at submit; the next cells are served; wait returns the finished result."""
    assert not errors_in(run_cell(client, cell("shop")))
    assert said(run_cell(client, "print(shop.status in ('planned', 'running'), 6 * 7)")) == "True 42\n"
    waited = run_cell(client, "%vista wait", timeout=400)
    assert not errors_in(waited), waited
    assert "conv_pw_13_relu" in shown(waited)[-1]
    assert said(run_cell(client, "print(shop.status, len(shop.accuracy))")) == "done 4\n"


def test_an_interrupt_leaves_it_alone_and_a_cancel_ends_it(kernel: Any) -> None:
    """In the middle of inference. The interrupt, which reaches every process of the kernel, ends another cell only; the
    cancel leaves no Spark job, the context works, the result says cancelled.
    """
    manager, client = kernel
    assert not errors_in(run_cell(client, cell("lost", reuse="never", batch=1)))
    wait_until(client, "print(lost.status, lost.state.kind)", "running infer", 120)
    wait_until(client, "print(lost.state.done > 0)", "True", 120)
    request = client.execute("%vista wait")
    until_begun(client, request)
    manager.interrupt_kernel()
    assert errors_in(outputs(client, request)) == ["VistaCancelled"]
    before = int(said(run_cell(client, "print(lost.state.done)")))
    wait_until(client, f"print(lost.state.done > {before}, lost.status)", "True running", 60)
    said_of_it = shown(run_cell(client, "%vista cancel"))[0]
    assert "cancelled" in said_of_it
    wait_until(client, "print(lost.status)", "cancelled", 30)
    assert said(run_cell(client, JOBS)) == "[] 3\n"


def test_a_run_waits_for_its_turn_and_can_be_cancelled_meanwhile(client: Any) -> None:
    """Two at once: the second says for whom it waits."""
    run_cell(client, cell("first", reuse="never"))
    run_cell(client, cell("second", reuse="never"))
    wait_until(client, "print([line.text for line in second.state.log])", "waiting for run", 30)
    run_cell(client, "second.cancel()")
    wait_until(client, "print(second.status)", "cancelled", 30)
    assert not errors_in(run_cell(client, "%vista wait", timeout=400))
    assert said(run_cell(client, "print(first.status)")) == "done\n"


def test_a_result_outlives_the_jvm(client: Any) -> None:
    """Killed from outside: scores, plan, report and stored features are still there; the listing says Spark is down."""
    assert not errors_in(run_cell(client, KILL))
    ask = "print(len(shop.accuracy), bool(shop.best), shop.features('conv_pw_13_relu').shape[0] > 500)"
    assert said(run_cell(client, ask)) == "4 True True\n"
    again = run_cell(client, "%vista show r1")
    assert not errors_in(again)
    assert "conv_pw_13_relu" in shown(again)[0]
    assert "not up" in shown(run_cell(client, "%vista session"))[0]


def test_restart_brings_spark_back(client: Any) -> None:
    """And the next run infers again."""
    found = run_cell(client, "%vista session restart")
    assert not errors_in(found), found
    assert "up again" in shown(found)[0]
    assert said(run_cell(client, JOBS)) == "[] 3\n"
    run_cell(client, cell("anew", reuse="never"))
    assert not errors_in(run_cell(client, "%vista wait", timeout=400))
    assert said(run_cell(client, "print(anew.status, anew.outcome.inferred_images > 500)")) == "done True\n"
    assert "is stopped" in shown(run_cell(client, "%vista session stop"))[0]
