"""Raw tensors in the store, on the reference backend: kept when asked for, started from, filled where some lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from executor_support import LAYERS, catalogue, make_plan, photo, run_inputs, run_plan, tiny_cnn, workload

from vista_nb.catalog.workload import Workload
from vista_nb.executor.cnn.tensors import tensors_column
from vista_nb.executor.local import LocalBackend
from vista_nb.executor.spark_raw import _write
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.steps import logical_plan
from vista_nb.outcome.events import LayerReused
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.logical import Infer, Inference, Load, Materialization, PoolingPlace, Release, Save
from vista_nb.spec.model import PlanChoice, Pooling
from vista_nb.store import files
from vista_nb.store.files import Store

SHAPES = list(product(Materialization, Inference, PoolingPlace))
ROWS = 60


def cut_plan(work: Workload, shape: Any, *, loaded: int = 0, made: int = 0, cut: str = "low", waves: int = 1) -> Any:
    """A plan that starts from the raw `cut`: of so many images stored, of so many made first."""
    plan = make_plan(work)
    reuse = Reuse((), work.layer_names, loaded + made, cut=cut, cut_loaded=loaded, cut_made=made)
    logical = logical_plan(*shape, work.layer_names, reuse, baseline=False)
    return replace(plan, logical=replace(logical, waves=waves))


def ran(work: Workload, plan: Any, folder: Path, run: str = "r1") -> tuple[LocalBackend, RunOutcome, list[Any]]:
    backend = LocalBackend(plan, run_inputs(work, folder, run=run))
    outcome, events = run_plan(plan, backend)
    assert not backend.raw, "raw tensors are released at their last use"
    return backend, outcome, events


def vectors(backend: LocalBackend) -> dict[str, Any]:
    names = backend.workload.layer_names
    return {name: np.array(backend.features(name).column("vector").to_pylist()) for name in names}


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


def raw_sets(folder: Path) -> list[tuple[str, int]]:
    return [(s.facts.layer, s.rows) for s in Store(folder / "store").ls() if s.facts.raw]


@pytest.mark.parametrize(("shape", "waves"), [*((s, 1) for s in SHAPES), (SHAPES[0], 3), (SHAPES[-1], 3)])
def test_every_shape_from_a_cut_gives_what_photos_give(tmp_path: Path, shape: Any, waves: int) -> None:
    """One run makes and keeps the cut, a second loads it: no photo is looked at, the features are the same."""
    table = catalogue(tmp_path, ROWS)
    work = workload(table, layers=LAYERS, plan=PlanChoice(materialize="low"))
    plain, expected, _ = ran(work, make_plan(work), tmp_path / "plain")
    first, made, _ = ran(work, cut_plan(work, shape, made=ROWS, waves=waves), tmp_path / "cut")
    assert made.inferred_images == ROWS
    assert raw_sets(tmp_path / "cut") == [("low", ROWS)]
    same(vectors(first), vectors(plain))
    again, loaded, events = ran(work, cut_plan(work, shape, loaded=ROWS, waves=waves), tmp_path / "cut", "r2")
    assert loaded.inferred_images == 0
    reused = [(e.layer, e.rows, e.run, e.raw) for e in events if isinstance(e, LayerReused)]
    assert reused == [("low", ROWS, "r1", True)]
    same(vectors(again), vectors(plain))
    values = [[(s.layer, s.value, s.source) for s in outcome.scores] for outcome in (made, loaded, expected)]
    assert values[0] == values[1] == values[2]


def test_a_cut_that_lacks_images_is_filled(tmp_path: Path) -> None:
    """New and changed photos go through the CNN up to the cut; all else starts from it; the cut is whole again."""
    table = catalogue(tmp_path, ROWS)
    work = workload(table, layers=("mid", "top"), plan=PlanChoice(materialize="low"))
    shape = (Materialization.EAGER, Inference.AFTER_JOIN, PoolingPlace.PUSHED_DOWN)
    ran(work, cut_plan(work, shape, made=ROWS), tmp_path)
    for row in (3, 17, 40):
        photo(tmp_path / "photos" / f"k{row:03d}.jpg", "red", 1000 + row)
    fill = cut_plan(work, shape, loaded=ROWS - 3, made=3)
    (tmp_path / "other").mkdir()
    backend, outcome, _ = ran(replace(work, pool=Pooling.AVG), fill, tmp_path, "r2")
    assert outcome.inferred_images == 3
    assert raw_sets(tmp_path) == [("low", ROWS + 3)]
    plain, _, _ = ran(replace(work, pool=Pooling.AVG), make_plan(work), tmp_path / "other")
    same(vectors(backend), vectors(plain))


def test_another_pooling_is_pooled_from_the_cut(tmp_path: Path) -> None:
    """Pulled up, the cut's own layer goes through no CNN."""
    table = catalogue(tmp_path, ROWS)
    work = workload(table, layers=("low",), plan=PlanChoice(materialize="low"))
    shape = (Materialization.STAGED, Inference.AFTER_JOIN, PoolingPlace.PULLED_UP)
    plan = cut_plan(work, shape, loaded=ROWS)
    assert not any(isinstance(step, Infer) for step in plan.logical.steps)
    ran(work, cut_plan(work, shape, made=ROWS), tmp_path)
    other = replace(work, pool=Pooling.AVG)
    backend, outcome, _ = ran(other, plan, tmp_path, "r2")
    assert outcome.inferred_images == 0
    plain, _, _ = ran(other, make_plan(other), tmp_path / "plain")
    same(vectors(backend), vectors(plain))


