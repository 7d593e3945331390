"""Tables that stay in Storage Memory between two runs of one Spark: what they give equals what the photos give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, SMALL_LAYERS, STAGED, SparkMaker, make_plan, run_plan, small_workload

from vista_nb.executor.memory_tier import MemoryTier
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.steps import logical_plan
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.logical import Inference, Load, Materialization, PoolingPlace
from vista_nb.plan.physical import TrainingSite
from vista_nb.spec.model import Pooling
from vista_nb.units import GB

pytestmark = [pytest.mark.spark, pytest.mark.tf]
ROWS = 40


@pytest.fixture(scope="module")
def maker(spark: Any, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkMaker]:
    made = SparkMaker(spark, cache, tmp_path_factory.mktemp("run"))
    yield made
    made.close()


def run(maker: SparkMaker, work: Any, plan: Any, name: str, store: str, tier: MemoryTier, room: int = GB) -> Any:
    backend = maker(work, plan, name, store)
    backend.tier, backend.room = tier, room
    backend.outcome, backend.events = run_plan(plan, backend)
    backend.leave()
    return backend


def features(backend: Any) -> dict[str, Any]:
    return {layer: np.array(backend.features(layer).column("vector").to_pylist()) for layer in SMALL_LAYERS}


def from_memory(plan: Any) -> Any:
    steps = tuple(replace(step, memory=True) if isinstance(step, Load) else step for step in plan.logical.steps)
    return replace(plan, logical=replace(plan.logical, steps=steps))


@pytest.mark.parametrize("site", list(TrainingSite))
def test_features_the_disk_had_no_room_for(maker: SparkMaker, site: TrainingSite) -> None:
    """A store without a byte of budget: the next cell finds the features in memory, and no photo goes out again."""
    work, tier, store = small_workload(maker.folder, rows=ROWS), MemoryTier(), f"full-{site.value}"

    def maker_of_a_full_store(*given: Any) -> Any:
        backend = maker(*given)
        backend.shelf._store._budget = 1
        return backend

    first = run(maker_of_a_full_store, work, make_plan(work, training=site), "r1", store, tier)  # type: ignore[arg-type]
    assert any("features were not kept" in note for note in first.outcome.notes)
    assert tier.size > 0
    wanted = features(first)
    first.close()  # as the session does when the next run begins
    plan = from_memory(make_plan(work, loaded=SMALL_LAYERS, inferred=(), training=site))
    second = run(maker, work, plan, "r2", store, tier)
    assert second.outcome.inferred_images == 0
    assert {(e.layer, e.rows, e.memory) for e in second.events if isinstance(e, LayerReused)} == {
        (layer, ROWS, True) for layer in SMALL_LAYERS
    }
    assert {score.source for score in second.outcome.scores if not score.is_baseline} == {"reused"}
    for layer, found in features(second).items():
        np.testing.assert_array_equal(found, wanted[layer])
    assert [s.value for s in second.outcome.scores] == pytest.approx([s.value for s in first.outcome.scores])
    second.close()
    assert tier.fit(0) >= 1


def test_raw_tensors_serve_another_pooling(maker: SparkMaker) -> None:
    """A staged run leaves its raw layers; another pooling starts from them, with no photo decoded."""
    work, tier = small_workload(maker.folder, rows=ROWS), MemoryTier()
    run(maker, work, make_plan(work, STAGED), "r1", "raw", tier).close()
    other = replace(work, pool=Pooling.AVG, spec=replace(work.spec, pool=Pooling.AVG))
    wanted = features(run(maker, other, make_plan(other, EAGER), "r2", "raw-other", MemoryTier()))
    cut = SMALL_LAYERS[0]
    for place, materialization in (
        (PoolingPlace.PULLED_UP, Materialization.STAGED),
        (PoolingPlace.PUSHED_DOWN, Materialization.EAGER),
    ):
        reuse = Reuse((), SMALL_LAYERS, ROWS, cut=cut, cut_loaded=ROWS, cut_from_memory=True)
        logical = logical_plan(materialization, Inference.AFTER_JOIN, place, SMALL_LAYERS, reuse, baseline=False)
        plan = replace(make_plan(other), logical=logical)
        again = run(maker, other, plan, "r3", f"raw-{place.value}", tier)
        assert again.outcome.inferred_images == 0, "no photo goes through the CNN"
        assert [(e.layer, e.rows, e.raw, e.memory) for e in again.events if isinstance(e, LayerReused)] == [
            (cut, ROWS, True, True)
        ]
        for layer, found in features(again).items():
            np.testing.assert_allclose(found, wanted[layer], rtol=1e-4, atol=1e-4 * float(np.abs(wanted[layer]).max()))
        again.close()


def test_without_room_nothing_stays(maker: SparkMaker) -> None:
    """A plan that fills Storage Memory itself leaves no table behind."""
    work, tier = small_workload(maker.folder, rows=ROWS), MemoryTier()
    run(maker, work, make_plan(work, STAGED), "r1", "none", tier, room=0)
    assert tier.size == 0
