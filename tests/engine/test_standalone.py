"""A real standalone cluster on loopback: plans agree with local[2], a killed worker costs its tasks only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cluster_support import Standalone, child, python_without
from executor_support import EAGER, SMALL_LAYERS, SparkMaker, catalogue, make_plan, run_plan, small_workload

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf]
ROWS = 96
PLANS: dict[str, dict[str, Any]] = {
    "eager": {"batch_size": 4, "num_partitions": 8},
    "staged-shuffle-serialized": {
        "kind": ["staged", "pulled_up"], "join": "shuffle", "persistence": "serialized", "batch_size": 5,
    },
    "lazy-before-join-cluster-training": {
        "kind": ["lazy", "pushed_down"], "inference": "before_join", "training": "cluster", "join": "shuffle",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def places(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"cache": cache} | {name: tmp_path_factory.mktemp(name) for name in ("data", "cluster", "java")}


@pytest.fixture(scope="module")
def cluster(places: dict[str, Path]) -> Iterator[Standalone]:
    from vista_nb.executor.java import java_home

    with Standalone(places["cluster"], java_home(places["java"])) as running:
        yield running


@pytest.fixture(scope="module")
def reference(spark: Any, places: dict[str, Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores and features on local[2]."""
    maker = SparkMaker(spark, places["cache"], places["data"])
    work = small_workload(places["data"], rows=ROWS)
    plan = make_plan(work, EAGER, baseline=True)
    backend = maker(work, plan, store="reference")
    outcome, _ = run_plan(plan, backend)
    features = {name: np.array(backend.features(name).column("vector").to_pylist()) for name in SMALL_LAYERS}
    maker.close()
    return {s.layer: (s.value, s.rows_test) for s in outcome.scores}, features


def test_plans_agree_and_a_killed_worker_costs_its_tasks(
    cluster: Standalone, places: dict[str, Path], reference: Any, tmp_path: Path
) -> None:
    """Three plans on two nodes whose Python knows no vista_nb. In the first, one node loses power in mid-inference."""
    python = python_without(tmp_path / "python")
    common = {key: str(places[key]) for key in ("cache", "data")}
    request = common | {
        "what": "plans",
        "master": cluster.url,
        "rows": ROWS,
        "plans": PLANS,
        "kill": cluster.worker_pids[1],
    }
    answer = child(request, tmp_path / "run", python)
    assert answer["killed"], "the worker was killed while photos were inferred"
    assert answer["executors"] == 1
    for name, outcome in answer["outcomes"].items():
        agrees(outcome, np.load(tmp_path / "run" / f"{name}.npz"), reference)
        assert outcome["inferred"] == ROWS
        assert outcome["columns"] == ["digest", "content", "wave"], "the driver's photos travelled"
        shipped = str(places["cluster"])
        package, *artifacts = outcome["loaded"]
        assert package.startswith("./vista_nb-"), "out of the zip in the executor's working folder"
        assert artifacts
        assert all(place.startswith(shipped) for place in artifacts)
    assert answer["conf"]["spark.driver.host"] == "127.0.0.1"


def test_whole_cells_run_there_and_say_what_is_missing(
    cluster: Standalone, places: dict[str, Path], tmp_path: Path
) -> None:
    """A cell plans for the node's size and runs; the next reuses. A Python without TensorFlow or without Pillow, and a
    size that no worker has, end in a coded error that names it.
    """
    table = catalogue(tmp_path, rows=40)
    size = "nodes: 1, cores: 1, memory: %s"
    spec = (
        f"structured: {table}\nimages: photos/{{id}}.jpg\nlabel: label\ncnn: mobilenet_025\nweights: random\n"
        f'layers: top 1\nresources: {{master: "{cluster.url}", {size}}}'
    )
    request = {"what": "cells", "cache": str(places["cache"]), "specs": [spec % "3GB", spec % "3GB"]}
    first, second = child(request, tmp_path / "good")["cells"]
    assert first["sources"] == ["computed"]
    assert "reused" in second["sources"]
    assert first["scores"] == second["scores"]
    lacking = python_without(tmp_path / "python", "tensorflow")
    answer = child(request, tmp_path / "lacking", lacking)
    assert (answer["code"], "tensorflow" in answer["message"]) == ("VST405", True), answer
    assert "install tensorflow" in answer["hint"]
    none = dict(request, specs=[spec.replace("cores: 1", "cores: 64") % "64GB"], wait=4)
    answer = child(none, tmp_path / "none")
    assert (answer["code"], "64 cores" in answer["message"]) == ("VST409", True), answer


def agrees(outcome: dict[str, Any], features: Any, reference: Any) -> None:
    """Features within 1e-4 relative, at most one test row apart."""
    scores, expected = reference
    for name in SMALL_LAYERS:
        np.testing.assert_allclose(features[name], expected[name], rtol=1e-4, atol=1e-4 * np.abs(expected[name]).max())
    assert {layer for layer, _, _ in outcome["scores"]} == set(scores)
    for layer, value, rows in outcome["scores"]:
        assert rows == scores[layer][1]
        assert abs(value - scores[layer][0]) * rows <= 1.001
