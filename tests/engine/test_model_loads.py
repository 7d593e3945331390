"""A model is loaded once per worker process and cut, however many tasks run: counted in Spark's own workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from executor_support import STAGED, SparkMaker, make_plan, run_plan, small_workload

from vista_nb.executor.cnn import model_cache
from vista_nb.executor.walk import walk
from vista_nb.outcome.events import Event, StageFinished
from vista_nb.plan.logical import Infer

pytestmark = [pytest.mark.spark, pytest.mark.tf]

TASKS = 8
DDL = "pid int, artifact string, loads int"


@pytest.fixture
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[SparkMaker]:
    """Each test has its own artifact cache, so that no worker of another one has loaded any of it."""
    maker = SparkMaker(spark, tmp_path_factory.mktemp("cache"), tmp_path)
    yield maker
    maker.close()


def loads_of(spark: Any, artifacts: set[str]) -> dict[int, dict[str, int]]:
    """pid -> artifact -> loads of that process. Spark takes idle workers again: small tasks find them."""

    def told(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:  # inside: workers cannot import a test
        import os
        from collections import Counter

        import pyarrow as pa

        from vista_nb.executor.cnn.model_cache import loads

        for _ in batches:
            pass
        count = Counter(loads())
        pids = pa.array([os.getpid()] * len(count), pa.int32())
        numbers = pa.array(list(count.values()), pa.int32())
        yield pa.record_batch([pids, pa.array(list(count), pa.string()), numbers], ["pid", "artifact", "loads"])

    found: dict[int, dict[str, int]] = {}
    for row in spark.range(64).repartition(16).mapInArrow(told, DDL).collect():
        if row["artifact"] in artifacts:
            found.setdefault(row["pid"], {})[row["artifact"]] = row["loads"]
    return found


def test_one_load_per_process_and_cut(made: SparkMaker, tmp_path: Path) -> None:
    """Eight tasks on two workers. Staged has two cuts, and a second wave comes back to the first: no second load."""
    work = small_workload(tmp_path, rows=90)
    plan = make_plan(work, STAGED, waves=2, num_partitions=TASKS, batch_size=4)
    backend = made(work, plan)
    outcome, _ = run_plan(plan, backend)
    assert outcome.inferred_images == 90
    artifacts = {str(backend._artifacts.of(step).result()) for step in plan.logical.steps if isinstance(step, Infer)}
    assert len(artifacts) == 2
    found = loads_of(made.session, artifacts)
    assert found
    assert set().union(*found.values()) == artifacts
    assert {count for counts in found.values() for count in counts.values()} == {1}


def test_the_tasks_were_many_and_the_workers_few(made: SparkMaker, tmp_path: Path) -> None:
    """What the counts rest on: eight tasks at least, in no more processes than Spark has slots. Eager: one cut."""
    work = small_workload(tmp_path, rows=64)
    plan = make_plan(work, num_partitions=TASKS, batch_size=4)
    backend = made(work, plan)
    rows: list[Any] = []

    def emit(event: Event) -> None:
        if isinstance(event, StageFinished) and event.kind == "infer":  # later the driver reads the store instead
            table = backend._made[work.layer_names[0]][0].base
            rows.extend(table.selectExpr("worker", "spark_partition_id() as task").distinct().collect())

    walk(plan, backend, emit, backend.cancelled)
    workers = {row["worker"] for row in rows}
    assert len({row["task"] for row in rows}) >= TASKS
    assert 1 <= len(workers) <= 2
    artifacts = {str(backend._artifacts.of(step).result()) for step in plan.logical.steps if isinstance(step, Infer)}
    found = loads_of(made.session, artifacts)
    assert set(found) == workers
    assert {count for counts in found.values() for count in counts.values()} == {1}


def test_the_cache_holds_no_more_than_the_plan_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The least recently used model goes; one alone always stays; a rebuilt artifact is another model."""
    monkeypatch.setattr(model_cache, "_models", {})
    monkeypatch.setattr(model_cache, "_loads", [])
    monkeypatch.setattr(model_cache, "load", lambda folder: folder.name)
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        (folder / "graph.pb").write_bytes(b"." * 10)
        (folder / "weights.bin").write_bytes(b"." * 100)
    a, b, c = folders
    for folder in (a, a, b, a):
        model_cache.model(folder)
    assert model_cache.loads() == tuple(map(str, (a, b, a)))
    for folder in (b, c, b):
        model_cache.model(folder, most=200)
    assert model_cache.loads() == tuple(map(str, (a, b, a, b, c)))
    (b / "graph.pb").unlink()
    (b / "graph.pb").write_bytes(b"." * 11)
    os.utime(b / "graph.pb", ns=(1, 1))
    model_cache.model(b, most=200)
    assert model_cache.loads()[-1] == str(b)
