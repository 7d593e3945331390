"""Weights of a roster CNN: from Keras' folder, from files of every layout; wrong and damaged files are refused."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaDataError, VistaEnvironmentError
from vista_nb.executor.cnn.applications import imagenet_file
from vista_nb.executor.cnn.prepare import resolve_model

pytestmark = pytest.mark.tf

ROSTER = load_roster()
SMALL = ROSTER.find("mobilenet_025")
FROM_KERAS = [cnn.name for cnn in ROSTER.cnns if cnn.builder.startswith("keras.applications.")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of MobileNet 0.25 in the three layouts of Keras, and of its part without the head."""
    from vista_nb.executor.cnn.build import build

    folder = tmp_path_factory.mktemp("weights")
    model, _ = build(SMALL.builder, "random", seed=9)
    model.save(folder / "small.h5")
    model.save(folder / "small.keras")
    model.save_weights(folder / "small.weights.h5")
    build(SMALL.builder, "random", seed=9, include_top=False)[0].save(folder / "small_notop.h5")
    return folder


@pytest.mark.parametrize("name", ["small.h5", "small.keras", "small.weights.h5"])
def test_every_layout_gives_the_same_model(saved: Path, name: str) -> None:
    """The numbers are those of seed 9, and so is the digest: the container does not matter."""
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.digest import model_digest

    model, include_top = build(SMALL.builder, "file", saved / name)
    assert include_top
    assert model_digest(model) == model_digest(build(SMALL.builder, "random", seed=9)[0])


def test_a_file_without_the_head_drops_the_class_layers(saved: Path, tmp_path: Path) -> None:
    """Found by the arrays, not by the name."""
    plain = tmp_path / "weights.h5"
    shutil.copy(saved / "small_notop.h5", plain)
    assert not resolve_model(SMALL, str(plain), 0, tmp_path).include_top


@pytest.mark.parametrize("name", FROM_KERAS)
def test_imagenet_offline_names_the_file_that_keras_asks_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without network: the name that we know is the one Keras' loader wants; file and folder stand in the error."""
    from keras.src.utils import file_utils

    from vista_nb.executor.cnn.build import build

    asked = []

    def offline(name: str, *_args: Any, **_options: Any) -> None:
        asked.append(name)
        raise URLError("no network")

    monkeypatch.setattr(file_utils, "get_file", offline)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    cnn = ROSTER.find(name)
    with pytest.raises(VistaEnvironmentError) as caught:
        build(cnn.builder, "imagenet")
    assert asked == [imagenet_file(cnn.builder).name]
    assert caught.value.code == "VST440"
    assert f"{asked[0]} in {tmp_path / 'models'} is missing" in caught.value.message
    assert asked[0] in caught.value.hint


def test_imagenet_weights_come_from_kerass_folder(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through Keras' own loader, in the process that a run starts: a file that lies there is used, not downloaded."""
    home = tmp_path / "keras"
    (home / "models").mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    shutil.copy(saved / "small.h5", home / "models" / "mobilenet_2_5_224_tf.h5")
    source = resolve_model(SMALL, "imagenet", 0, tmp_path / "cache")
    assert source.include_top
    assert source.file == home / "models" / "mobilenet_2_5_224_tf.h5"
    assert source.digest == resolve_model(SMALL, str(saved / "small.h5"), 0, tmp_path / "cache").digest
    whole = source.file.read_bytes()
    source.file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VistaEnvironmentError, match=r"VST440.*mobilenet_2_5_224_tf\.h5.*is there, but unusable"):
        resolve_model(SMALL, "imagenet", 0, tmp_path / "cache")


