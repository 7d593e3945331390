"""Whole runs through the session: a spec in, a result out, on a real Spark and a real TensorFlow.

One small catalogue, the bundled CNN, a store of the module's own; each test is one thing a user does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

import vista_nb
from vista_nb import session
from vista_nb.demo import CataloguePaths, generate
from vista_nb.errors import (
    NoFeasiblePlan,
    NotSupportedYet,
    VistaCancelled,
    VistaDataError,
    VistaSpecError,
    VistaStoreError,
    VistaUsageError,
)
from vista_nb.outcome.events import LayerReused, LayerScored, RunFinished, RunStarted, StageStarted

pytestmark = [pytest.mark.spark, pytest.mark.tf]

EAGER = {"materialization": "eager", "pooling": "pushed_down"}
STAGED = {"materialization": "staged", "pooling": "pulled_up"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    """160 products."""
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=160, seed=3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def spec_of(shop: CataloguePaths, **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": ["conv3", "conv4", "fc6"],
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        **more,
    }


@pytest.fixture(scope="module")
def first(shop: CataloguePaths, store: Path) -> Any:
    """The first cell: everything is computed."""
    return vista_nb.run(spec_of(shop, plan=EAGER), store_dir=store)


def python_children() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True) if "python" in p.name()}


def test_a_run_scores_every_layer_and_the_baselines(first: Any) -> None:
    """Three layers low to high, then the table alone, each with an interval around its value."""
    table = first.accuracy
    assert table.layer.tolist() == ["conv3", "conv4", "fc6", "(table)", "(table, tree)"]
    assert ((table.ci_low <= table.value) & (table.value <= table.ci_high)).all()
    assert first.status == "done"
    assert first.outcome.inferred_images == 160


def test_all_layers_are_scored_on_the_same_rows(first: Any) -> None:
    """One split for every layer and baseline."""
    assert len({(s.rows_train, s.rows_test) for s in first.outcome.scores}) == 1
    assert {t.a for t in first.outcome.tests} >= {"conv3", "conv4", "fc6"}


def test_features_are_per_key(first: Any) -> None:
    """`.features` gives one vector of the layer's pooled width per record."""
    features = first.features("conv3")
    assert len(features) == 160


def test_staged_gives_the_same_features_and_scores(first: Any, shop: CataloguePaths, tmp_path: Path) -> None:
    """Staged with pooling pulled up is another way to the same numbers."""
    staged = vista_nb.run(spec_of(shop, plan=STAGED), store_dir=tmp_path, reuse="never")
    assert staged.plan.logical.materialization.value == "staged"
    for layer in ("conv3", "conv4", "fc6"):
        a, b = (np.array(r.features(layer).sort_index()) for r in (first, staged))
        assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max()
    one_row = 1 / first.outcome.rows.test + 1e-9
    assert (abs(first.accuracy.value - staged.accuracy.value) <= one_row).all()


def test_a_second_cell_starts_no_tensorflow(first: Any, shop: CataloguePaths, store: Path) -> None:
    """Same layers, another model: everything is reused, each layer says so, no image goes through the CNN."""
    before = python_children()
    result = session.submit(spec_of(shop, model="sklearn.LogisticRegression(C=0.1)"), store_dir=store)
    seen: set[int] = set()
    while not result.wait(0.02):
        seen |= python_children() - before
    events = result.poll()
    assert result.error is None
    assert {e.layer for e in events if isinstance(e, LayerReused)} == {"conv3", "conv4", "fc6"}
    assert result.outcome.inferred_images == 0
    assert set(result.accuracy.source[:3]) == {"reused"}
    assert not any(tensorflow_in(pid) for pid in seen)


def tensorflow_in(pid: int) -> bool:
    """Whether that process has TensorFlow's library mapped."""
    try:
        return any("tensorflow" in m.path for m in psutil.Process(pid).memory_maps())
    except psutil.Error:
        return False


def test_reused_layers_give_the_same_accuracies(first: Any, shop: CataloguePaths, store: Path) -> None:
    """Cached equals uncached."""
    again = vista_nb.run(spec_of(shop), store_dir=store)
    assert again.outcome.inferred_images == 0
    assert again.accuracy.value.tolist() == first.accuracy.value.tolist()


