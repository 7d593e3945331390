"""Fitted values as files: what comes back is what was fitted, and nothing comes back that code would have to make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from executor_support import catalogue, workload

from vista_nb.catalog.workload import FeatureUse
from vista_nb.errors import VistaStoreError
from vista_nb.executor.downstream.baseline import MajorityModel, fit_tree
from vista_nb.executor.downstream.encode import fit_encoder
from vista_nb.executor.downstream.fit import LinearModel
from vista_nb.executor.downstream.preparation import Preparation
from vista_nb.executor.downstream.reduce import fit_reducer
from vista_nb.executor.downstream.split import encode_labels
from vista_nb.executor.leaving.bundle import MANIFEST, new_bundle, other_versions, read_manifest, write_manifest
from vista_nb.executor.leaving.parts import Reader, Writer
from vista_nb.spec.model import EstimatorCall, Pooling, Spec, Tune

CHANCE = np.random.default_rng(0)


def there_and_back(value: Any, folder: Path) -> Any:
    """Through JSON too."""
    plain = json.loads(json.dumps(Writer(folder).plain(value, "it")))
    return Reader(folder).value(plain)


def table(rows: int = 60) -> pa.Table:
    """A number with nulls, a category with a rare value, a boolean."""
    return pa.table(
        {
            "price": [None if i % 7 == 0 else float(i) for i in range(rows)],
            "kind": ["rare" if i == 3 else "xyz"[i % 3] for i in range(rows)],
            "new": [i % 2 == 0 for i in range(rows)],
        }
    )


def preparation(components: int | None = None) -> Preparation:
    uses = (FeatureUse("price", "number", 1), FeatureUse("kind", "category", 4), FeatureUse("new", "number", 1))
    train = np.ones(60, dtype=bool)
    encoder = fit_encoder(table(), uses, train)
    vectors = CHANCE.normal(size=(60, 12)).astype(np.float32)
    reducer = fit_reducer(vectors, train, components, 0) if components else None
    return Preparation("conv3", encoder, 12, 1, "concat", reducer)


@pytest.mark.parametrize("components", [None, 4])
def test_a_preparation_makes_the_same_matrix_again(tmp_path: Path, components: int | None) -> None:
    """Imputation, one-hots with unseen values, scaling, the projection: bit for bit, on rows it has not seen."""
    made = preparation(components)
    back = there_and_back(made, tmp_path)
    rows = pa.table({"price": [None, 1e6, -3.0], "kind": ["x", "unseen", None], "new": [True, None, False]})
    vectors = [CHANCE.normal(size=(3, 12)).astype(np.float32)]
    np.testing.assert_array_equal(back.matrix(rows, vectors), made.matrix(rows, vectors))
    assert back.names == made.names


def models() -> list[Any]:
    labels = encode_labels([f"c{i % 3}" for i in range(60)], np.arange(60) % 4 == 0, "label")
    x = CHANCE.normal(size=(60, 5)).astype(np.float32)
    forest = fit_tree(x, [f"k{i}" for i in range(60)], labels, np.arange(60) % 4 == 0).model
    linear = LinearModel(CHANCE.normal(size=(3, 5)), CHANCE.normal(size=3), (0, 1, 2), ("a", "b", "c"))
    return [linear, MajorityModel(np.array([0.2, 0.5, 0.3])), forest]


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_a_model_predicts_the_same_again(tmp_path: Path, model: Any) -> None:
    """Bit for bit."""
    back = there_and_back(model, tmp_path)
    x = CHANCE.normal(size=(9, 5)).astype(np.float32)
    assert type(back) is type(model)
    np.testing.assert_array_equal(back.probabilities(x), model.probabilities(x))
    np.testing.assert_array_equal(back.predict(x), model.predict(x))


def test_a_spec_comes_back(tmp_path: Path) -> None:
    """Enumerations, nested values, tuples; where it was written is no part of it."""
    spec = Spec(
        label="y",
        pool=Pooling.AVG,
        model=EstimatorCall("sklearn", "LogisticRegression", (("C", 0.1), ("penalty", "l2"))),
        tune=Tune((("C", (0.1, 1.0, None)),), 5),
    )
    assert there_and_back(spec, tmp_path) == spec


def test_a_workload_comes_back(tmp_path: Path) -> None:
    """CNN, layers, estimator, features: what a loaded result scores by."""
    (tmp_path / "data").mkdir()
    work = workload(catalogue(tmp_path / "data", rows=3))
    assert there_and_back(work, tmp_path / "parts") == work


def test_one_encoder_of_many_layers_is_written_once(tmp_path: Path) -> None:
    """Its steps are one object in all layers' preparations."""
    writer, made = Writer(tmp_path), preparation()
    first = writer.plain(made, "a")
    count = len(list(tmp_path.iterdir()))
    assert writer.plain(made, "b") == first
    assert len(list(tmp_path.glob("*.skops"))) == count - len(list(tmp_path.glob("*.npy")))


class Foreign:
    """A class of somebody's notebook."""

    def __call__(self) -> int:
        return 1


@dataclass(frozen=True)
class Pretender:
    """Called like one of ours, and is none."""

    native: Any


Pretender.__name__ = "LinearModel"


