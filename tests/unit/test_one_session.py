"""When a kernel's Spark session can serve the next plan, and when it has to go; no JVM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from executor_support import catalogue, make_plan, workload

from vista_nb.catalog.workload import Workload
from vista_nb.executor.spark_session import place
from vista_nb.session import jvm
from vista_nb.session.given_session import size_of
from vista_nb.spec.model import Resources
from vista_nb.units import GB, GIB, MIB

CLUSTER = Resources(16 * GB, 4, None, 2, "spark://127.0.0.1:7077")


@pytest.mark.parametrize(
    ("first", "then", "why"),
    [
        (Resources(), Resources(), None),
        (Resources(cores=2), Resources(cores=4), None),
        (Resources(), Resources(master="local[7]"), "runs on local[7]"),
        (Resources(), CLUSTER, "runs on spark://127.0.0.1:7077"),
        (CLUSTER, Resources(), "the session on spark://127.0.0.1:7077"),
        (CLUSTER, CLUSTER, None),
        (CLUSTER, replace(CLUSTER, nodes=3), None),
        (CLUSTER, replace(CLUSTER, cores=8), "spark.executor.cores 8, the session has 4"),
    ],
)
def test_a_session_belongs_to_its_master(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Resources, then: Resources, why: str | None
) -> None:
    """Another master or larger executors: a new session. Fewer or the same: the old one serves."""
    table = catalogue(tmp_path, rows=3)
    monkeypatch.setitem(jvm._owned, "place", placed(workload(table, resources=first)))
    found = jvm._elsewhere(make_plan(workload(table), nodes=2), workload(table, resources=then))
    assert (found is None) == (why is None), found
    assert why is None or why in str(found)


def placed(work: Workload) -> dict[str, str]:
    return place(make_plan(work, nodes=2), work)


@pytest.mark.parametrize(
    ("text", "size"), [("2g", 2048 * MIB), ("953m", 953 * MIB), ("512", 512 * MIB), ("1gb", GIB), (None, 7), ("x", 7)]
)  # fmt: skip
def test_sizes_as_spark_writes_them(text: str | None, size: int) -> None:
    """Binary units, MiB where there is none."""
    assert size_of(text, 7) == size