def test_only_what_is_new_is_inferred(first: Any, shop: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """Ten changed photos: ten images go through the CNN, under another folder and another key name."""
    import shutil

    folder = tmp_path / "elsewhere"
    shutil.copytree(shop.images, folder)
    table = pq.read_table(shop.table)
    keys = table.column("id").to_pylist()
    for key in keys[:10]:
        path = folder / f"{key}.jpg"
        path.write_bytes(path.read_bytes() + b"\0")  # trailing bytes: another content, the same picture
    renamed = table.rename_columns(["sku" if n == "id" else n for n in table.column_names])
    spec = spec_of(shop, structured="$renamed", images=str(folder) + "/{sku}.jpg", on="sku")
    result = vista_nb.run(spec, namespace={"renamed": renamed}, store_dir=store)
    assert result.outcome.inferred_images == 10
    assert result.accuracy.value.tolist() == first.accuracy.value.tolist()


def test_require_refuses_what_is_not_stored(shop: CataloguePaths, tmp_path: Path) -> None:
    """`--reuse require` never infers."""
    result = session.submit(spec_of(shop), reuse="auto", store_dir=tmp_path / "empty")
    result.cancel()
    result.wait(60)
    with pytest.raises(VistaStoreError, match="VST603"):
        vista_nb.run(spec_of(shop), reuse="require", store_dir=tmp_path / "other")


def test_waves_end_at_the_one_wave_answer(first: Any, shop: CataloguePaths, tmp_path: Path) -> None:
    """Interim scores come early; the final ones are those of one wave."""
    result = session.submit(spec_of(shop, plan={**EAGER, "waves": 3}), reuse="never", store_dir=tmp_path)
    result.wait()
    events = result.poll()
    assert result.error is None
    interim = [e for e in events if isinstance(e, LayerScored) and not e.final]
    assert interim
    assert {e.wave for e in interim} <= {1, 2}
    assert result.accuracy.value.tolist() == first.accuracy.value.tolist()
    assert isinstance(events[-1], RunFinished)
    assert any(isinstance(e, RunStarted) and e.waves == 3 for e in events)


def test_cancel_stops_spark_and_keeps_the_context(first: Any, shop: CataloguePaths, tmp_path: Path) -> None:
    """A cancel mid-inference: cancelled status, no active jobs, and the next run works."""
    from pyspark.sql import SparkSession

    result = session.submit(spec_of(shop, plan=STAGED), reuse="never", store_dir=tmp_path)
    while not any(isinstance(e, StageStarted) and e.kind == "infer" for e in result.poll()):
        assert not result.wait(0.05), result.error
    result.cancel()
    assert result.wait(60)
    assert result.status == "cancelled"
    assert isinstance(result.error, VistaCancelled)
    spark = SparkSession.builder.getOrCreate()
    deadline = time.monotonic() + 10
    while spark.sparkContext.statusTracker().getActiveJobsIds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(spark.sparkContext.statusTracker().getActiveJobsIds()) == []
    assert spark.range(3).count() == 3


def test_corrupt_photos_are_dropped_and_named(shop: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """Three of 160 photos are broken: quarantined by key; twenty are too many."""
    import shutil

    folder = tmp_path / "photos"
    shutil.copytree(shop.images, folder)
    keys = pq.read_table(shop.table).column("id").to_pylist()
    for key in keys[:3]:
        (folder / f"{key}.jpg").write_bytes(b"\xff\xd8 not a photo " + key.encode())
    spec = spec_of(shop, images=f"{folder}/{{id}}.jpg")
    result = vista_nb.run(spec, store_dir=store)
    assert sorted(b.key for b in result.outcome.bad_images) == sorted(keys[:3])
    assert result.outcome.rows.bad_images == 3
    for key in keys[3:20]:
        (folder / f"{key}.jpg").write_bytes(b"broken " + key.encode())
    # the three are known, so that an early wave may find enough of the others already
    with pytest.raises(VistaDataError, match=r"rows have a bad photo: .*more than 5 % of 160 rows"):
        vista_nb.run(spec, store_dir=store)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"structured": "no_such.csv"}, VistaDataError, "no_such.csv"),
        ({"label": "bestsellers"}, VistaSpecError, "bestseller"),
        ({"cnn": "resnet5"}, VistaSpecError, "resnet50"),
        ({"layers": ["conv33"]}, VistaSpecError, "conv3"),
        ({"images": "nowhere/{id}.jpg"}, VistaDataError, "key mismatch"),
        ({"resources": {"nodes": 2}}, NotSupportedYet, "need a cluster.s master"),
        ({"resources": {"memory": "300MB"}}, NoFeasiblePlan, "memory"),
    ],
)
def test_bad_specs_end_in_a_coded_error(shop: CataloguePaths, change: Any, error: Any, match: str) -> None:
    """Each names what is wrong, before any engine starts."""
    with pytest.raises(error, match=match) as caught:
        session.submit(spec_of(shop, **change))
    assert caught.value.code.startswith("VST")
    assert caught.value.hint