def test_efficientnet_from_its_file_is_efficientnet_from_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ImageNet file holds deviations for variances; Keras' loader makes up for it, and so do we for the file."""
    import keras
    from keras.src.utils import file_utils

    from vista_nb.executor.cnn.build import build

    builder = ROSTER.find("efficientnetb0").builder
    file = tmp_path / "efficientnetb0.h5"
    model, _ = build(builder, "random", seed=1)
    model.get_layer("normalization").adapt_mean.assign([0.485, 0.456, 0.406])
    model.get_layer("normalization").adapt_variance.assign([0.229, 0.224, 0.225])
    model.save(file)
    monkeypatch.setattr(file_utils, "get_file", lambda *_args, **_options: str(file))
    by_keras = keras.applications.EfficientNetB0(weights="imagenet", classifier_activation=None)
    ours, _ = build(builder, "file", file)
    photos = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
    expected = np.asarray(by_keras(photos, training=False))
    assert np.abs(np.asarray(ours(photos, training=False)) - expected).max() <= 1e-4 * np.abs(expected).max()
    plain = np.asarray(model(photos, training=False))
    assert np.abs(plain - expected).max() > 1e-2 * np.abs(expected).max()  # it matters


def test_other_normalisation_is_left_alone(tmp_path: Path) -> None:
    """A file whose variances are variances (trained from scratch) keeps them."""
    from vista_nb.executor.cnn.build import build

    builder = ROSTER.find("efficientnetb0").builder
    model, _ = build(builder, "random", seed=1)
    model.get_layer("normalization").adapt_variance.assign([0.05, 0.06, 0.07])
    model.save_weights(tmp_path / "own.weights.h5")
    held = build(builder, "file", tmp_path / "own.weights.h5")[0].get_layer("normalization").adapt_variance
    np.testing.assert_allclose(np.asarray(held), [0.05, 0.06, 0.07])


@pytest.mark.parametrize(
    ("cnn", "file", "says"),
    [
        ("mobilenet", "small.h5", "needs 3x3x3x32,"),
        ("mobilenet", "small_notop.h5", "holds 3x3x3x8,"),
        ("mobilenetv2", "small.keras", "1x1x16x96 arrays"),
        ("vistanet", "small.weights.h5", "needs 5x5x3x16,"),
        ("alexnet", "small.h5", "needs 11x11x3x96,"),
    ],
)
def test_weights_of_another_cnn_are_refused(saved: Path, cnn: str, file: str, says: str) -> None:
    """Another width (alpha) or architecture: VST341 names the file, the CNN and the arrays that differ."""
    from vista_nb.executor.cnn.build import build

    builder = ROSTER.find(cnn).builder
    with pytest.raises(VistaDataError) as caught:
        build(builder, "file", saved / file)
    assert caught.value.code == "VST341"
    assert all(word in caught.value.message for word in (file, builder, says))


@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.99])
@pytest.mark.parametrize("name", ["small.h5", "small.keras", "small.weights.h5"])
def test_a_file_that_broke_off_is_refused(saved: Path, tmp_path: Path, name: str, part: float) -> None:
    """Cut anywhere: VST340 with the file's name."""
    from vista_nb.executor.cnn.build import build

    whole = (saved / name).read_bytes()
    broken = tmp_path / f"broken_{name}"
    broken.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(VistaDataError, match=rf"VST340.*broken_{name}"):
        build(SMALL.builder, "file", broken)


def test_an_archive_without_weights_is_refused(tmp_path: Path) -> None:
    """A zip file by the name of a model."""
    from vista_nb.executor.cnn.build import build

    with zipfile.ZipFile(tmp_path / "notes.keras", "w") as archive:
        archive.writestr("notes.txt", "no weights")
    with pytest.raises(VistaDataError, match=r"VST340.*notes\.keras"):
        build(SMALL.builder, "file", tmp_path / "notes.keras")


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".keras"])
def test_a_pickle_in_disguise_is_never_run(tmp_path: Path, suffix: str) -> None:
    """Under any name, through the whole way of a run: a coded error, and nothing has happened."""
    trap = tmp_path / "sprung"
    held = np.empty((), dtype=object)
    held[()] = {"conv1": [Trap(trap), np.zeros(3)]}
    file = tmp_path / f"weights{suffix}"
    if suffix == ".npy":
        np.save(file, held, allow_pickle=True)
    else:
        file.write_bytes(pickle.dumps(held))
    cnn = ROSTER.find("alexnet")
    with pytest.raises(VistaDataError) as caught:
        resolve_model(cnn, str(file), 0, tmp_path / "cache")
    assert caught.value.code == ("VST346" if suffix == ".npy" else "VST340")
    assert file.name in caught.value.message
    assert "system" in caught.value.message or suffix != ".npy"
    assert not trap.exists()
