"""A layer that is no articulation point is stored with its whole cut, and plans count those bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import RESNET50, snapshot

from vista_nb.catalog.roster import LayerFacts
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.tables import materialized_lengths, plan_sizes
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace

BESIDE = ("block_in", (14, 14, 512))


def with_cut(given: Snapshot, place: int) -> Snapshot:
    """The same workload where layer `place` of L is a branch, beside which another tensor must be kept."""
    layers = list(given.workload.layers)
    layers[place] = replace(layers[place], cut=((layers[place].name, layers[place].shape), BESIDE))
    return replace(given, workload=replace(given.workload, layers=tuple(layers)))


def test_stored_length_is_the_layer_and_the_rest_of_its_cut() -> None:
    """An empty cut, or one of the layer alone, adds nothing."""
    plain = LayerFacts("a", "a", (7, 7, 8), 0, 0.0)
    assert plain.stored_length == plain.length == 392
    assert replace(plain, cut=(("a", (7, 7, 8)),)).stored_length == 392
    assert replace(plain, cut=(("a", (7, 7, 8)), ("b", (4, 2)), ("image", (2, 2, 3)))).stored_length == 392 + 8 + 12


@pytest.mark.parametrize("place", [0, 2])
def test_staged_raw_tables_grow_by_the_cut(place: int) -> None:
    """Only the layer itself, only where a pass goes on from it, and only raw."""
    plain = snapshot(RESNET50)
    cut = with_cut(plain, place)
    extra = 14 * 14 * 512

    def lengths(given: Snapshot, pooling: PoolingPlace, kind: Materialization) -> tuple[int, ...]:
        return materialized_lengths(given, pooling, kind)

    staged = (PoolingPlace.PULLED_UP, Materialization.STAGED)
    grown = [b - a for a, b in zip(lengths(plain, *staged), lengths(cut, *staged), strict=True)]
    assert grown == [extra if i == place else 0 for i in range(len(grown))]
    for other in ((PoolingPlace.PUSHED_DOWN, Materialization.STAGED), (PoolingPlace.PULLED_UP, Materialization.LAZY)):
        assert lengths(plain, *other) == lengths(cut, *other)
    assert lengths(plain, *staged) == lengths(with_cut(plain, -1), *staged), "nothing goes on from the top layer"


def test_the_two_live_tables_count_it() -> None:
    """s_double of a staged plan grows by n a1 4 bytes per value."""
    plain = snapshot(RESNET50)
    made = [
        plan_sizes(
            given, Materialization.STAGED, Inference.AFTER_JOIN, PoolingPlace.PULLED_UP, count_encoded_images=True
        ).s_double
        for given in (plain, with_cut(plain, 0))
    ]
    assert made[1] - made[0] == pytest.approx(plain.statistics.rows * 1.2 * 4 * 14 * 14 * 512, abs=2)