@pytest.mark.parametrize(
    "value", [lambda x: x, Foreign(), np.array([{}], dtype=object)], ids=["lambda", "call", "object"]
)
def test_what_only_code_describes_is_refused(tmp_path: Path, value: Any) -> None:
    """Coded, naming what it belongs to; no pickle is written in its place."""
    with pytest.raises(VistaStoreError, match=r"VST633.*the model of conv3") as caught:
        Writer(tmp_path).plain(value, "the model of conv3")
    assert "scikit-learn" in caught.value.hint
    assert not list(tmp_path.glob("*.pkl"))


def test_types_that_skops_does_not_trust_are_made_only_when_named(tmp_path: Path) -> None:
    """The message says which, and how."""
    writer = Writer(tmp_path)
    plain = writer.plain(Pretender(3), "it")
    assert plain["kind"] == "skops"
    assert writer.foreign == {f"{__name__}.LinearModel"} or len(writer.foreign) == 1
    (name,) = writer.foreign
    with pytest.raises(VistaStoreError, match="VST634") as caught:
        Reader(tmp_path).value(plain)
    assert name in caught.value.message
    assert "trusted=" in caught.value.hint


@pytest.mark.parametrize(
    "plain",
    [
        {"kind": "pickle", "file": "a"},
        {"kind": "class", "class": "Path", "fields": {}},
        {"kind": "class", "class": "LinearModel", "fields": {}},
        {"kind": "array", "file": "../secret.npy"},
        {"kind": "array", "file": "/etc/passwd"},
        {"kind": "array", "file": "gone.npy"},
        {"kind": "file", "file": ".."},
        {"kind": "class", "class": "Pooling", "value": "median"},
        {},
    ],
)
def test_a_changed_manifest_makes_nothing(tmp_path: Path, plain: dict[str, Any]) -> None:
    """No other class, no file outside the folder, no code: a coded error."""
    np.save(tmp_path / "secret.npy", np.zeros(1))
    (tmp_path / "parts").mkdir()
    with pytest.raises(VistaStoreError, match="VST632"):
        Reader(tmp_path / "parts").value(plain)


def test_an_array_of_pickles_is_not_read(tmp_path: Path) -> None:
    """numpy would unpickle an array of objects."""
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        Reader(tmp_path).value({"kind": "array", "file": "a.npy"})


# ---- the folder


def bundle(path: Path, **content: Any) -> Path:
    with new_bundle(path) as folder:
        (folder / "parts").mkdir()
        (folder / "parts" / "one.npy").write_bytes(b"123")
        write_manifest(folder, {"run": "r1", **content})
    return path


def stopped(path: Path, **options: bool) -> None:
    with new_bundle(path, **options) as folder:
        (folder / "parts").mkdir()
        raise RuntimeError("stopped")


def test_a_bundle_is_whole_or_not_there(tmp_path: Path) -> None:
    """An error on the way leaves nothing, also of the folder that it would have replaced."""
    with pytest.raises(RuntimeError, match="stopped"):
        stopped(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    bundle(tmp_path / "saved")
    with pytest.raises(RuntimeError, match="stopped"):
        stopped(tmp_path / "saved", overwrite=True)
    assert read_manifest(tmp_path / "saved")["run"] == "r1"
    assert [item.name for item in tmp_path.iterdir()] == ["saved"]


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    """A saved result only when asked for; anything else never."""
    bundle(tmp_path / "saved")
    with pytest.raises(VistaStoreError, match=r"VST631.*saved") as caught:
        bundle(tmp_path / "saved")
    assert "overwrite=True" in caught.value.hint
    with new_bundle(tmp_path / "saved", overwrite=True) as folder:
        write_manifest(folder, {"run": "r2"})
    assert read_manifest(tmp_path / "saved")["run"] == "r2"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with (
        pytest.raises(VistaStoreError, match=r"VST631.*no saved result"),
        new_bundle(tmp_path / "photos", overwrite=True),
    ):
        pass
    assert (tmp_path / "photos" / "a.jpg").exists()


@pytest.mark.parametrize("harm", ["changed", "gone", "cut", "outside"])
def test_a_damaged_bundle_is_refused(tmp_path: Path, harm: str) -> None:
    """Every file is checked before anything is made of it."""
    folder = bundle(tmp_path / "saved")
    part, manifest = folder / "parts" / "one.npy", folder / MANIFEST
    if harm == "changed":
        part.write_bytes(b"124")
    elif harm == "gone":
        part.unlink()
    elif harm == "cut":
        manifest.write_text(manifest.read_text()[:40])
    else:
        content = json.loads(manifest.read_text())
        content["files"]["../other"] = "0" * 64
        manifest.write_text(json.dumps(content))
        (tmp_path / "other").write_bytes(b"")
    with pytest.raises(VistaStoreError, match="VST632"):
        read_manifest(folder)


def test_what_is_no_bundle_or_a_later_one_is_said(tmp_path: Path) -> None:
    """VST631 and VST635."""
    with pytest.raises(VistaStoreError, match="VST631"):
        read_manifest(tmp_path)
    folder = bundle(tmp_path / "saved")
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(VistaStoreError, match=r"VST635.*format 99"):
        read_manifest(folder)


def test_other_versions_are_told(tmp_path: Path) -> None:
    """A patch release is no news; another minor one is."""
    content = read_manifest(bundle(tmp_path / "saved"))
    assert other_versions(content) == ()
    content["versions"]["scikit-learn"] = "1.2.3"
    (note,) = other_versions(content)
    assert note.startswith("Saved with scikit-learn 1.2.3, loaded with")
