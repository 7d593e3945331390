"""Plans around raw tensors: kept where the cell says so, started from where that is faster, filled where some lack."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import LAPTOP, PHOTOS, RESNET50, snapshot, stored

from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.optimizer.memory import live_bytes
from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import explain
from vista_nb.plan.logical import Infer, Load, Release, Save
from vista_nb.spec.model import PlanChoice, Pooling

ROWS = PHOTOS.rows
CUT = "conv4_6"
NAMES = tuple(layer.name for layer in RESNET50.layers)


def raw(rows: int = ROWS, useful: int | None = None, layer: str = CUT) -> StoredLayer:
    return StoredLayer(layer, "raw", rows, 10**9, pooled=False, useful=useful)


def given(*held: StoredLayer, missing: int | None = None, **plan: object) -> Snapshot:
    found = snapshot(RESNET50, PHOTOS, LAPTOP, stored=held, missing=missing, pool=Pooling.AVG)
    spec = replace(found.workload.spec, plan=PlanChoice(**plan))  # type: ignore[arg-type]
    return replace(found, workload=replace(found.workload, spec=spec))


def around_the_cut(plan: Plan) -> list[object]:
    """Its loads, passes, saves and releases of raw tensors, without numbers."""
    kinds = (Load, Infer, Release)
    found = (s for s in plan.logical.steps if isinstance(s, kinds) or (isinstance(s, Save) and s.raw))
    return [replace(step, number=0) for step in found]


def seconds(plan: Plan) -> float:
    assert plan.chosen is not None
    return plan.chosen.seconds or 0.0


def test_materialize_makes_keeps_and_starts_from_the_cut() -> None:
    """One pass from photos to the cut, its tensors saved, all layers inferred from it, released once."""
    plan = optimize(given(materialize=CUT, materialization="eager", pooling="pushed_down"))
    assert around_the_cut(plan) == [
        Infer(0, None, (CUT,), False, ROWS),
        Save(0, (CUT,), raw=True, images=ROWS),
        Infer(0, CUT, NAMES, True, ROWS),
        Release(0, CUT),
    ]
    assert plan.logical.start_layer is None
    assert seconds(plan) > seconds(optimize(given(materialization="eager", pooling="pushed_down")))
    text = explain(plan)
    assert f"Save raw {CUT}" in text
    assert f"PartialInference({CUT} -> conv4_6 .. fc6)" in text


def test_what_is_kept_takes_storage_memory_until_it_is_read() -> None:
    """n a1 4 len bytes more are live than without; of a cut that is loaded, none."""
    plans = [
        optimize(given(*held, materialization="eager", pooling="pushed_down", **more))
        for held, more in (((), {}), ((), {"materialize": CUT}), ((raw(),), {"start": CUT}))
    ]
    from vista_nb.optimizer.facts import gather
    from vista_nb.optimizer.rates import DEFAULT
    from vista_nb.optimizer.reuse import find_reuse

    facts = gather(given(), find_reuse(given()), DEFAULT)
    live = [live_bytes(facts, p.logical, p.sizes.s_double, p.physical.persistence, p.physical.training) for p in plans]
    assert live[1] - live[0] == pytest.approx(1.2 * ROWS * (16 + 4 * 14 * 14 * 1024), rel=0.01)
    assert live[2] == live[0]


def test_what_is_kept_already_is_not_made_again() -> None:
    """Then the start is the optimizer's choice, as without the key."""
    plan = optimize(given(raw(), materialize=CUT))
    assert not any(isinstance(step, Save) and step.raw for step in plan.logical.steps)
    assert seconds(plan) == seconds(optimize(given(raw())))


def test_materialize_where_every_layer_is_stored() -> None:
    """Only the pass to the cut is left; its images are those that go through the CNN."""
    held = tuple(stored(name, ROWS) for name in NAMES)
    plan = optimize(given(*held, missing=0, materialize=CUT))
    passes = [step for step in around_the_cut(plan) if not isinstance(step, Load)]
    assert passes == [Infer(0, None, (CUT,), False, ROWS), Save(0, (CUT,), raw=True, images=ROWS), Release(0, CUT)]
    assert plan.memory.dl_execution > 0


def test_the_start_can_be_forced() -> None:
    """Photos though the cut is faster, the cut though photos are; a layer that is not there is no start."""
    free = optimize(given(raw()))
    assert free.logical.start_layer == CUT
    assert optimize(given(raw(), start="images")).logical.start_layer is None
    other = raw(layer="conv4_6")
    slow = optimize(given(other, start=CUT, materialization="lazy", pooling="pulled_up"))
    assert slow.logical.start_layer == CUT
    assert {c.logical.start_layer for c in slow.candidates} == {CUT}
    assert optimize(given(start=CUT)).logical.start_layer is None


def test_a_cut_that_lacks_images_is_filled_first() -> None:
    """Ten of the images go from the photo to the cut, and are kept; a cut of none of the missing ones is no start."""
    plan = optimize(given(raw(ROWS - 10)))
    steps = around_the_cut(plan)
    assert steps[:3] == [
        Load(0, (CUT,), raw=True, images=ROWS - 10),
        Infer(0, None, (CUT,), False, 10),
        Save(0, (CUT,), raw=True, images=10),
    ]
    assert plan.logical.start_layer == CUT
    assert seconds(optimize(given(raw()))) < seconds(plan) < seconds(optimize(given()))
    unhelpful = optimize(given(raw(ROWS - 10, useful=0), missing=10))
    assert {c.logical.start_layer for c in unhelpful.candidates} == {None}


def test_each_pass_reads_the_stored_cut() -> None:
    """Lazy reads it once per layer, eager once: the bytes are not kept in Storage Memory."""
    plans = {
        kind: optimize(given(raw(), start=CUT, materialization=kind, pooling="pushed_down", cpu=1))
        for kind in ("lazy", "eager")
    }
    load = {kind: dict(plan.seconds_by_step)[f"Load raw {CUT} from the store"] for kind, plan in plans.items()}
    assert load["lazy"] == pytest.approx(5 * load["eager"], rel=0.1)
