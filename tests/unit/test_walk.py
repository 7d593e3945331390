"""The walk on the numpy backend: order, waves, release, reuse, quarantine, cancel, errors; all in milliseconds."""

from __future__ import annotations

import threading
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from executor_support import EAGER, LAYERS, STAGED, catalogue, make_plan, run_inputs, run_plan, workload

from vista_nb.errors import VistaCancelled, VistaDataError, VistaRunError
from vista_nb.executor.local import LocalBackend
from vista_nb.executor.walk import walk, waves_of
from vista_nb.outcome.events import BatchDone, Event, LayerReused, LayerScored, LogLine, StageFinished, StageStarted
from vista_nb.outcome.scores import TABLE, TABLE_TREE
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.spec.model import BadImages


def features_of(backend: LocalBackend) -> dict[str, np.ndarray]:
    """Every layer's features as a matrix in key order."""
    return {name: np.array(backend.features(name).column("vector").to_pylist()) for name in LAYERS}


def test_eager_and_staged_agree_and_pictures_help(tmp_path: Path) -> None:
    """Both plans give the same features and scores; the colour is in the picture, not in the table."""
    work = workload(catalogue(tmp_path))
    inputs = run_inputs(work, tmp_path)
    first = LocalBackend(make_plan(work, EAGER, baseline=True), inputs)
    one, _ = run_plan(first.plan, first)
    second = LocalBackend(make_plan(work, STAGED, baseline=True), run_inputs(work, tmp_path / "other"))
    two, _ = run_plan(second.plan, second)
    for name, matrix in features_of(first).items():
        np.testing.assert_allclose(matrix, features_of(second)[name], rtol=1e-5, atol=1e-6)
    assert [(s.layer, s.value) for s in one.scores] == [(s.layer, s.value) for s in two.scores]
    assert [s.layer for s in one.scores] == [TABLE, TABLE_TREE, *LAYERS]
    scores = {s.layer: s.value for s in one.scores}
    assert max(scores[name] for name in LAYERS) > scores[TABLE] + 0.2
    assert one.rows.joined == 60
    assert one.rows.train + one.rows.test == 60
    assert one.inferred_images == 60
    assert one.tests


@pytest.mark.parametrize("waves", [1, 3])
@pytest.mark.parametrize(
    ("kind", "inference", "pooling"),
    list(product(Materialization, Inference, PoolingPlace)),
    ids=lambda value: value.value if hasattr(value, "value") else str(value),
)
def test_every_shape_of_plan_gives_the_same_answer(
    tmp_path: Path, kind: Materialization, inference: Inference, pooling: PoolingPlace, waves: int
) -> None:
    """All twelve, in one wave and in three: the features and scores of one eager pass; nothing raw is left alive."""
    work = workload(catalogue(tmp_path, rows=120, bad=(7,)))
    first = LocalBackend(make_plan(work, EAGER, baseline=True), run_inputs(work, tmp_path / "a"))
    one, _ = run_plan(first.plan, first)
    plan = make_plan(work, (kind, pooling), inference=inference, waves=waves, baseline=True)
    backend = LocalBackend(plan, run_inputs(work, tmp_path / "b"))
    other, events = run_plan(plan, backend)
    for name, matrix in features_of(first).items():
        np.testing.assert_allclose(features_of(backend)[name], matrix, rtol=1e-5, atol=1e-6)
    assert {(s.layer, s.value, s.rows_test) for s in other.scores} == {
        (s.layer, s.value, s.rows_test) for s in one.scores
    }
    assert [bad.key for bad in other.bad_images] == ["k007"]
    assert not backend.raw
    passes = [e for e in events if isinstance(e, StageStarted) and e.kind == "infer" and e.wave == waves]
    assert len(passes) == (1 if kind is Materialization.EAGER else len(LAYERS))


@pytest.mark.parametrize("waves", [1, 3])
def test_no_photo_of_a_row_without_label_is_inferred_wherever_the_join_is(tmp_path: Path, waves: int) -> None:
    """Ten rows have a photo and no label: T_img is linked without them, so a late join infers nothing more."""
    table = catalogue(tmp_path, rows=120)
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line.rsplit(",", 1)[0] + "," for line in lines[1:11]), *lines[11:], ""]))
    work = workload(table)
    found = []
    for inference in Inference:
        plan = make_plan(work, EAGER, inference=inference, waves=waves, baseline=True)
        found.append(run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path / inference.value)))[0])
    assert [outcome.inferred_images for outcome in found] == [110, 110]
    scores = [{(s.layer, s.value, s.rows_test) for s in outcome.scores} for outcome in found]
    assert scores[0] == scores[1]


