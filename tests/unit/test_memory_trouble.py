"""Memory trouble without an engine: when the guard fires, what the machine has left, how errors are told apart."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executor_support import make_plan, tiny_cnn, workload

from vista_nb.catalog.bind_machine import unfit
from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.executor import region_guard
from vista_nb.executor.artifacts_first import making_bytes, side_by_side
from vista_nb.executor.cnn.slots import lease
from vista_nb.executor.memory_pressure import free_bytes, killed_so_far
from vista_nb.executor.region_guard import RegionGuard, over_region
from vista_nb.executor.spark_errors import is_memory_trouble, translated
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.physical import PhysicalPlan
from vista_nb.spec.model import Resources, Spec

GB = 10**9
REGIONS = MemoryRegions(GB, GB, 2 * GB, GB, GB, 2 * GB)  # 8 GB


def sample(workers: float, others: float = 2) -> dict[str, int]:
    return {"driver": int(others / 2 * GB), "jvm": int(others / 2 * GB), "workers": int(workers * GB)}


@pytest.mark.parametrize(
    ("now", "free", "over"),
    [
        (sample(1.9), 0, False),  # 95 % of the region, as in every normal run, on a machine with nothing left
        (sample(2.19), 0, False),  # within the margin
        (sample(2.3), 4 * GB, False),  # over it, but nobody is short
        (sample(2.3), int(0.3 * GB), True),  # the machine is
        (sample(5.7), 4 * GB, True),  # the user's own limit is
        (sample(5.7), None, True),
        (sample(2.3), None, False),
    ],
)
def test_over_the_region_and_short_of_memory(now: dict[str, int], free: int | None, over: bool) -> None:
    """Both are needed: the workers beyond the margin, and under 5 % of the whole left."""
    assert over_region(now, REGIONS, free) is over


def test_the_guard_stops_a_pass_once_and_only_while_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two samples in a row; nothing outside a pass; after a stop a pause, as the workers are still ending."""
    monkeypatch.setattr(region_guard, "free_bytes", lambda: 0)
    stopped: list[int] = []
    guard = RegionGuard(REGIONS, lambda: stopped.append(1))
    for _ in range(3):
        guard.see(sample(3))
    assert stopped == []
    with guard.armed():
        for workers in (3, 1, 3):
            guard.see(sample(workers))
        assert guard.trouble("CNN") is None
        guard.see(sample(3))
        guard.see(sample(3))
        assert stopped == [1]
    found = guard.trouble("CNN")
    assert found is not None
    assert found.code == "VST519"
    assert is_memory_trouble(found)
    assert "held 3.0 GB where 2.0 GB were planned" in found.message
    with guard.armed():
        guard.see(sample(3))
        guard.see(sample(3))
    assert stopped == [1]
    assert guard.trouble("CNN") is None


