"""Two cells of one kernel on real engines: the second is predicted warm, its steps are told, the rates are learnt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista_nb
from vista_nb.demo import generate
from vista_nb.plan.titles import START
from vista_nb.session.calibration_cache import CalibrationCache

pytestmark = [pytest.mark.spark, pytest.mark.tf]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any, Any, Path]]:
    """The first cell, the same again from photos, and then with training on the cluster; calibration is on."""
    folder = tmp_path_factory.mktemp("analyze")
    shop = generate(folder / "catalogue", rows=160, seed=3)
    spec = {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": ["conv4", "fc6"],
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        "plan": {"materialization": "eager", "pooling": "pushed_down", "waves": 1, "cpu": 1},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISTA_NB_CALIBRATE", "auto")
        patch.delenv("VISTA_NB_UI", raising=False)
        patch.setenv("VISTA_NB_CACHE_DIR", str(folder / "cache"))
        options = {"reuse": "never", "store_dir": folder / "store"}
        on_cluster = {**spec, "plan": {**spec["plan"], "training": "cluster"}}  # type: ignore[dict-item]
        yield *(vista_nb.run(one, **options) for one in (spec, spec, on_cluster)), folder / "cache"


def test_the_second_cell_is_predicted_warm(cells: tuple[Any, Any, Any, Path]) -> None:
    """The JVM, the workers and this CNN are there; a note says so, and the prediction is far below the first one's."""
    first, second, _, _ = cells
    assert second.plan.start_seconds == 0.0
    (note,) = [note for note in second.plan.notes if note.startswith("taken as warm")]
    assert "the JVM, 1 worker with TensorFlow, this CNN in them" in note
    assert second.plan.chosen.seconds < first.plan.chosen.seconds - 4.0


def test_every_step_has_both_numbers(cells: tuple[Any, Any, Any, Path]) -> None:
    """Text, JSON and timeline agree; the last lines are the totals and the step that was furthest off."""
    _, second, _, _ = cells
    shown = second.explain(analyze=True)
    assert "did not run" not in str(shown)
    assert str(shown).splitlines()[-2].startswith("predicted ")
    assert "furthest off: " in str(shown).splitlines()[-1]
    steps = {step["step"]: step["measured_seconds"] for step in shown.to_json()["steps"]}
    timeline = dict(zip(second.timeline.step, second.timeline.seconds, strict=True))
    assert {name: steps[name] for name in timeline} == pytest.approx(timeline)
    assert steps[START] == pytest.approx(timeline[START])
    assert sum(steps.values()) == pytest.approx(second.outcome.seconds)


def test_a_forced_training_site_is_obeyed_and_gives_the_same_scores(cells: tuple[Any, Any, Any, Path]) -> None:
    """`plan: {training: cluster}`: at most one held-out row differs."""
    _, second, third, _ = cells
    assert (second.plan.physical.training, third.plan.physical.training) == ("driver", "cluster")
    rows = second.outcome.rows.test
    values = [{score.layer: score.value for score in run.outcome.scores} for run in (second, third)]
    assert all(abs(values[0][layer] - values[1][layer]) <= 1.01 / rows for layer in ("conv4", "fc6"))


def test_the_runs_taught_this_machines_rates(cells: tuple[Any, Any, Any, Path]) -> None:
    """One sample per run and group; the first fit on the cluster apart from the later ones."""
    *_, cache = cells
    machine = CalibrationCache(cache).machine()
    assert machine is not None
    counts = {group: len(scales) for group, scales in machine.samples.items()}
    assert counts["store"] == 3
    assert counts.get("join", 0) <= 2  # of warm cells only, and where it took long enough to tell
    assert (counts["first_cluster"], counts["cluster"]) == (1, 1)