def test_a_staged_plan_releases_each_raw_layer_once_the_pass_above_is_done(tmp_path: Path) -> None:
    """At most two raw layers are alive, pushed down or pulled up; lazy keeps one, eager pushed down none."""
    work = workload(catalogue(tmp_path))
    most = {}
    for kind, pooling in product(Materialization, PoolingPlace):
        backend = LocalBackend(plan := make_plan(work, (kind, pooling)), run_inputs(work, tmp_path / kind / pooling))
        alive = [0]

        def seen(event: Event, backend: LocalBackend = backend, alive: list[int] = alive) -> None:
            alive.append(len(backend.raw))

        walk(plan, backend, seen, threading.Event())
        most[kind.value, pooling.value] = max(alive)
    assert most == {
        ("lazy", "pulled_up"): 1,
        ("lazy", "pushed_down"): 0,
        ("eager", "pulled_up"): 3,
        ("eager", "pushed_down"): 0,
        ("staged", "pulled_up"): 2,
        ("staged", "pushed_down"): 2,
    }


def test_events_follow_the_steps(tmp_path: Path) -> None:
    """Every step starts and ends once, in the plan's order; the last progress of a pass is its end."""
    work = workload(catalogue(tmp_path))
    plan = make_plan(work)
    outcome, events = run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    started = [(e.stage, e.kind) for e in events if isinstance(e, StageStarted)]
    assert [stage for stage, _ in started] == [step.number for step in plan.logical.steps]
    assert [e.stage for e in events if isinstance(e, StageFinished)] == [stage for stage, _ in started]
    assert started[0][1] == "scan_structured"
    progress = [e for e in events if isinstance(e, BatchDone)]
    assert (progress[-1].done, progress[-1].total) == (60, 60)
    assert next(title for title, _, _ in outcome.timeline) == "Read the table"
    assert all(begin <= end for _, begin, end in outcome.timeline)


def test_waves_score_early_and_end_like_one_wave(tmp_path: Path) -> None:
    """Three waves infer every photo once, score early (not final), and their last answer is the one-wave answer."""
    work = workload(catalogue(tmp_path, rows=120))
    whole = make_plan(work)
    one, _ = run_plan(whole, LocalBackend(whole, run_inputs(work, tmp_path / "a")))
    for kind in (EAGER, STAGED):
        plan = make_plan(work, kind, waves=3)
        backend = LocalBackend(plan, run_inputs(work, tmp_path / kind[0]))
        outcome, events = run_plan(plan, backend)
        values = [(s.layer, s.value, s.rows_test) for s in outcome.scores]
        assert values == [(s.layer, s.value, s.rows_test) for s in one.scores]
        assert outcome.inferred_images == 120
        scored = [e for e in events if isinstance(e, LayerScored)]
        interim = [e for e in scored if not e.final]
        assert interim
        assert all(e.wave < 3 for e in interim)
        tests = [e.score.rows_test for e in scored if e.score and e.score.layer == "top"]
        assert tests == sorted(tests)
        assert not backend.raw


def test_an_impossible_early_wave_is_skipped_and_said(tmp_path: Path) -> None:
    """Ten percent of a dozen rows cannot train: a log line, and the run goes on to a final score."""
    work = workload(catalogue(tmp_path, rows=24))
    plan = make_plan(work, waves=3)
    outcome, events = run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    skipped = [e for e in events if isinstance(e, LogLine) and "no early score" in e.text]
    assert skipped
    assert {s.layer for s in outcome.scores} >= set(LAYERS)


def test_staged_releases_every_raw_layer(tmp_path: Path) -> None:
    """At most two raw layers are ever alive, and none at the end."""
    work = workload(catalogue(tmp_path))
    plan = make_plan(work, STAGED)
    backend = LocalBackend(plan, run_inputs(work, tmp_path))
    alive: list[int] = []
    walk(plan, backend, lambda _: alive.append(len(backend.raw)), threading.Event())
    assert max(alive) == 2
    assert not backend.raw


def test_a_second_run_reuses_and_gives_the_same_scores(tmp_path: Path) -> None:
    """Loaded features equal inferred ones; only what the store lacks is inferred; scores say where they came from."""
    work = workload(catalogue(tmp_path))
    inputs = run_inputs(work, tmp_path)
    one, _ = run_plan(make_plan(work), LocalBackend(make_plan(work), inputs))
    plan = make_plan(work, loaded=LAYERS, inferred=())
    two, events = run_plan(plan, LocalBackend(plan, inputs))
    assert [(s.layer, s.value) for s in one.scores] == [(s.layer, s.value) for s in two.scores]
    assert two.inferred_images == 0
    reused = [e for e in events if isinstance(e, LayerReused)]
    assert [(e.layer, e.rows, e.run) for e in reused] == [(name, 60, "r1") for name in LAYERS]
    assert all(e.size > 0 and e.age_seconds >= 0 for e in reused)
    assert {s.source for s in two.scores if not s.is_baseline} == {"reused"}


