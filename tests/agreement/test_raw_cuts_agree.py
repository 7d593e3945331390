"""Inference from stored raw tensors gives what inference from photos gives, on real engines: the Pre-mat baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, SMALL_LAYERS, SparkMaker, make_plan, photo, run_plan, small_workload

from vista_nb.catalog.workload import Workload
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.steps import logical_plan
from vista_nb.outcome.events import LayerReused
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.physical import Persistence, TrainingSite
from vista_nb.spec.model import PlanChoice
from vista_nb.store.files import Store

pytestmark = [pytest.mark.spark, pytest.mark.tf]
ROWS = 48
CUT = SMALL_LAYERS[0]
Answer = tuple[RunOutcome, dict[str, Any]]
PUSHED, PULLED = PoolingPlace.PUSHED_DOWN, PoolingPlace.PULLED_UP


@pytest.fixture(scope="module")
def maker(spark: Any, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkMaker]:
    made = SparkMaker(spark, cache, tmp_path_factory.mktemp("run"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def work(maker: SparkMaker) -> Workload:
    """Two layers under MobileNet 0.25; the lower one's raw tensors are to be kept."""
    found = small_workload(maker.folder, rows=ROWS)
    return replace(found, spec=replace(found.spec, plan=PlanChoice(materialize=CUT)))


def cut_plan(work: Workload, kind: Materialization, pooling: PoolingPlace, loaded: int, made: int, **more: Any) -> Plan:
    inference, waves = more.pop("inference", Inference.AFTER_JOIN), more.pop("waves", 1)
    plan = make_plan(work, **more)
    reuse = Reuse((), work.layer_names, loaded + made, cut=CUT, cut_loaded=loaded, cut_made=made)
    logical = logical_plan(kind, inference, pooling, work.layer_names, reuse, baseline=False)
    return replace(plan, logical=replace(logical, waves=waves))


def answer(maker: SparkMaker, work: Workload, plan: Plan, store: str, run: str = "r1") -> tuple[Answer, list[Any]]:
    backend = maker(work, plan, run, store)
    outcome, events = run_plan(plan, backend)
    assert not backend._raw, "raw tensors are released at their last use"
    found = {name: np.array(backend.features(name).column("vector").to_pylist()) for name in work.layer_names}
    return (outcome, found), events


@pytest.fixture(scope="module")
def photos(maker: SparkMaker, work: Workload) -> Answer:
    """From the photos, in one pass."""
    return answer(maker, work, make_plan(work, EAGER), "photos")[0]


@pytest.fixture(scope="module")
def stored(maker: SparkMaker, work: Workload) -> str:
    """The store after a cell that made and kept the cut, in two waves."""
    plan = cut_plan(work, Materialization.EAGER, PUSHED, 0, ROWS, waves=2)
    (outcome, _features), _ = answer(maker, work, plan, "kept")
    assert outcome.inferred_images == ROWS
    (kept,) = [s for s in Store(maker.folder / "kept").ls() if s.facts.raw]
    assert (kept.facts.layer, kept.rows, len(kept.parts) >= 2) == (CUT, ROWS, True)
    return "kept"


def agrees(found: Answer, expected: Answer) -> None:
    for name, features in found[1].items():
        wanted = expected[1][name]
        np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
    for one, other in zip(found[0].scores, expected[0].scores, strict=True):
        assert abs(one.value - other.value) * one.rows_test <= 1.001


@pytest.mark.parametrize(
    ("kind", "pooling", "more"),
    [
        (Materialization.LAZY, PUSHED, {}),
        (Materialization.EAGER, PUSHED, {"waves": 2}),
        (Materialization.STAGED, PUSHED, {"inference": Inference.BEFORE_JOIN}),
        (Materialization.LAZY, PULLED, {"training": TrainingSite.CLUSTER}),
        (Materialization.EAGER, PULLED, {"cpu": 1, "threads_per_task": 2}),
        (Materialization.STAGED, PULLED, {"persistence": Persistence.SERIALIZED}),
    ],
    ids=[
        "lazy",
        "eager-waves",
        "staged-before-join",
        "lazy-pulled-cluster",
        "eager-pulled-one-worker",
        "staged-pulled",
    ],
)
def test_plans_from_the_stored_cut_agree_with_photos(
    maker: SparkMaker, work: Workload, photos: Answer, stored: str, kind: Any, pooling: Any, more: Any
) -> None:
    """No photo is decoded, and the answer is the same."""
    plan = cut_plan(work, kind, pooling, ROWS, 0, **more)
    found, events = answer(maker, work, plan, stored, "r2")
    assert found[0].inferred_images == 0
    assert [(e.layer, e.rows, e.run, e.raw) for e in events if isinstance(e, LayerReused)] == [(CUT, ROWS, "r1", True)]
    agrees(found, photos)


def test_photos_that_the_cut_lacks_are_inferred_to_it(maker: SparkMaker, work: Workload, stored: str) -> None:
    """Two photos changed: two go through the CNN, the others start from the store, in one answer."""
    for row in (5, 30):
        photo(maker.folder / "photos" / f"k{row:03d}.jpg", "blue", 900 + row)
    found, _ = answer(maker, work, cut_plan(work, Materialization.LAZY, PUSHED, ROWS - 2, 2), stored, "r3")
    assert found[0].inferred_images == 2
    agrees(found, answer(maker, work, make_plan(work, EAGER), "changed")[0])
    (kept,) = [s for s in Store(maker.folder / stored).ls() if s.facts.raw]
    assert kept.rows == ROWS + 2
