"""Layers on the way are kept for later cells: which, when not, and that what is kept is what asking would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, catalogue, make_plan, run_inputs, run_plan, tiny_cnn, workload
from planning_fixtures import LAPTOP, PHOTOS, RESNET50, snapshot

from vista_nb.catalog.snapshot import Beside, Snapshot
from vista_nb.catalog.workload import Workload
from vista_nb.executor.driver_backend import DriverBackend
from vista_nb.executor.local import LocalBackend
from vista_nb.optimizer.facts import gather
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.widening import on_the_way, with_beside
from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import explain
from vista_nb.plan.logical import Infer, Inference, LogicalPlan, Materialization, PoolingPlace, Save
from vista_nb.spec.model import Pooling
from vista_nb.store.files import Store
from vista_nb.units import GB, MB

ROOM = Beside("auto", 20 * GB)


def planned(beside: Beside = ROOM, **more: Any) -> Plan:
    return optimize(replace(_snapshot(**more), beside=beside))


def _snapshot(**more: Any) -> Snapshot:
    return snapshot(RESNET50, PHOTOS, LAPTOP, **({"layers": 2, "pool": Pooling.AVG} | more))


def kept(plan: Plan) -> tuple[str, ...]:
    return tuple(name for step in plan.logical.steps if isinstance(step, Infer) for name in step.beside)


def test_a_cell_of_the_top_layers_keeps_those_below() -> None:
    """Nearest first, in the pass and in the Save behind it; the plan says so, and what it costs."""
    plan = planned()
    assert kept(plan) == ("conv5_2", "conv5_1", "conv4_6")
    assert [step.beside for step in plan.logical.steps if isinstance(step, Save)] == [kept(plan)]
    assert "kept for later cells beside what was asked: conv5_2, conv5_1, conv4_6 (41.0 MB" in explain(plan)
    assert "+ Pool[avg], and 3 more" in explain(plan)


def test_it_costs_little_and_changes_no_decision() -> None:
    """At most a twentieth of the seconds; everything else of the plan is what it was."""
    plain, wide = planned(Beside("never")), planned()
    assert plain.chosen is not None
    assert wide.chosen is not None
    assert plain.chosen.seconds < wide.chosen.seconds <= 1.05 * plain.chosen.seconds  # type: ignore[operator]
    assert wide.physical == plain.physical
    assert wide.logical.name == plain.logical.name
    assert wide.chosen.flops == plain.chosen.flops, "no CNN work is added"
    assert kept(plain) == ()


@pytest.mark.parametrize(
    ("beside", "more"),
    [
        (Beside("never", 20 * GB), {}),
        (Beside("auto", 0), {}),
        (Beside("auto", 8 * MB), {}),
        (ROOM, {"materialization": "lazy"}),
        (ROOM, {"pooling": "pulled_up"}),
    ],
    ids=["never", "no_room", "little_room", "lazy", "pulled_up"],
)
def test_nothing_is_kept(beside: Beside, more: dict[str, Any]) -> None:
    """Off, no room in the store, the baselines of the paper, and raw passes."""
    assert kept(planned(beside, **more)) == ()


def test_what_the_store_has_is_not_kept_again() -> None:
    """Layers held for every image stay out of the pass."""
    assert kept(planned(replace(ROOM, held=frozenset({"conv5_1"})))) == ("conv5_2", "conv4_6")


def test_branches_are_never_kept() -> None:
    """A layer beside which another tensor lives is not surely on the way to the top."""
    given = _snapshot()
    cnn = given.workload.cnn
    branch = replace(cnn.layers[1], cut=((cnn.layers[1].name, (7, 7, 2048)), ("other", (7, 7, 8))))
    cnn = replace(cnn, layers=(cnn.layers[0], branch, *cnn.layers[2:]))
    given = replace(given, workload=replace(given.workload, cnn=cnn), beside=ROOM)
    assert kept(optimize(given)) == ("conv5_2", "conv4_6")


def test_wide_poolings_keep_no_more_bytes_than_avg_would() -> None:
    """`max 2x2` vectors are four times as long: the nearest that fit into the bytes of `avg` of the whole CNN."""
    assert kept(planned(pool=Pooling.MAX_2X2)) == ("conv4_6",), "conv5_2 and conv5_1 alone would be more"
    assert kept(planned(replace(ROOM, mode="always"), pool=Pooling.MAX_2X2)) == ("conv5_2", "conv5_1", "conv4_6")


def test_staged_passes_keep_what_each_goes_through() -> None:
    """Every layer goes to the pass that spans it."""
    layers = tuple(layer for layer in RESNET50.layers if layer.name in ("conv5_1", "fc6"))
    given = _snapshot(materialization="staged", pooling="pushed_down")
    given = replace(given, workload=replace(given.workload, layers=layers), beside=ROOM)
    passes = [step for step in optimize(given).logical.steps if isinstance(step, Infer)]
    assert [(step.start, step.beside) for step in passes] == [
        (None, ("conv4_6",)),
        ("conv5_1", ("conv5_3", "conv5_2")),
    ]


# -- what is kept is what asking gives ------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path: Path) -> Workload:
    return workload(catalogue(tmp_path, rows=24), tiny_cnn(), ("top",))


def with_low_layers(plan: Plan) -> Plan:
    steps = tuple(
        replace(step, beside=("mid", "low")) if isinstance(step, Infer | Save) else step for step in plan.logical.steps
    )
    return replace(plan, logical=replace(plan.logical, steps=steps))


def test_kept_features_equal_asked_ones(work: Workload, tmp_path: Path) -> None:
    """A later cell finds the layers that nobody asked for, of every wave in one part, and they are the CNN's."""
    first = LocalBackend(with_low_layers(make_plan(work, EAGER, waves=2)), run_inputs(work, tmp_path))
    outcome, _ = run_plan(first.plan, first)
    assert any(note.startswith("kept for later cells: low, mid (") for note in outcome.notes)
    assert first.pooled.keys() == {"top"}
    parts = {found.facts.layer: len(found.parts) for found in Store(first.inputs.store_dir).ls()}
    assert parts == {"top": 2, "mid": 1, "low": 1}

    wider = workload(tmp_path / "items.csv", tiny_cnn(), ("low", "mid", "top"))
    second = DriverBackend(make_plan(wider, EAGER, loaded=wider.layer_names, inferred=()), run_inputs(wider, tmp_path))
    run_plan(second.plan, second)
    asked = LocalBackend(make_plan(wider, EAGER), run_inputs(wider, tmp_path / "other"))
    run_plan(asked.plan, asked)
    for layer in wider.layer_names:
        kept_rows, asked_rows = second.features(layer), asked.features(layer)
        assert kept_rows.column("key").equals(asked_rows.column("key"))
        np.testing.assert_array_equal(
            np.array(kept_rows.column("vector").to_pylist()), np.array(asked_rows.column("vector").to_pylist())
        )


