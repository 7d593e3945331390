"""Down the ladder on a real Spark, with real workers that are killed, starved or too large: what is done stays done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executor_support import make_plan, small_workload

from vista_nb.errors import VistaRunError
from vista_nb.executor.descent import Descent
from vista_nb.executor.memory_sampler import resident
from vista_nb.executor.region_guard import RegionGuard
from vista_nb.executor.spark_session import cancel_group
from vista_nb.plan.candidate import Plan
from vista_nb.plan.memory import MemoryRegions

pytestmark = [pytest.mark.spark]

PARTITIONS = 6
BAD = 3  # the partition that makes trouble on the plan's own rung
ROOMY = MemoryRegions(0, 0, 10**15, 0, 0, 10**15)
GROUP = "memory-ladder"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two workers, batches of 8; below it batches of 4, then one worker."""
    made = make_plan(small_workload(tmp_path, rows=6))
    milder = replace(made.physical, batch_size=4)
    return replace(made, ladder=(milder, replace(milder, cpu=1)))


class Going:
    """A descent over a table of six partitions whose making is logged: one line per attempt, with its rung."""

    def __init__(self, spark: Any, plan: Plan, folder: Path, guard: RegionGuard | None = None) -> None:
        self.lines: list[str] = []
        self.log = folder / "attempts"
        self.log.touch()
        self.spark = spark
        spark.sparkContext.setJobGroup(GROUP, "down the ladder", interruptOnCancel=True)
        guard = guard or RegionGuard(ROOMY, lambda: None)
        self.descent = Descent(spark, plan, guard, threading.Event(), self.lines.append)

    def run(self, trouble: Callable[[], None], rungs_with_trouble: int = 1) -> int:
        """Persist the table with one job; `trouble` happens in one partition on the first rungs."""
        work = logged(str(self.log), trouble, rungs_with_trouble)
        frame = self.spark.range(60).repartition(PARTITIONS).mapInArrow(work, "id long").persist()
        try:
            return int(self.descent.run(frame.count, "CNN"))
        finally:
            frame.unpersist()

    @property
    def attempts(self) -> dict[int, list[str]]:
        """Partition -> the batch size of every attempt's rung (`8` the plan's)."""
        found: dict[int, list[str]] = {}
        for line in self.log.read_text().splitlines():
            partition, batch = line.split()
            found.setdefault(int(partition), []).append(batch)
        return found


def logged(log: str, trouble: Callable[[], None], rungs: int) -> Any:
    """Body of `mapInArrow`, as the inference worker reads its rung."""
    bad = BAD

    def work(batches: Iterator[Any]) -> Iterator[Any]:
        import time
        from pathlib import Path

        from pyspark import TaskContext

        from vista_nb.executor.cnn.rung import under_rung
        from vista_nb.executor.cnn.slots import lease
        from vista_nb.executor.cnn.worker import InferenceTask

        task = under_rung(InferenceTask("", 1, 1, "tf", ("a",), batch_size=8))
        context = TaskContext.get()
        assert context is not None
        here = context.partitionId()
        with lease(Path(log + ".slots"), task.limit, lambda: None):
            with Path(log).open("a") as file:
                file.write(f"{here} {task.batch_size if task.limit == 0 else 'alone'}\n")
            if here == bad and (task.batch_size == 8 or (rungs == 2 and task.limit == 0)):
                time.sleep(1)  # the others are done by then
                trouble()
            yield from batches

    return work


def killed() -> None:
    """As the kernel's memory killer does it."""
    import os

    os.kill(os.getpid(), 9)


def starved() -> None:
    """An allocation that no machine grants."""
    bytearray(1 << 55)


def test_finished_partitions_are_kept_when_a_worker_is_killed(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """Five of six are done when the worker dies: one partition is made again, under the milder rung, in one line."""
    kill = by_value(killed)
    going = Going(spark, plan, tmp_path)
    assert going.run(kill) == 60
    again = going.attempts.pop(BAD)
    assert again[-1] == "4"
    assert set(again[:-1]) == {"8"}
    assert all(batches == ["8"] for place, batches in going.attempts.items() if place != BAD)
    assert len(going.lines) == 1
    assert going.lines[0].endswith("; tried again with batches of 4")


def test_a_failed_allocation_goes_down_too(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """MemoryError in a worker; the line says that memory was asked for in vain."""
    going = Going(spark, plan, tmp_path)
    assert going.run(by_value(starved)) == 60
    assert going.attempts[BAD][-1] == "4"
    assert "could not get the memory it asked for" in going.lines[0]


def test_tensorflows_own_complaint_goes_down_too(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """ResourceExhausted, and oneDNN's primitive, are memory trouble; another error is none."""

    def exhausted() -> None:
        raise RuntimeError("ResourceExhaustedError: OOM when allocating tensor with shape[32,64,112,112]")

    def other() -> None:
        raise RuntimeError("something else")

    going = Going(spark, plan, tmp_path)
    assert going.run(exhausted) == 60
    with pytest.raises(VistaRunError, match="something else") as caught:
        Going(spark, plan, tmp_path).run(other)
    assert caught.value.code == "VST511"


def test_the_last_rung_runs_one_worker_at_a_time(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """Trouble on two rungs: two lines, the last with one worker; the partitions stay six."""
    going = Going(spark, plan, tmp_path)
    assert going.run(by_value(killed), rungs_with_trouble=2) == 60
    assert going.attempts[BAD][-1] == "alone"
    assert [line.split("tried again with ")[1] for line in going.lines] == ["batches of 4", "1 worker at a time"]
    assert sorted(going.attempts) == list(range(PARTITIONS))


def test_at_the_end_of_the_ladder_the_error_is_coded(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """No rung is left: the run fails with what happened and what to do."""
    with pytest.raises(VistaRunError, match="worker died") as caught:
        Going(spark, replace(plan, ladder=()), tmp_path).run(by_value(killed))
    assert caught.value.code == "VST514"
    assert "resources" in caught.value.hint


def test_workers_over_their_region_are_stopped(spark: Any, plan: Plan, tmp_path: Path) -> None:
    """One holds 900 MB where 500 were planned for all, and nothing is free: the pass is stopped and goes on milder."""
    regions = MemoryRegions(0, 0, 500_000_000, 0, 0, 500_000_000)

    def swollen() -> None:
        import time

        held = b"x" * 900_000_000
        time.sleep(60)  # without the guard it ends well, and no line is told
        assert held

    guard = RegionGuard(regions, lambda: cancel_group(spark, GROUP))
    going = Going(spark, plan, tmp_path, guard)
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.2):
            guard.see(resident())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        assert going.run(by_value(swollen)) == 60
    finally:
        done.set()
        sampler.join()
    assert going.attempts[BAD][-1] == "4"
    assert "the inference workers held" in going.lines[0]
    assert "500 MB were planned" in going.lines[0]


def by_value(function: Callable[[], None]) -> Callable[[], None]:
    """The same function without its module, which the workers cannot import."""
    import types

    return types.FunctionType(function.__code__, {"__builtins__": __builtins__}, function.__name__)