def test_a_full_disk_keeps_no_raw_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on and says why; pooled features, which are small, are kept."""
    monkeypatch.setattr(files, "DISK_FLOOR", 10**18)
    work = workload(catalogue(tmp_path, ROWS), plan=PlanChoice(materialize="low"))
    _, outcome, _ = ran(work, cut_plan(work, SHAPES[0], made=ROWS), tmp_path)
    assert len(outcome.scores) == 3
    assert any("raw tensors of low were not kept (VST613)" in note for note in outcome.notes)
    assert raw_sets(tmp_path) == []
    assert Store(tmp_path / "store").ls()


def steps_of(kind: Materialization, pooling: PoolingPlace, layers: Sequence[str] = LAYERS) -> list[str]:
    reuse = Reuse((), tuple(layers), 9, cut="low", cut_loaded=7, cut_made=2)
    plan = logical_plan(kind, Inference.AFTER_JOIN, pooling, tuple(layers), reuse, baseline=False)
    words = {Infer: lambda s: f"{s.start}>{'+'.join(s.layers)}", Release: lambda s: f"free {s.layer}"}
    words |= {Load: lambda s: f"load {s.images}", Save: lambda s: f"save raw {s.images}" if s.raw else ""}
    found = [words[type(step)](step) for step in plan.steps if type(step) in words]
    return [text for text in found if text]


def test_the_cut_is_read_by_all_and_freed_once() -> None:
    """After its last reader, and never made twice by the passes above it."""
    begin = ["load 7", "None>low", "save raw 2"]
    pushed, pulled = PoolingPlace.PUSHED_DOWN, PoolingPlace.PULLED_UP
    assert steps_of(Materialization.EAGER, pushed) == [*begin, "low>low+mid+top", "free low"]
    assert steps_of(Materialization.EAGER, pulled) == [*begin, "low>mid+top", "free low", "free mid", "free top"]
    assert steps_of(Materialization.LAZY, pushed) == [*begin, "low>low", "low>mid", "low>top", "free low"]
    staged = steps_of(Materialization.STAGED, pulled)
    assert staged == [*begin, "low>mid", "free low", "mid>top", "free mid", "free top"]
    assert tiny_cnn().layer("low") is not None


def test_a_worker_that_cannot_write_says_so(tmp_path: Path) -> None:
    """Its task does not fail, as the run goes on without keeping the tensors; an empty partition leaves no file."""
    batch = pa.RecordBatch.from_pydict(
        {"digest": ["a"], "tensors": tensors_column({"low": np.zeros((1, 4, 4, 6), np.float32)}, [True])}
    )
    (written,) = _write(str(tmp_path), iter([batch.slice(0, 0), batch]))
    assert written.to_pylist() == [{"file": str(next(tmp_path.iterdir())), "error": None}]
    (failed,) = _write(str(tmp_path / "gone"), iter([batch]))
    assert "No such file" in failed.to_pylist()[0]["error"]
    assert list(_write(str(tmp_path), iter([]))) == []