def test_only_new_images_are_inferred(tmp_path: Path) -> None:
    """Row-incremental: sixty photos are stored, twelve are new, twelve go through the CNN."""
    work = workload(catalogue(tmp_path))
    plan = make_plan(work)
    run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    more = workload(catalogue(tmp_path, rows=72))
    grown = make_plan(more, loaded=LAYERS)
    outcome, _ = run_plan(grown, LocalBackend(grown, run_inputs(more, tmp_path)))
    assert outcome.inferred_images == 12
    assert outcome.rows.joined == 72


def test_unreadable_photos_leave_with_their_rows(tmp_path: Path) -> None:
    """Dropped, named with key and path; the baselines are scored again, so all scores see the same rows."""
    work = workload(catalogue(tmp_path, bad=(5, 9)))
    plan = make_plan(work, baseline=True)
    outcome, events = run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    assert [bad.key for bad in outcome.bad_images] == ["k005", "k009"]
    assert outcome.bad_images[0].path.endswith("k005.jpg")
    assert (outcome.rows.joined, outcome.rows.bad_images) == (58, 2)
    assert len({s.rows_test for s in outcome.scores}) == 1
    assert any(isinstance(e, LogLine) and "made again" in e.text for e in events)


def test_too_many_bad_photos_fail(tmp_path: Path) -> None:
    """Four of sixty are above 5 %: a coded error with count and first files."""
    work = workload(catalogue(tmp_path, bad=(1, 2, 3, 4)))
    plan = make_plan(work)
    with pytest.raises(VistaDataError, match=r"4 rows have a bad photo: .*k001\.jpg") as raised:
        run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    assert raised.value.code == "VST338"


def test_bad_images_fail_is_obeyed(tmp_path: Path) -> None:
    """With `bad_images: fail` one is enough."""
    work = workload(catalogue(tmp_path, bad=(7,)), bad_images=BadImages.FAIL)
    plan = make_plan(work)
    with pytest.raises(VistaDataError, match=r"k007\.jpg") as raised:
        run_plan(plan, LocalBackend(plan, run_inputs(work, tmp_path)))
    assert raised.value.code == "VST337"


def test_cancel_between_steps_keeps_what_is_finished(tmp_path: Path) -> None:
    """A cancel after the first layer: VistaCancelled names it, and the outcome so far is handed out."""
    work = workload(catalogue(tmp_path))
    plan = make_plan(work)
    backend = LocalBackend(plan, run_inputs(work, tmp_path))
    stop, seen = threading.Event(), []

    def emit(event: Event) -> None:
        if isinstance(event, LayerScored) and event.score and event.score.layer == "low":
            stop.set()

    with pytest.raises(VistaCancelled) as raised:
        walk(plan, backend, emit, stop, seen.append)
    assert raised.value.kept == ("low",)
    assert [s.layer for s in seen[-1].scores] == ["low"]
    assert seen[-1].rows.joined == 60


def test_an_engine_failure_gets_code_and_stage(tmp_path: Path) -> None:
    """Anything an engine raises becomes VistaRunError with the step's title, and the cause is kept."""

    class Broken(LocalBackend):
        def infer(self, *_: object) -> int:
            raise ZeroDivisionError("worker is gone")

    work = workload(catalogue(tmp_path))
    plan = make_plan(work)
    with pytest.raises(VistaRunError, match="worker is gone") as raised:
        run_plan(plan, Broken(plan, run_inputs(work, tmp_path)))
    assert raised.value.code == "VST511"
    assert raised.value.stage == "CNN: image to low .. top"
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_failure_after_a_cancel_is_the_cancel(tmp_path: Path) -> None:
    """A job killed by the cancel must not look like a defect."""
    stop = threading.Event()

    class Stopped(LocalBackend):
        def infer(self, *_: object) -> int:
            stop.set()
            raise RuntimeError("job cancelled")

    work = workload(catalogue(tmp_path))
    plan = make_plan(work)
    with pytest.raises(VistaCancelled):
        run_plan(plan, Stopped(plan, run_inputs(work, tmp_path)), stop)


def test_waves_cover_all_rows_once(tmp_path: Path) -> None:
    """Bounds meet, start at 0, end at 1, and only the last is last."""
    work = workload(catalogue(tmp_path, rows=6))
    waves = waves_of(make_plan(work, waves=3))
    assert [w.low for w in waves] == [0.0, *(w.high for w in waves[:-1])]
    assert waves[-1].high == 1.0
    assert [w.last for w in waves] == [False, False, True]
