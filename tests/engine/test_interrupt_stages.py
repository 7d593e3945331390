"""An interrupt at every stage of a run, with real engines: the cell ends soon, nothing runs on, the next run works.

The interrupt is what IPython makes of it: KeyboardInterrupt in the thread that drains the events.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vista_nb import session
from vista_nb.demo import CataloguePaths, generate
from vista_nb.errors import VistaCancelled
from vista_nb.executor.spark_session import active_jobs
from vista_nb.outcome.events import BatchDone, Event, LayerScored, RunStarted, StageStarted
from vista_nb.session import jvm
from vista_nb.session.driving import drive

pytestmark = [pytest.mark.spark, pytest.mark.tf]

EAGER = {"materialization": "eager", "pooling": "pushed_down"}
STAGED = {"materialization": "staged", "pooling": "pulled_up"}
SOON = 5.0  # seconds; 1.5 and a redraw on an idle machine


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    """240 products."""
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=240, seed=5)


def spec_of(shop: CataloguePaths, plan: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": ["conv4", "fc6"],
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        "plan": {**plan, "batch_size": 8, "waves": 1},
        **more,
    }


class Interrupting:
    """A view whose user presses the button when `wanted` sees its moment."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted
        self.seen: list[Event] = []
        self.at = 0.0

    def update(self, events: Sequence[Event]) -> None:
        self.seen.extend(events)
        if not self.at and self.wanted(self.seen):
            self.at = time.monotonic()
            raise KeyboardInterrupt

    def finish(self, result: Any) -> None:
        pass


def interrupted(spec: dict[str, Any], wanted: Any, store: Path) -> Any:
    """Run until the interrupt; what a user may rely on afterwards."""
    result = session.submit(spec, reuse="never", store_dir=store)
    view = Interrupting(wanted)
    with pytest.raises(VistaCancelled):
        drive(result, view)
    assert time.monotonic() - view.at < SOON
    assert result.wait(120)
    assert result.status == "cancelled", result.error
    spark = jvm.current()
    if spark is not None:
        deadline = time.monotonic() + 5
        while active_jobs(spark) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert active_jobs(spark) == 0
    return result


def at_stage(kind: str) -> Any:
    return lambda seen: any(isinstance(e, StageStarted) and e.kind == kind for e in seen)


def before_the_engine(seen: list[Event]) -> bool:
    return not any(isinstance(e, RunStarted) for e in seen)


def at_a_batch(seen: list[Event]) -> bool:
    return any(isinstance(e, BatchDone) for e in seen)


def words_of(process: Any) -> str:
    import psutil

    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def test_while_the_engines_start_and_the_cnn_is_prepared(
    shop: CataloguePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No JVM, no digest, no artifact yet: no process of theirs is left, and the next run starts them anew."""
    import psutil

    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(tmp_path / "cache"))
    jvm.stop()
    result = interrupted(spec_of(shop, EAGER), before_the_engine, tmp_path)
    assert len(result.accuracy) == 0
    left = [p.pid for p in psutil.Process().children(recursive=True) if "cnn.make" in words_of(p)]
    assert left == []


@pytest.mark.parametrize(
    ("kind", "plan"),
    [
        ("scan_structured", EAGER),
        ("join", EAGER),
        ("infer", EAGER),
        ("pool", STAGED),
        ("save", {**EAGER, "training": "cluster"}),
        ("train", {**EAGER, "training": "cluster"}),
    ],
)
def test_at_every_stage(kind: str, plan: dict[str, Any], shop: CataloguePaths, tmp_path: Path) -> None:
    """Reading, joining, inference, pooling, saving, a fit on the cluster."""
    interrupted(spec_of(shop, plan), at_stage(kind), tmp_path)


def test_in_a_fit_that_cannot_be_stopped(shop: CataloguePaths, tmp_path: Path) -> None:
    """scikit-learn on the driver: the cell ends all the same, the fit is left to end and its score discarded."""
    slow = spec_of(
        shop, EAGER, model="sklearn.LogisticRegression(solver='saga', tol=0.0, max_iter=20000)", baseline=False
    )
    result = interrupted(slow, at_stage("train"), tmp_path)
    assert len([score for score in result.outcome.scores if not score.is_baseline]) <= 1


def test_in_the_middle_of_inference_and_then_the_whole_run(shop: CataloguePaths, tmp_path: Path) -> None:
    """After a batch; the same cell once more, on the same engines, gives every layer."""
    interrupted(spec_of(shop, EAGER), at_a_batch, tmp_path)
    result = session.submit(spec_of(shop, EAGER), reuse="never", store_dir=tmp_path)
    assert result.wait(120)
    assert result.error is None
    assert set(result.accuracy.layer) >= {"conv4", "fc6"}


def test_finished_layers_are_kept(shop: CataloguePaths, tmp_path: Path) -> None:
    """Interrupted after the first layer's score: that layer is in the result, and its features in the store."""

    def one_layer(seen: list[Event]) -> bool:
        return any(isinstance(e, LayerScored) and e.score and not e.score.is_baseline for e in seen)

    result = interrupted(spec_of(shop, {**STAGED, "training": "cluster"}), one_layer, tmp_path)
    kept = [score.layer for score in result.outcome.scores if not score.is_baseline]
    assert kept[:1] == ["conv4"]
    again = session.submit(spec_of(shop, EAGER), store_dir=tmp_path)
    assert again.wait(120)
    assert again.error is None
    assert again.accuracy.set_index("layer").source["conv4"] == "reused"
