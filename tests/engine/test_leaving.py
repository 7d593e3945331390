"""A result leaves its notebook: new rows scored, saved here, loaded in another process, exported as a script.

One small catalogue, the bundled CNN and one run serve all tests; the other process is a real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import vista_nb
from vista_nb.demo import CataloguePaths, generate
from vista_nb.errors import VistaDataError, VistaStoreError, VistaUsageError

pytestmark = [pytest.mark.spark, pytest.mark.tf]

LAYERS = ["conv3", "fc6"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    """160 products to learn from."""
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=160, seed=3)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    """100 products that no model has seen, one of them with a corrupt photo, one without any."""
    made = generate(tmp_path_factory.mktemp("new") / "catalogue", rows=100, seed=11)
    keys = pd.read_parquet(made.table)["id"].tolist()
    (made.images / f"{keys[7]}.jpg").write_bytes(b"no picture at all")
    (made.images / f"{keys[8]}.jpg").unlink()
    return made


def spec_of(shop: CataloguePaths, **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": LAYERS,
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        **more,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def run(shop: CataloguePaths, store: Path) -> Any:
    """Trained on the driver, scored on held-out rows."""
    return vista_nb.run(spec_of(shop, plan={"training": "driver"}), store_dir=store)


@pytest.fixture(scope="module")
def saved(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("saved") / "shoes")


@pytest.fixture(scope="module")
def here(run: Any, new: CataloguePaths) -> pd.DataFrame:
    """Predictions for the new products in the process that trained."""
    return run.predict(str(new.table), f"{new.images}/{{id}}.jpg", layer="conv3")


def held_out(run: Any, layer: str) -> Any:
    return run._handle._engine().fit(layer)


@pytest.mark.parametrize("layer", ["conv3", "(table)", "(table, tree)"])
def test_held_out_rows_are_predicted_as_they_were_scored(run: Any, shop: CataloguePaths, layer: str) -> None:
    """The same rows through `.predict`: the same classes, probabilities within the last bits of another graph."""
    fit = held_out(run, layer)
    table = pd.read_parquet(shop.table)
    rows = table[table["id"].astype(str).isin(fit.keys)]
    found = run.predict(rows, layer=layer).loc[list(fit.keys)]
    truth = [fit.classes[i] for i in fit.predictions.tolist()]
    assert [str(value) for value in found["prediction"]] == truth
    ours = found[[f"p({name})" for name in fit.classes]].to_numpy()
    np.testing.assert_allclose(ours, fit.probabilities, atol=1e-4)


def test_every_row_is_answered(here: pd.DataFrame, new: CataloguePaths) -> None:
    """One row per row given, in its order; the corrupt photo and the missing one with the reason, not with a guess."""
    table = pd.read_parquet(new.table)
    assert here.index.tolist() == table["id"].astype(str).tolist()
    assert here.index.name == "id"
    unscored = here[here["problem"] != ""]
    assert unscored["problem"].tolist() == ["not a picture in a known format", "no photo"]
    assert unscored["prediction"].isna().all()
    assert unscored["probability"].isna().all()
    scored = here[here["problem"] == ""]
    assert len(scored) == 98
    assert scored["prediction"].notna().all()
    shares = scored[[column for column in here.columns if column.startswith("p(")]]
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_allclose(shares.max(axis=1), scored["probability"])
    ((key, path, stage, _),) = here.attrs["bad_images"]
    assert (key, stage) == (here.index[7], "decode")
    assert path.endswith(f"{key}.jpg")


def test_the_label_comes_back_as_it_was(here: pd.DataFrame, shop: CataloguePaths) -> None:
    """Not as its text: predictions compare with the label's own column."""
    label = pd.read_parquet(shop.table)["bestseller"]
    assert set(here["prediction"].dropna().unique()) <= set(label.unique())