def fake(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_free_bytes_counts_cgroups_and_not_the_page_cache(tmp_path: Path) -> None:
    """The tightest of v1's and v2's groups and the machine; cached files can be taken back."""
    v1 = "sys/fs/cgroup/memory/job"
    found = fake(
        tmp_path / "v1",
        {
            "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n",
            "proc/self/cgroup": "4:memory:/job\n0::/\n",
            f"{v1}/memory.limit_in_bytes": "1000000\n",
            f"{v1}/memory.usage_in_bytes": "900000\n",
            f"{v1}/memory.stat": "cache 1\ntotal_inactive_file 100000\ntotal_active_file 50000\n",
            f"{v1}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        },
    )
    assert (free_bytes(found), killed_so_far(found)) == (250_000, 3)
    v2 = "sys/fs/cgroup/job"
    found = fake(
        tmp_path / "v2",
        {
            "proc/meminfo": "MemAvailable: 8 kB\n",
            "proc/vmstat": "oom_kill 9\n",
            "proc/self/cgroup": "0::/job\n",
            f"{v2}/memory.max": "max\n",
            f"{v2}/memory.current": "900000\n",
            f"{v2}/memory.events": "oom 1\noom_kill 2\n",
        },
    )
    assert (free_bytes(found), killed_so_far(found)) == (8192, 2)
    assert (free_bytes(tmp_path / "none"), killed_so_far(tmp_path / "none")) == (None, 0)


@pytest.mark.parametrize(
    ("text", "killed", "code", "words"),
    [
        ("Python worker exited unexpectedly (crashed)", True, "VST514", "memory killer ended an inference worker"),
        ("Python worker exited unexpectedly (crashed)", False, "VST514", "most likely for want of memory"),
        ("MemoryError: Unable to allocate", False, "VST514", "could not get the memory"),
        ("could not execute a primitive", False, "VST514", "could not get the memory"),
        ("ExecutorLostFailure (executor 1) Reason: Container killed, exceeding memory limits", False, "VST514", "died"),
        ("Answer from Java side is empty", True, "VST518", "memory killer ended Spark's JVM"),
        ("Answer from Java side is empty", False, "VST518", "JVM is gone"),
    ],
)
def test_errors_say_who_was_killed_and_what_to_do(text: str, killed: bool, code: str, words: str) -> None:
    """One line, one hint that names the settings."""
    found = translated(RuntimeError(text), "CNN", killed)
    assert found.code == code
    assert words in found.message
    assert "resources: {memory: ...}" in found.hint
    assert is_memory_trouble(found) is (code == "VST514")


def test_more_memory_than_there_is_is_refused() -> None:
    """On this machine; a cluster's workers, or a spec that asks for less, are another matter."""
    machine = SystemFacts(memory=4 * GB, cores=2, source="cgroup")
    (problem,) = unfit(Spec(resources=Resources(memory=16 * GB)), machine, None)
    assert problem.code == "VST413"
    assert "16.0 GB are more than this machine has (4.0 GB, by its cgroup)" in problem.message
    for fine in (Resources(memory=4 * GB), Resources(memory=16 * GB, nodes=4), Resources(16 * GB, master="yarn")):
        assert unfit(Spec(resources=fine), machine, None) == ()


def plan_of(tmp_path: Path, total: int, cpu: int) -> Any:
    made = make_plan(workload(tmp_path / "none.csv", tiny_cnn()), cpu=cpu)
    step = made.logical.steps
    assert step
    logical = replace(
        made.logical, steps=tuple(replace(s, images=100) if hasattr(s, "images") else s for s in made.logical.steps)
    )
    rest = MemoryRegions(300_000_000, 400_000_000, cpu * 1_200_000_000, 200_000_000, 480_000_000, 0)
    return replace(made, logical=logical, memory=replace(rest, storage=total - rest.total))


def test_artifacts_come_first_where_both_do_not_fit(tmp_path: Path) -> None:
    """ResNet50 takes over 2 GB to make: beside a JVM in 8 GB, before it in 3."""
    resnet = load_roster().find("resnet50")
    assert resnet is not None
    assert 2 * GB < making_bytes(resnet) < 2.6 * GB
    assert side_by_side(plan_of(tmp_path, 8 * GB, 2), resnet)
    assert not side_by_side(plan_of(tmp_path, 3 * GB, 1), resnet)
    assert side_by_side(plan_of(tmp_path, 3 * GB, 1), replace(resnet, serialized=2_000_000))


def test_a_worker_keeps_its_slot_until_it_is_idle(tmp_path: Path) -> None:
    """From task to task without loading again; a second idle, and the CNN and the slot are gone."""
    forgotten: list[str] = []
    for _ in range(3):
        with lease(tmp_path, 1, lambda: forgotten.append("x")) as number:
            assert number == 0
    assert forgotten == ["x"]  # before the first wait alone
    deadline = time.monotonic() + 5
    while len(forgotten) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert forgotten == ["x", "x"]
    with lease(tmp_path, 0, lambda: forgotten.append("y")):  # no limit: nothing is waited for
        assert forgotten == ["x", "x"]


def test_a_ladder_needs_no_more_than_its_plan(tmp_path: Path) -> None:
    """Every rung keeps the number of partitions, as finished ones are only found in a table of the same shape."""
    from vista_nb.optimizer.ladder import fallback_ladder

    first: PhysicalPlan = replace(plan_of(tmp_path, 8 * GB, 4).physical, batch_size=32)
    ladder = fallback_ladder(first, 8)
    assert {rung.num_partitions for rung in ladder} == {first.num_partitions}
    assert [(r.batch_size, r.cpu) for r in ladder] == [(16, 4), (8, 4), (4, 4), (4, 2), (4, 1)]
