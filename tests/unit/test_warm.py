"""What a kernel remembers of its last run: living workers, what they hold, MLlib; and when all counts as cold."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planning_fixtures import snapshot

from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import COLD, CNNPass, WarmFacts
from vista_nb.executor.cnn.artifact import META_FILE
from vista_nb.executor.cnn.prepare import artifact_folder
from vista_nb.executor.cnn.usage import PassUsage, Usage
from vista_nb.executor.inputs import ModelSource
from vista_nb.optimizer.optimize import optimize
from vista_nb.session import warm
from vista_nb.units import GB

CNN = load_roster().find("vistanet")
assert CNN is not None
SOURCE = ModelSource(CNN.builder, "bundled", None, "ab" * 32)
DATA = WorkloadStatistics(rows=100, structured_features=2, image_bytes=9_000, images=100)
GIVEN = snapshot(CNN, DATA, SystemFacts(memory=2 * GB, cores=1))


class Context:
    """Stands in for a SparkContext: only who it is counts."""


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Context:
    """A Spark that is up, a cache of its own, and runs that may be remembered."""
    context = Context()
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "read")
    monkeypatch.delenv("VISTA_NB_UI", raising=False)
    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(warm, "_context", lambda: context)
    monkeypatch.setattr(warm, "_left", [])
    return context


def facts(given: Snapshot = GIVEN, model: Any = SOURCE, engines: WarmFacts | None = None) -> WarmFacts:
    return warm.warm_facts(given, model, engines)


def folder(tmp_path: Path, one: CNNPass) -> Path:
    assert CNN is not None
    pool = GIVEN.workload.pool if one.pooled else None
    return artifact_folder(SOURCE, CNN, one.start, one.layers, pool, "float32", tmp_path, one.onward)


EAGER = CNNPass(None, GIVEN.workload.layer_names, True)


def test_a_fresh_spark_is_warm_and_nothing_else(spark: Context) -> None:
    """No run yet, no artifact on disk."""
    assert facts() == WarmFacts(jvm=True, known_model=True)
    assert facts(model=None) == WarmFacts(jvm=True)


def test_what_the_workers_held_and_still_hold(spark: Context, tmp_path: Path) -> None:
    """A pass is loaded where every living worker holds its artifact, and made where the disk has it."""
    made = folder(tmp_path, EAGER)
    made.mkdir(parents=True)
    (made / META_FILE).write_text("{}")
    mine = Usage(process=os.getpid(), threads=2, held=(str(made), "other"))
    warm.remember(optimize(GIVEN), [PassUsage(EAGER.layers, None, True, 32, (mine,))])
    found = facts()
    assert (found.workers, found.threads, found.mllib) == (1, 2, False)
    assert (found.made, found.loaded) == (frozenset({EAGER}), frozenset({EAGER}))
    bare = replace(mine, process=os.getppid(), held=())
    warm.remember(optimize(GIVEN), [PassUsage(EAGER.layers, None, True, 32, (mine, bare))])
    assert facts().workers == 2
    assert facts().loaded == frozenset()


def test_a_dead_worker_is_cold(spark: Context) -> None:
    """Spark ends idle workers after a minute."""
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    warm.remember(optimize(GIVEN), [PassUsage(EAGER.layers, None, True, 32, (Usage(process=gone.pid, threads=1),))])
    assert (facts().workers, facts().threads) == (0, 0)


def test_a_run_without_inference_leaves_the_workers_and_mllib_stays_warm(spark: Context) -> None:
    """The second cell of a kernel often only trains."""
    mine = Usage(process=os.getpid(), threads=1)
    on_cluster = optimize(replace(GIVEN, workload=_forced(training="cluster")))
    warm.remember(on_cluster, [PassUsage(EAGER.layers, None, True, 32, (mine,))])
    warm.remember(optimize(GIVEN), [])
    assert (facts().workers, facts().mllib) == (1, True)


def test_another_spark_remembers_nothing(spark: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restarted JVM has other workers."""
    warm.remember(optimize(GIVEN), [PassUsage(EAGER.layers, None, True, 32, (Usage(process=os.getpid(), threads=1),))])
    other = Context()
    monkeypatch.setattr(warm, "_context", lambda: other)
    assert facts() == WarmFacts(jvm=True, known_model=True)


def test_the_cells_own_start_does_not_count_as_warm(spark: Context) -> None:
    """A run plans again once its digest is known, while its JVM is coming up."""
    assert not facts(engines=COLD).jvm
    assert not facts(engines=COLD).known_model


@pytest.mark.parametrize("mode", ["never", "static"])
def test_plans_that_may_not_depend_on_the_machine_are_cold(
    spark: Context, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Deterministic output, and another machine."""
    assert facts(replace(GIVEN, system=replace(GIVEN.system, nodes=4, master="spark://head:7077"))) == COLD
    monkeypatch.delenv("VISTA_NB_CALIBRATE")
    monkeypatch.setenv("VISTA_NB_CALIBRATE" if mode == "never" else "VISTA_NB_UI", mode)
    assert facts() == COLD


def _forced(**choice: Any) -> Any:
    return snapshot(CNN, DATA, GIVEN.system, **choice).workload  # type: ignore[arg-type]