def elsewhere(saved: Path, new: CataloguePaths, folder: Path, layers: Sequence[str]) -> list[pd.DataFrame]:
    """The new products' predictions by a copy of the saved folder in a process with a cache of its own."""
    moved = folder / "elsewhere"
    shutil.copytree(saved, moved)
    code = f"""
import vista_nb
result = vista_nb.load({str(moved)!r})
for place, layer in enumerate({list(layers)!r}):
    found = result.predict({str(new.table)!r}, {str(new.images)!r} + "/{{id}}.jpg", layer=layer)
    found.to_pickle({str(folder)!r} + f"/{{place}}.pkl")
"""
    environment = {**os.environ, "VISTA_NB_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return [pd.read_pickle(folder / f"{place}.pkl") for place in range(len(layers))]


def test_another_process_predicts_the_same(
    run: Any, saved: Path, here: pd.DataFrame, new: CataloguePaths, tmp_path: Path
) -> None:
    """100 rows: the layer's frame bit for bit, the corrupt photo and the missing one answered alike."""
    by_photo, by_tree = elsewhere(saved, new, tmp_path, ["conv3", "(table, tree)"])
    pd.testing.assert_frame_equal(by_photo, here, check_exact=True)
    # scikit-learn adds up a forest's trees in the order its threads end: the last bit is not fixed within one process
    pd.testing.assert_frame_equal(by_tree, run.predict(str(new.table), layer="(table, tree)"), rtol=1e-12)


def test_a_model_of_spark_leaves_as_one(shop: CataloguePaths, new: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """By Spark's own writer; where it is loaded a session starts, here the run's own scores on any thread."""
    made = vista_nb.run(spec_of(shop, model="DecisionTreeClassifier(maxDepth=3)", layers=["conv3"]), store_dir=store)
    saved = made.save(tmp_path / "saved", layers="(table)")
    assert any(part.suffix == ".spark" for part in (saved / "parts").iterdir())
    (there,) = elsewhere(saved, new, tmp_path, ["(table)"])
    here = made.predict(str(new.table), layer="(table)")
    pd.testing.assert_frame_equal(there, here, check_exact=True)
    assert (here["problem"] == "").all()


def test_a_loaded_result_is_the_result(saved: Path, run: Any) -> None:
    """Scores, report, plan, picture; what cannot be had any more says so."""
    loaded = vista_nb.load(saved)
    pd.testing.assert_frame_equal(loaded.accuracy, run.accuracy)
    assert str(loaded.report()) == str(run.report())
    assert loaded.best == run.best
    assert str(loaded.explain()) == str(run.explain())
    assert loaded._repr_mimebundle_()[0]["text/plain"] == run._repr_mimebundle_()[0]["text/plain"]
    model = loaded.model("conv3")
    np.testing.assert_array_equal(model.coef_, run.model("conv3").coef_)
    with pytest.raises(VistaUsageError, match="VST026"):
        loaded.features("conv3")
    assert vista_nb.VistaResult.load(saved).run_id == run.run_id


def test_a_bundle_holds_no_pickle_and_a_plain_keras_model(saved: Path) -> None:
    """What lies there is what the manifest says; the CNN is cut behind the highest layer."""
    manifest = json.loads((saved / "manifest.json").read_text())
    files = {str(file.relative_to(saved)) for file in saved.rglob("*") if file.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert {Path(name).suffix for name in files} <= {".json", ".keras", ".npy", ".skops"}
    with zipfile.ZipFile(saved / "cnn.keras") as archive:
        names = {layer["name"] for layer in json.loads(archive.read("config.json"))["config"]["layers"]}
    assert "fc6" in names
    assert set(manifest["layers"]) == {*LAYERS, "(table)", "(table, tree)"}
    machine = manifest["workload"]["fields"]["spec"]["fields"]["resources"]["fields"]
    assert not any(machine.values())


def test_only_what_is_named_is_saved(run: Any, new: CataloguePaths, tmp_path: Path) -> None:
    """The table alone needs neither CNN nor photos; a layer that was not saved says so; a loaded result saves again."""
    folder = run.save(tmp_path / "table", layers=["(table)"])
    assert not (folder / "cnn.keras").exists()
    loaded = vista_nb.load(folder)
    found = loaded.predict(str(new.table), layer="(table)")
    assert (found["problem"] == "").all()
    pd.testing.assert_frame_equal(found, run.predict(str(new.table), layer="(table)"))
    with pytest.raises(VistaUsageError, match=r"VST026.*fc6"):
        loaded.predict(str(new.table), layer="fc6")
    again = vista_nb.load(loaded.save(tmp_path / "again", layers="(table)"))
    pd.testing.assert_frame_equal(again.predict(str(new.table), layer="(table)"), found)


def test_rows_that_cannot_be_keyed_or_encoded(run: Any, new: CataloguePaths) -> None:
    """A key twice is an error that names it, a missing column one that names it; no photo is looked at for either."""
    table = pd.read_parquet(new.table).head(3)
    with pytest.raises(VistaDataError, match=r"VST312.*one"):
        run.predict(table.assign(id="one"), str(new.images))
    with pytest.raises(VistaDataError, match=r"VST353.*price"):
        run.predict(table.drop(columns="price"), str(new.images))


def test_a_place_that_is_taken_is_left_alone(run: Any, saved: Path) -> None:
    """Before any work is done."""
    with pytest.raises(VistaStoreError, match="VST631"):
        run.save(saved)
    with pytest.raises(VistaStoreError, match="VST631"):
        run.save(saved.parents[1])


def test_an_exported_script_runs(run: Any, tmp_path: Path) -> None:
    """It stands alone, in a process of its own, and finds the same scores."""
    from vista_nb.session.exporting import script_of

    (file,) = script_of(run, {}, "shoes").write(tmp_path / "shoes.py")
    environment = {**os.environ, "VISTA_NB_STORE_DIR": str(run._handle.store_dir)}
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    for score in run.outcome.scores:
        assert f"{score.value:.6f}" in done.stdout, done.stdout