def test_a_full_budget_keeps_what_was_asked_only(work: Workload, tmp_path: Path) -> None:
    """What was asked for goes first; nothing is evicted for what nobody asked for."""
    inputs = replace(run_inputs(work, tmp_path), store_budget=5_000)
    backend = LocalBackend(with_low_layers(make_plan(work, EAGER)), inputs)
    outcome, _ = run_plan(backend.plan, backend)
    assert not any("kept for later" in note for note in outcome.notes)
    assert outcome.scores
    assert "low" not in {found.facts.layer for found in Store(inputs.store_dir).ls()}


def test_widening_needs_a_pass_that_spans_the_layer() -> None:
    """From a stored cut, only layers above it are on the way."""
    given = replace(_snapshot(layers=1), beside=ROOM)
    facts = gather(given, Reuse((), ("fc6",), PHOTOS.rows), DEFAULT)
    step = Infer(1, "conv5_2", ("fc6",), True, 10)
    logical = LogicalPlan(
        Materialization.EAGER, Inference.AFTER_JOIN, PoolingPlace.PUSHED_DOWN, "conv5_2", steps=(step,), cut="conv5_2"
    )
    assert on_the_way(logical, facts) == ("conv5_3",)
    assert with_beside(logical, ("conv5_3",), facts).steps == (replace(step, beside=("conv5_3",)),)
