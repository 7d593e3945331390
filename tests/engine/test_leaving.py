"""A result leaves its notebook: new rows scored, saved here, loaded in another process, exported as a script.

One small catalogue, the bundled CNN and one run serve all tests; the other process is a real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
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
    (made.images / f"{keys[7]}.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture at all")
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


@pytest.mark.parametrize("layer", [*LAYERS, "(table)", "(table, tree)"])
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


def elsewhere(saved: Path, new: CataloguePaths, folder: Path, layer: str = "conv3") -> pd.DataFrame:
    """The new products' predictions by a copy of the saved folder in a process with a cache of its own."""
    moved = folder / "elsewhere"
    shutil.copytree(saved, moved)
    code = f"""
import vista_nb
result = vista_nb.load({str(moved)!r})
found = result.predict({str(new.table)!r}, {str(new.images)!r} + "/{{id}}.jpg", layer={layer!r})
found.to_pickle({str(folder / "there.pkl")!r})
"""
    environment = {**os.environ, "VISTA_NB_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return pd.read_pickle(folder / "there.pkl")


def test_another_process_predicts_the_same(saved: Path, here: pd.DataFrame, new: CataloguePaths, tmp_path: Path) -> None:
    """100 rows: the same frame bit for bit, the corrupt photo and the missing one answered alike."""
    pd.testing.assert_frame_equal(elsewhere(saved, new, tmp_path), here, check_exact=True)


@pytest.mark.parametrize(
    ("model", "label", "form"),
    [
        ("sklearn.RandomForestClassifier(n_estimators=20)", "bestseller", ".skops"),
        ("DecisionTreeClassifier(maxDepth=3)", "bestseller", ".spark"),
        ("LinearRegression(regParam=0.1)", "price", ".npy"),
    ],
)
def test_other_models_leave_too(
    shop: CataloguePaths, new: CataloguePaths, store: Path, tmp_path: Path, model: str, label: str, form: str
) -> None:
    """scikit-learn's by skops, Spark's by Spark (whose session starts where it is loaded), a regression's numbers."""
    spec = spec_of(shop, model=model, label=label, layers=["conv3"], baseline=False)
    made = vista_nb.run(spec, store_dir=store)
    there = elsewhere(made.save(tmp_path / "saved"), new, tmp_path)
    assert any(part.suffix == form for part in (tmp_path / "saved" / "parts").iterdir())
    here = made.predict(str(new.table), f"{new.images}/{{id}}.jpg", layer="conv3")
    pd.testing.assert_frame_equal(there, here, check_exact=True)
    assert here["prediction"].notna().sum() == 98


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
    assert set(manifest["layers"]) == {*LAYERS, "(table)", "(table, tree)"}
    assert set(manifest["workload"]["fields"]["spec"]["fields"]["resources"]["fields"].values()) <= {None}


def test_fewer_layers_make_a_smaller_bundle(run: Any, saved: Path, tmp_path: Path) -> None:
    """`best` alone, or those named; another one was not saved, and says so."""
    folder = run.save(tmp_path / "one", layers="conv3")
    assert (folder / "cnn.keras").stat().st_size < (saved / "cnn.keras").stat().st_size
    loaded = vista_nb.load(folder)
    with pytest.raises(VistaUsageError, match=r"VST026.*fc6"):
        loaded.predict("x.csv", layer="fc6")
    again = loaded.save(tmp_path / "copied", layers="conv3")
    assert (
        json.loads((again / "manifest.json").read_text())["cnn"]
        == json.loads((folder / "manifest.json").read_text())["cnn"]
    )


def test_the_table_alone_needs_no_photo(run: Any, new: CataloguePaths, tmp_path: Path) -> None:
    """Nor a CNN in its bundle."""
    folder = run.save(tmp_path / "table", layers=["(table)"])
    assert not (folder / "cnn.keras").exists()
    found = vista_nb.load(folder).predict(str(new.table), layer="(table)")
    assert (found["problem"] == "").all()
    pd.testing.assert_frame_equal(found, run.predict(str(new.table), layer="(table)"))


def test_rows_of_any_kind(run: Any, new: CataloguePaths) -> None:
    """A frame with a null key, bytes in a column, records; a key twice is an error that names it."""
    table = pd.read_parquet(new.table).head(3)
    table["photo"] = [(new.images / f"{key}.jpg").read_bytes() for key in table["id"]]
    expected = run.predict(str(new.table), f"{new.images}/{{id}}.jpg").head(3)
    by_bytes = run.predict(table, "photo")
    pd.testing.assert_frame_equal(by_bytes, expected, check_like=True)
    table.loc[1, "id"] = None
    found = run.predict(table, "photo")
    assert found["problem"].tolist() == ["", "no key", ""]
    assert found["prediction"].iloc[[0, 2]].tolist() == expected["prediction"].iloc[[0, 2]].tolist()
    table["id"] = "one"
    with pytest.raises(VistaDataError, match=r"VST312.*one"):
        run.predict(table, "photo")
    with pytest.raises(VistaUsageError, match=r"VST025.*2 image sources"):
        run.predict(table, ["photo", "photo"])
    with pytest.raises(VistaDataError, match="VST353"):
        run.predict(table.drop(columns="price").assign(id=["a", "b", "c"]), "photo")


def test_fail_means_fail(run: Any, new: CataloguePaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bad_images: fail`: the row and its file are named, and nothing is predicted."""
    from dataclasses import replace

    from vista_nb.spec.model import BadImages

    pipeline = run._handle.pipeline("conv3")
    spec = replace(pipeline.workload.spec, bad_images=BadImages.FAIL)
    strict = replace(pipeline, workload=replace(pipeline.workload, spec=spec))
    monkeypatch.setattr(run._handle, "pipeline", lambda layer: strict)
    with pytest.raises(VistaDataError, match=r"VST337.*\.jpg.*not a picture"):
        run.predict(str(new.table), f"{new.images}/{{id}}.jpg", layer="conv3")


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
