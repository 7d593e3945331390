"""A plan may change time and memory, never the answer: plans x join x persistence x training site on real engines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, SMALL_LAYERS, STAGED, SparkMaker, make_plan, run_plan, small_workload

from vista_nb.catalog.workload import Workload
from vista_nb.outcome.events import BatchDone
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite

pytestmark = [pytest.mark.spark, pytest.mark.tf]
ROWS = 48
Answer = tuple[RunOutcome, dict[str, Any]]


@pytest.fixture(scope="module")
def maker(spark: Any, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkMaker]:
    made = SparkMaker(spark, cache, tmp_path_factory.mktemp("run"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def work(maker: SparkMaker) -> Workload:
    return small_workload(maker.folder, rows=ROWS)


def answer(maker: SparkMaker, work: Workload, store: str, kind: Any, decisions: dict[str, Any]) -> Answer:
    """Scores and every layer's features in key order, from a store of its own."""
    plan = make_plan(work, kind, baseline=True, **decisions)
    backend = maker(work, plan, store=store)
    outcome, events = run_plan(plan, backend)
    last = [event for event in events if isinstance(event, BatchDone)][-1]
    assert last.done == last.total == ROWS
    assert outcome.inferred_images == ROWS
    assert not backend._raw, "raw tensors are released at their last use"
    features = {name: np.array(backend.features(name).column("vector").to_pylist()) for name in SMALL_LAYERS}
    return outcome, features


@pytest.fixture(scope="module")
def reference(maker: SparkMaker, work: Workload) -> Answer:
    return answer(maker, work, "reference", EAGER, {})


@pytest.mark.parametrize(
    ("kind", "physical"),
    [
        (EAGER, {"join": JoinOperator.SHUFFLE, "persistence": Persistence.SERIALIZED}),
        (STAGED, {"join": JoinOperator.BROADCAST, "persistence": Persistence.SERIALIZED}),
        (STAGED, {"join": JoinOperator.SHUFFLE, "persistence": Persistence.DESERIALIZED, "batch_size": 5}),
        (EAGER, {"cpu": 1, "threads_per_task": 2, "num_partitions": 3}),
        (EAGER, {"join": JoinOperator.SHUFFLE, "training": TrainingSite.CLUSTER}),
    ],
    ids=["eager-shuffle-serialized", "staged-broadcast-serialized", "staged-shuffle", "one-worker", "cluster"],
)
def test_every_plan_gives_the_same_answer(
    maker: SparkMaker, work: Workload, reference: Answer, kind: Any, physical: dict[str, Any], request: Any
) -> None:
    """Features within 1e-4 relative, at most one test row apart."""
    outcome, features = answer(maker, work, request.node.name, kind, physical)
    agrees(outcome, features, reference)


@pytest.mark.parametrize(
    ("kind", "inference", "pooling"),
    list(product(Materialization, Inference, PoolingPlace)),
    ids=lambda value: value.value,
)
def test_every_shape_of_plan_gives_the_same_answer(
    maker: SparkMaker,
    work: Workload,
    reference: Answer,
    kind: Materialization,
    inference: Inference,
    pooling: PoolingPlace,
    request: Any,
) -> None:
    """Lazy, eager, staged; the CNN before and after the join; pooled inside the pass and after it."""
    outcome, features = answer(maker, work, request.node.name, (kind, pooling), {"inference": inference})
    agrees(outcome, features, reference)


def agrees(outcome: RunOutcome, features: dict[str, Any], reference: Answer) -> None:
    for name in SMALL_LAYERS:
        expected = reference[1][name]
        np.testing.assert_allclose(features[name], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    others = {score.layer: score for score in outcome.scores}
    assert len(others) == len(reference[0].scores)
    for score in reference[0].scores:
        assert score.rows_test == others[score.layer].rows_test
        assert abs(score.value - others[score.layer].value) * score.rows_test <= 1.001
