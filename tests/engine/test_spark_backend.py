"""The Spark engine for real: plans agree, reuse holds, bad photos leave, a cancel leaves nothing running."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executor_support import EAGER, SMALL_LAYERS, STAGED, SparkMaker, make_plan, run_plan
from executor_support import small_workload as small

from vista_nb.errors import VistaCancelled, VistaDataError
from vista_nb.executor.spark_session import active_jobs, cancel_group
from vista_nb.executor.walk import walk
from vista_nb.outcome.events import BatchDone, Event, LayerReused, LayerScored

pytestmark = [pytest.mark.spark, pytest.mark.tf]


def test_second_run_infers_nothing_and_new_photos_alone(made: SparkMaker, tmp_path: Path) -> None:
    """Same layers again: loaded, same scores. Six rows more: six photos inferred."""
    work = small(tmp_path, rows=36)
    plan = make_plan(work)
    one, _ = run_plan(plan, made(work, plan))
    again = make_plan(work, loaded=SMALL_LAYERS, inferred=())
    two, events = run_plan(again, made(work, again, "r2"))
    assert [(s.layer, s.value) for s in one.scores] == [(s.layer, s.value) for s in two.scores]
    assert two.inferred_images == 0
    reused = [(e.layer, e.rows, e.run) for e in events if isinstance(e, LayerReused)]
    assert reused == [(name, 36, "r1") for name in SMALL_LAYERS]
    more = small(tmp_path, rows=42)
    grown = make_plan(more, loaded=SMALL_LAYERS)
    backend = made(more, grown, "r3")
    three, _ = run_plan(grown, backend)
    assert (three.inferred_images, three.rows.joined) == (6, 42)
    assert backend.features(SMALL_LAYERS[0]).num_rows == 42


def test_waves_end_like_one_wave(made: SparkMaker, tmp_path: Path) -> None:
    """Three waves: an early score before the end, every photo inferred once, the one-wave answer at the end."""
    work = small(tmp_path, rows=90)
    whole, waved = make_plan(work), make_plan(work, STAGED, waves=3)
    one, _ = run_plan(whole, made(work, whole, store="one"))
    three, events = run_plan(waved, made(work, waved, store="three"))
    assert three.inferred_images == 90
    assert any(isinstance(e, LayerScored) and not e.final for e in events)
    for a, b in zip(one.scores, three.scores, strict=True):
        assert abs(a.value - b.value) * a.rows_test <= 1.001


def test_corrupt_photos_leave_with_their_rows(made: SparkMaker, tmp_path: Path) -> None:
    """Two of sixty: dropped, named with path and reason; all scores on the same rows, staged as well."""
    work = small(tmp_path, rows=60, bad=(4, 11))
    for number, kind in enumerate((EAGER, STAGED)):
        plan = make_plan(work, kind, baseline=True)
        outcome, _ = run_plan(plan, made(work, plan, store=f"store{number}"))
        assert [bad.key for bad in outcome.bad_images] == ["k004", "k011"]
        assert all(bad.path.endswith(f"{bad.key}.jpg") and bad.reason for bad in outcome.bad_images)
        assert (outcome.rows.joined, outcome.rows.bad_images) == (58, 2)
        assert len({s.rows_test for s in outcome.scores}) == 1


def test_too_many_corrupt_photos_fail(made: SparkMaker, tmp_path: Path) -> None:
    """Above 5 %: a coded error that counts and names them."""
    work = small(tmp_path, rows=30, bad=(1, 2, 3))
    plan = make_plan(work)
    with pytest.raises(VistaDataError, match=r"3 rows have a bad photo: .*k001\.jpg") as raised:
        run_plan(plan, made(work, plan))
    assert raised.value.code == "VST338"


def test_cancel_in_the_middle_of_inference(spark: Any, made: SparkMaker, tmp_path: Path) -> None:
    """The run ends as cancelled, and no job of its group is left."""
    work = small(tmp_path, rows=240)
    plan = make_plan(work, num_partitions=12, batch_size=4)
    backend = made(work, plan)
    inferring = threading.Event()

    def emit(event: Event) -> None:
        if isinstance(event, BatchDone):
            inferring.set()

    failure: list[BaseException] = []

    def work_thread() -> None:
        try:
            walk(plan, backend, emit, backend.cancelled)
        except BaseException as error:  # handed to the test below
            failure.append(error)

    thread = threading.Thread(target=work_thread)
    thread.start()
    assert inferring.wait(120)
    assert active_jobs(spark, backend.group) >= 1
    backend.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(failure[0], VistaCancelled)
    deadline = time.monotonic() + 10
    while active_jobs(spark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert active_jobs(spark) == 0


def test_a_killed_worker_costs_a_retry_not_the_run(made: SparkMaker, tmp_path: Path) -> None:
    """A worker gone as the kernel's memory killer leaves it: down the ladder, said in a note, the same answer."""
    work = small(tmp_path, rows=120)
    plan = make_plan(work, num_partitions=2, batch_size=4)
    reference, _ = run_plan(plan, made(work, plan, store="calm"))
    backend = made(work, replace(plan, ladder=(replace(plan.physical, batch_size=2),)), store="hit")
    killed: list[int] = []

    def emit(event: Event) -> None:
        if isinstance(event, BatchDone) and not killed:
            killed.extend(kill_workers())

    outcome = walk(backend.plan, backend, emit, backend.cancelled)
    assert killed
    assert [(s.layer, s.value) for s in outcome.scores] == [(s.layer, s.value) for s in reference.scores]
    assert any("tried again with batches of 2" in note for note in outcome.notes)
    assert outcome.inferred_images == 120


def kill_workers() -> list[int]:
    """SIGKILL for the Python workers below this process' JVM (the leaves: their parent is Spark's daemon)."""
    import psutil

    killed = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # a zombie of an earlier test
            if "pyspark.daemon" in " ".join(process.cmdline()) and not process.children():
                process.kill()
                killed.append(process.pid)
    return killed


def test_a_group_cancelled_for_good_starts_no_job(spark: Any) -> None:
    """A thread that was about to start its job, as the workers' warm-up may be, finds the door shut."""
    context = spark.sparkContext
    try:
        context.setJobGroup("cancelled", "for good", interruptOnCancel=True)
        assert spark.range(3).count() == 3
        cancel_group(spark, "cancelled")
        assert spark.range(3).count() == 3, "the ladder's next try needs the group"
        cancel_group(spark, "cancelled", for_good=True)
        with pytest.raises(Exception, match="cancel"):
            spark.range(3).count()
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
    assert spark.range(3).count() == 3
