"""The Spark engine for real: plans agree, reuse holds, bad photos leave, a cancel leaves nothing running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, STAGED, catalogue, make_plan, run_inputs, run_plan, workload

from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaCancelled, VistaDataError
from vista_nb.executor.cnn.prepare import resolve_model
from vista_nb.executor.inputs import ModelSource
from vista_nb.executor.spark_backend import SparkBackend
from vista_nb.executor.spark_session import active_jobs
from vista_nb.executor.walk import walk
from vista_nb.outcome.events import BatchDone, Event, LayerReused, LayerScored
from vista_nb.plan.candidate import Plan
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite

pytestmark = [pytest.mark.spark, pytest.mark.tf]
LAYERS = ("conv_pw_11_relu", "conv_pw_13_relu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts are made once for all tests of this module."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def model(cache: Path) -> ModelSource:
    """MobileNet 0.25 with random weights: small, and the agreement of plans needs no training."""
    cnn = load_roster().find("mobilenet_025")
    assert cnn is not None
    return resolve_model(cnn, "random", 0, cache)


@pytest.fixture
def made(spark: Any, cache: Path, model: ModelSource, tmp_path: Path) -> Iterator[Any]:
    """A function (workload, plan, run) -> backend with its own store; closed at the end."""
    backends: list[SparkBackend] = []

    def make(work: Workload, plan: Plan, run: str = "r1", store: str = "store") -> SparkBackend:
        from dataclasses import replace

        inputs = replace(run_inputs(work, tmp_path, model, run), cache_dir=cache, store_dir=tmp_path / store)
        backends.append(SparkBackend(spark, plan, inputs, threading.Event()))
        return backends[-1]

    yield make
    for backend in backends:
        backend.close()


def small(folder: Path, **options: Any) -> Workload:
    spec = {k: options.pop(k) for k in list(options) if k in ("bad_images",)}
    return workload(catalogue(folder, **options), load_roster().find("mobilenet_025"), LAYERS, **spec)


def matrices(backend: SparkBackend) -> dict[str, np.ndarray]:
    return {name: np.array(backend.features(name).column("vector").to_pylist()) for name in LAYERS}


def test_eager_staged_joins_and_sites_agree(made: Any, tmp_path: Path) -> None:
    """Features within 1e-4 relative, at most one test row apart, under plans x join x persistence x site."""
    work = small(tmp_path, rows=48)
    kinds = [
        (EAGER, {"join": JoinOperator.BROADCAST, "persistence": Persistence.DESERIALIZED}),
        (STAGED, {"join": JoinOperator.SHUFFLE, "persistence": Persistence.SERIALIZED}),
        (EAGER, {"join": JoinOperator.SHUFFLE, "training": TrainingSite.CLUSTER, "cpu": 1, "threads_per_task": 2}),
    ]
    found = []
    for number, (kind, physical) in enumerate(kinds):
        plan = make_plan(work, kind, baseline=True, **physical)
        backend = made(work, plan, store=f"store{number}")
        outcome, events = run_plan(plan, backend)
        found.append((outcome, matrices(backend)))
        passes = [e for e in events if isinstance(e, BatchDone)]
        assert passes[-1].done == passes[-1].total == 48
        assert outcome.inferred_images == 48
        assert not backend._raw
    first, reference = found[0]
    for outcome, features in found[1:]:
        for name in LAYERS:
            scale = np.abs(reference[name]).max()
            np.testing.assert_allclose(features[name], reference[name], rtol=1e-4, atol=1e-4 * scale)
        for a, b in zip(first.scores, outcome.scores, strict=True):
            assert a.layer == b.layer
            assert abs(a.value - b.value) * a.rows_test <= 1.001


def test_second_run_infers_nothing_and_new_photos_alone(made: Any, tmp_path: Path) -> None:
    """Same layers again: loaded, same scores. Six rows more: six photos inferred."""
    work = small(tmp_path, rows=36)
    plan = make_plan(work)
    one, _ = run_plan(plan, made(work, plan))
    again = make_plan(work, loaded=LAYERS, inferred=())
    two, events = run_plan(again, made(work, again, "r2"))
    assert [(s.layer, s.value) for s in one.scores] == [(s.layer, s.value) for s in two.scores]
    assert two.inferred_images == 0
    assert [(e.layer, e.rows, e.run) for e in events if isinstance(e, LayerReused)] == [(n, 36, "r1") for n in LAYERS]
    more = small(tmp_path, rows=42)
    grown = make_plan(more, loaded=LAYERS)
    backend = made(more, grown, "r3")
    three, _ = run_plan(grown, backend)
    assert (three.inferred_images, three.rows.joined) == (6, 42)
    assert backend.features(LAYERS[0]).num_rows == 42


def test_waves_end_like_one_wave(made: Any, tmp_path: Path) -> None:
    """Three waves: an early score before the end, every photo inferred once, the one-wave answer at the end."""
    work = small(tmp_path, rows=90)
    whole, waved = make_plan(work), make_plan(work, STAGED, waves=3)
    one, _ = run_plan(whole, made(work, whole, store="one"))
    three, events = run_plan(waved, made(work, waved, store="three"))
    assert three.inferred_images == 90
    assert any(isinstance(e, LayerScored) and not e.final for e in events)
    for a, b in zip(one.scores, three.scores, strict=True):
        assert abs(a.value - b.value) * a.rows_test <= 1.001


def test_corrupt_photos_leave_with_their_rows(made: Any, tmp_path: Path) -> None:
    """Two of sixty: dropped, named with path and reason; all scores on the same rows, staged as well."""
    work = small(tmp_path, rows=60, bad=(4, 11))
    for number, kind in enumerate((EAGER, STAGED)):
        plan = make_plan(work, kind, baseline=True)
        outcome, _ = run_plan(plan, made(work, plan, store=f"store{number}"))
        assert [bad.key for bad in outcome.bad_images] == ["k004", "k011"]
        assert all(bad.path.endswith(f"{bad.key}.jpg") and bad.reason for bad in outcome.bad_images)
        assert (outcome.rows.joined, outcome.rows.bad_images) == (58, 2)
        assert len({s.rows_test for s in outcome.scores}) == 1


def test_too_many_corrupt_photos_fail(made: Any, tmp_path: Path) -> None:
    """Above 5 %: a coded error that counts and names them."""
    work = small(tmp_path, rows=30, bad=(1, 2, 3))
    plan = make_plan(work)
    with pytest.raises(VistaDataError, match=r"3 rows have a bad photo: .*k001\.jpg") as raised:
        run_plan(plan, made(work, plan))
    assert raised.value.code == "VST338"


def test_cancel_in_the_middle_of_inference(spark: Any, made: Any, tmp_path: Path) -> None:
    """The run ends as cancelled, and no job of its group is left."""
    work = small(tmp_path, rows=240)
    plan = make_plan(work, num_partitions=12, batch_size=4)
    backend = made(work, plan)
    inferring = threading.Event()

    def emit(event: Event) -> None:
        if isinstance(event, BatchDone):
            inferring.set()

    failure: list[BaseException] = []

    def work_thread() -> None:
        try:
            walk(plan, backend, emit, backend.cancelled)
        except BaseException as error:  # handed to the test below
            failure.append(error)

    thread = threading.Thread(target=work_thread)
    thread.start()
    assert inferring.wait(120)
    assert active_jobs(spark, backend.group) >= 1
    backend.cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(failure[0], VistaCancelled)
    deadline = time.monotonic() + 10
    while active_jobs(spark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert active_jobs(spark) == 0


def test_the_kernel_never_imports_tensorflow() -> None:
    """All of the above ran here, and TensorFlow was only ever in workers and throw-away processes."""
    import sys

    assert "tensorflow" not in sys.modules
    assert "keras" not in sys.modules
