"""In memory cgroups: an admitted plan finishes, another is refused, and what is killed goes down the ladder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.memory_group import run_limited, why_not
from benchmarks.memory_limits import limited, photos

_WHY = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.spark,
    pytest.mark.tf,
    pytest.mark.skipif(_WHY is not None, reason=str(_WHY)),
]

MB = 1_000_000
CNN, LAYERS = "mobilenet_025", "top 2"
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 photos."""
    return photos(tmp_path_factory.mktemp("photos"), rows=120)


def test_an_admitted_plan_finishes_within_its_limit(table: Path) -> None:
    """A cold run, artifact and JVM included, in 2.2 GB; what was measured is below what was planned."""
    row = limited(2_200 * MB, "pushed down", table, CNN, LAYERS)
    assert row["outcome"] == "finished", row
    assert row["kills"] == 0
    assert row["said"] == ""
    assert row["planned_gb"] <= 2.2
    assert row["peak_resident_gb"] <= 2.2
    assert 0 < row["workers_gb"] <= row["workers_planned_gb"]
    assert 0 < row["driver_gb"] <= row["driver_planned_gb"]


def test_what_does_not_fit_is_refused_with_the_smallest_memory(table: Path) -> None:
    """Before an engine starts, in seconds; the memory it names is more than there is."""
    row = limited(1_200 * MB, "pushed down", table, CNN, LAYERS)
    assert row["outcome"] == "refused", row
    assert row["kills"] == 0
    assert 1.2 < row["smallest_memory_gb"] < 2.2
    assert row["peak_resident_gb"] < 0.5


def test_the_memory_killer_takes_a_worker_and_the_rest_is_kept(tmp_path: Path) -> None:
    """The real killer, in 1.5 GB: neither the JVM nor the kernel dies, and one partition is made again."""
    log = tmp_path / "attempts"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    ended = run_limited(
        [sys.executable, str(TESTS / "memory_child.py"), str(log)], 1_500 * MB, env=environment, timeout=180
    )
    assert ended.code == 0, ended.err[-2000:]
    assert ended.kills >= 1
    found = json.loads(ended.out.splitlines()[-1])
    assert found["rows"] == 60
    assert found["told"] == ["CNN: the system's memory killer ended an inference worker; tried again with batches of 4"]
    again = found["attempts"].pop("3")
    assert again[-1] == "4"
    assert all(batches == ["8"] for batches in found["attempts"].values())
