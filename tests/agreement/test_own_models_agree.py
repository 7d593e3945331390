"""A user's own CNN from a file and from a variable, whole runs on Spark: the features are those of Keras' own pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_models import BRANCHED_LAYERS, branched, plain

import vista_nb
from vista_nb.demo import CataloguePaths, generate
from vista_nb.executor.cnn import throwaway
from vista_nb.executor.cnn.decode import decode

pytestmark = [pytest.mark.spark, pytest.mark.tf]

EAGER = {"materialization": "eager", "pooling": "pushed_down"}
STAGED = {"materialization": "staged", "pooling": "pulled_up"}
ROWS = 40


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=ROWS, seed=5)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "shoes.keras"
    branched(seed=4).save(made)
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def spec_of(shop: CataloguePaths, **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "layers": list(BRANCHED_LAYERS),
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        **more,
    }


def keras_features(model: Any, shop: CataloguePaths, layers: tuple[str, ...], *, gray: bool = False) -> dict[str, Any]:
    """Keras' own multi-output pass over the photos in key order, average pooled."""
    import keras

    size = model.input_shape[1:3]
    photos = sorted(shop.images.glob("*.jpg"))
    batch = np.stack([decode(path.read_bytes(), *size, channels=1 if gray else 3) for path in photos])
    outer = [name for name in layers if "/" not in name]
    values = dict(zip(outer, tapped(model, outer)(batch, training=False), strict=True))
    for path in set(layers) - set(outer):  # the nested model reads what the layer below it gives
        block, name = path.split("/")
        nested = model.get_layer(block)
        values[path] = keras.Model(nested.inputs, nested.get_layer(name).output)(values["stem"], training=False)
    arrays = {name: np.asarray(value) for name, value in values.items()}
    return {name: a.mean(axis=(1, 2)) if a.ndim == 4 else a for name, a in arrays.items()}


def tapped(model: Any, names: list[str]) -> Any:
    import keras

    return keras.Model(model.inputs, [model.get_layer(name).output for name in names])


def assert_same(result: Any, expected: dict[str, Any]) -> None:
    """Within 1e-4 of the layer's largest value."""
    for name, wanted in expected.items():
        found = np.array(result.features(name).sort_index())
        assert found.shape == wanted.shape, name
        assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max(), name


@pytest.fixture(scope="module")
def expected(file: Path, shop: CataloguePaths) -> dict[str, Any]:
    import keras

    return keras_features(keras.models.load_model(file, compile=False), shop, BRANCHED_LAYERS)


@pytest.fixture(scope="module")
def first(file: Path, shop: CataloguePaths, store: Path) -> Iterator[Any]:
    """The model in the file, one pass."""
    return vista_nb.run(spec_of(shop, cnn=str(file), plan=EAGER), store_dir=store)


def test_a_branched_model_in_one_pass(first: Any, expected: dict[str, Any]) -> None:
    """Branches, a nested model, two outputs, photos that are not square."""
    assert first.outcome.inferred_images == ROWS
    assert first.plan.cnn == "shoes"
    assert any("`preprocessing: none`" in note for note in first.outcome.notes)
    assert_same(first, expected)


def test_the_same_layer_by_layer(
    first: Any, file: Path, shop: CataloguePaths, expected: dict[str, Any], tmp_path: Path
) -> None:
    """Staged with pooling pulled up: a pass goes on from stored cuts of several tensors."""
    staged = vista_nb.run(spec_of(shop, cnn=str(file), plan=STAGED), store_dir=tmp_path)
    assert staged.plan.logical.materialization.value == "staged"
    assert_same(staged, expected)
    one_row = 1 / first.outcome.rows.test + 1e-9
    assert (abs(first.accuracy.value - staged.accuracy.value) <= one_row).all()


def test_a_variable_with_the_same_weights_finds_the_layers_of_the_file(
    first: Any, file: Path, shop: CataloguePaths, store: Path
) -> None:
    """Same layers, same weights, another way to say it, another model trained: no image goes through the CNN."""
    import keras

    net = keras.models.load_model(file, compile=False)
    spec = spec_of(shop, cnn="$net", model="sklearn.LogisticRegression(C=0.1)")
    result = vista_nb.run(spec, namespace={"net": net}, store_dir=store)
    assert result.outcome.inferred_images == 0
    assert result.plan.cnn == "net"
    assert set(result.accuracy.source[: len(BRANCHED_LAYERS)]) == {"reused"}


def test_a_variable_that_was_trained_on_is_another_cnn(file: Path, shop: CataloguePaths, store: Path) -> None:
    """One changed kernel: everything is inferred anew, with the new weights."""
    import keras

    net = keras.models.load_model(file, compile=False)
    kernel = net.get_layer("high").kernel
    kernel.assign(np.asarray(kernel) * np.float32(1.5))
    layers = ("stem", "high", "fc")
    spec = spec_of(shop, cnn="$net", layers=list(layers))
    result = vista_nb.run(spec, namespace={"net": net}, store_dir=store)
    assert result.outcome.inferred_images == ROWS
    assert_same(result, keras_features(net, shop, layers))


def test_another_preprocessing_is_another_set_of_features(
    first: Any, file: Path, shop: CataloguePaths, store: Path
) -> None:
    """The store tells them apart: `tf` on top of the model's own scaling gives other numbers, inferred anew."""
    spec = spec_of(shop, cnn=str(file), layers=["fc"], preprocessing="tf")
    result = vista_nb.run(spec, store_dir=store)
    assert result.outcome.inferred_images == ROWS
    assert np.abs(np.array(result.features("fc")) - np.array(first.features("fc"))).max() > 1e-2


def test_a_gray_cnn(shop: CataloguePaths, tmp_path: Path) -> None:
    """Photos are decoded to gray for a CNN of one channel; default layers, a Sequential whose names Keras made."""
    net = plain(seed=2, size=(20, 24, 1))
    spec = spec_of(shop, cnn="$net", layers="all")
    result = vista_nb.run(spec, namespace={"net": net}, store_dir=tmp_path)
    names = tuple(layer.name for layer in net.layers if "re_lu" in layer.name or "dense" in layer.name)
    assert result.plan.layers == names
    assert_same(result, keras_features(net, shop, names, gray=True))


def test_random_weights_of_an_own_cnn(file: Path, shop: CataloguePaths, store: Path) -> None:
    """The baseline without training: seeded, and never mistaken for the model's own weights."""
    spec = spec_of(shop, cnn=str(file), layers=["high", "fc"], weights="random")
    result = vista_nb.run(spec, store_dir=store)
    assert result.outcome.inferred_images == ROWS
    again = vista_nb.run(spec, store_dir=store)
    assert again.outcome.inferred_images == 0


def test_a_second_cell_on_an_own_cnn_starts_no_process(
    first: Any, file: Path, shop: CataloguePaths, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Description, digest and features are all remembered."""

    def no_process(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(throwaway.subprocess, "Popen", no_process)
    result = vista_nb.run(spec_of(shop, cnn=str(file), metric="f1"), store_dir=store)
    assert result.outcome.inferred_images == 0