def test_the_kernel_never_imports_tensorflow(shop: CataloguePaths, tmp_path: Path) -> None:
    """A whole run with inference, in a process of its own: TensorFlow was only ever in workers and helpers."""
    program = (
        "import json, sys, vista_nb; "
        f"result = vista_nb.run(json.loads({json.dumps(json.dumps(spec_of(shop)))}), store_dir=__import__('pathlib')"
        f".Path({str(tmp_path)!r})); "
        "print(result.outcome.inferred_images, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.split() == ["160", "False", "False"], done.stderr[-2000:]


def test_explain_plans_what_a_run_refuses() -> None:
    """A what-if needs no data: the paper's AlexNet on ten billion rows."""
    plan = session.explain(
        {"cnn": "alexnet", "layers": "top 4", "statistics": {"rows": 10**10}, "resources": {"nodes": 500}}
    )
    assert plan.rows == 10**10


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    """One line without a colon is a file's name, there or not."""
    file = tmp_path / "foods.vista"
    file.write_text("cnn: vgg16\nlayers: top 3\nstatistics: {rows: 1000}\n")
    assert session.explain(str(file)).rows == 1000
    with pytest.raises(VistaDataError, match="VST301"):
        session.explain(str(tmp_path / "absent.vista"))


def test_a_wrong_view_is_refused_before_anything_starts(shop: CataloguePaths) -> None:
    """`ui="nonsense"` leaves no run behind."""
    with pytest.raises(VistaUsageError):
        vista_nb.run(spec_of(shop), ui="nonsense")


def test_a_cnn_outside_the_roster_says_so() -> None:
    """Not that there is nothing to run."""
    with pytest.raises(VistaDataError, match=r"VST360: there is no model file .*mine\.keras"):
        session.explain({"cnn": "mine.keras", "layers": "top 3", "statistics": {"rows": 1000}})


def test_a_run_survives_the_death_of_the_jvm(shop: CataloguePaths, store: Path) -> None:
    """The JVM is killed between two cells, in a process of its own: the second cell starts another."""
    program = (
        "import json, psutil, pathlib, vista_nb; "
        f"spec = json.loads({json.dumps(json.dumps(spec_of(shop)))}); store = pathlib.Path({str(store)!r}); "
        "vista_nb.run(spec, store_dir=store); "
        "[p.kill() for p in psutil.Process().children(recursive=True) if 'java' in p.name()]; "
        "print(vista_nb.run(spec, store_dir=store).status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.split() == ["done"], done.stderr[-2000:]


def test_a_store_that_is_a_file_does_not_end_the_run(shop: CataloguePaths, tmp_path: Path) -> None:
    """Features are not kept, the run goes on."""
    blocked = tmp_path / "store"
    blocked.write_text("not a folder")
    result = vista_nb.run(spec_of(shop, layers=["fc6"]), store_dir=blocked)
    assert result.status == "done"
    assert result.outcome.inferred_images == 160
