"""AlexNet and its two special operations against plain formulas: normalisation, grouped convolutions, whole pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vista_nb.errors import VistaDataError, VistaEnvironmentError

pytestmark = pytest.mark.tf

SHAPES = {
    "conv1": (11, 11, 3, 96),
    "conv2": (5, 5, 48, 256),
    "conv3": (3, 3, 256, 384),
    "conv4": (3, 3, 192, 384),
    "conv5": (3, 3, 192, 256),
    "fc6": (9216, 4096),
    "fc7": (4096, 4096),
    "fc8": (4096, 1000),
}


def normalised(x: Any, radius: int, alpha: float, beta: float, bias: float) -> Any:
    """Krizhevsky et al. 2012, section 3.3, channel by channel."""
    out = np.empty_like(x)
    for c in range(x.shape[-1]):
        energy = (x[..., max(0, c - radius) : c + radius + 1] ** 2).sum(-1)
        out[..., c] = x[..., c] / (bias + alpha * energy) ** beta
    return out


@pytest.mark.parametrize("backend", ["tensorflow", "another"])
@pytest.mark.parametrize(
    ("channels", "settings"), [(96, {}), (7, {"radius": 1, "alpha": 0.3, "beta": 0.5, "bias": 2.0}), (2, {"alpha": 1})]
)
def test_local_response_normalisation_is_the_formula(
    monkeypatch: pytest.MonkeyPatch, backend: str, channels: int, settings: dict[str, Any]
) -> None:
    """TensorFlow's operation and the one for other backends; at the edges, and with fewer channels than the window."""
    import keras

    from vista_nb.executor.cnn.local_response import LocalResponseNormalization

    monkeypatch.setattr(keras.config, "backend", lambda: backend)
    x = np.random.default_rng(0).normal(0, 200, (2, 5, 4, channels)).astype(np.float32)
    expected = normalised(x.astype(np.float64), **{"radius": 2, "alpha": 2e-5, "beta": 0.75, "bias": 1.0, **settings})
    layer = LocalResponseNormalization(**settings)
    np.testing.assert_allclose(np.asarray(layer(x)), expected, rtol=2e-5)
    assert np.abs(expected - x).max() > 0.1 * np.abs(x).max()  # the settings do something


def test_a_saved_alexnet_loads_in_safe_mode(tmp_path: Path) -> None:
    """The registered layer comes back from a .keras file with its settings, and the same numbers come out."""
    import keras

    from vista_nb.executor.cnn.local_response import LocalResponseNormalization

    image = keras.Input((6, 6, 8))
    model = keras.Model(image, LocalResponseNormalization(1, 0.2, 0.6, 1.5, name="norm1")(image))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.get_layer("norm1").get_config() == model.get_layer("norm1").get_config()
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 8)).astype(np.float32)
    assert np.array_equal(again(x), model(x))


@pytest.mark.parametrize(
    "settings",
    [
        {"filters": 12, "kernel_size": 5, "groups": 2, "padding": "same"},
        {"filters": 8, "kernel_size": 3, "groups": 4, "strides": 2},
        {"filters": 6, "kernel_size": (3, 1), "groups": 3, "dilation_rate": 2, "padding": "same"},
        {"filters": 12, "kernel_size": 7, "groups": 12, "padding": "same"},
        {"filters": 24, "kernel_size": 3, "groups": 12, "strides": 2, "use_bias": False},
    ],
)
def test_grouped_convolutions_without_xla_are_those_of_keras(settings: dict[str, Any]) -> None:
    """By group or depthwise: Keras' numbers, in nested models too; names, config and digest stay."""
    import keras

    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.grouped import without_xla

    inner = keras.Sequential([keras.Input((11, 9, 12)), keras.layers.Conv2D(name="c", activation="relu", **settings)])
    image = keras.Input((11, 9, 12))
    model = keras.Model(image, keras.layers.ReLU()(inner(image)))
    x = np.random.default_rng(0).normal(size=(3, 11, 9, 12)).astype(np.float32)
    expected, digest, config = np.asarray(model(x)), model_digest(model), model.get_config()
    assert without_xla(model) is model
    assert "convolution_op" in vars(inner.get_layer("c"))
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-4, atol=1e-5)
    assert (model_digest(model), model.get_config()) == (digest, config)


def test_a_grouped_convolution_can_be_frozen(tmp_path: Path) -> None:
    """Keras' XLA call could not: for a model of the user's too, whatever the batch size."""
    import keras

    from vista_nb.executor.cnn.artifact import load, save
    from vista_nb.executor.cnn.cut import cut

    image = keras.Input((9, 9, 3))
    x = keras.layers.Conv2D(8, 3, name="low")(image)
    x = keras.layers.Conv2D(8, 3, groups=4, activation="relu", name="grouped")(x)
    x = keras.layers.Conv2D(8, 3, groups=8, name="top")(x)
    model = keras.Model(image, x)
    photos = np.random.default_rng(0).normal(size=(5, 9, 9, 3)).astype(np.float32)
    expected = np.asarray(model(photos))
    infer = load(save(cut(model, None, ["top"]), ["image"], ["top"], None, "k", tmp_path / "artifact"))
    for count in (5, 2):
        np.testing.assert_allclose(infer(photos[:count])["top"], expected[:count], rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def weights() -> Mapping[str, list[Any]]:
    """Random numbers in the layout of bvlc_alexnet.npy, of a scale that lets signals through all layers."""
    random = np.random.default_rng(5)

    def layer(shape: tuple[int, ...]) -> list[Any]:
        kernel = random.standard_normal(shape, dtype=np.float32) * np.sqrt(2 / np.prod(shape[:-1]), dtype=np.float32)
        return [kernel, random.standard_normal(shape[-1], dtype=np.float32) * np.float32(0.1)]

    return {name: layer(shape) for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def home(weights: Mapping[str, list[Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras home whose folder of models holds the file."""
    folder = tmp_path_factory.mktemp("keras")
    (folder / "models").mkdir()
    held = np.empty((), dtype=object)
    held[()] = dict(weights)
    np.save(folder / "models" / "bvlc_alexnet.npy", held, allow_pickle=True)
    return folder


def reference(weights: Mapping[str, list[Any]], x: Any) -> dict[str, Any]:
    """Caffe's order of operations in plain TensorFlow: groups by hand, ReLU, normalisation, pooling, rows first."""
    import tensorflow as tf

    out = {}
    for i, (stride, padding, groups) in enumerate([(4, "VALID", 1), *((1, "SAME", g) for g in (2, 1, 2, 2))], 1):
        kernel, bias = weights[f"conv{i}"]
        inputs, kernels = np.split(x, groups, -1), np.split(kernel, groups, -1)
        parts = [tf.nn.conv2d(a, k, stride, padding).numpy() for a, k in zip(inputs, kernels, strict=True)]
        x = out[f"conv{i}"] = np.maximum(np.concatenate(parts, -1) + bias, 0)
        if i <= 2:
            x = normalised(x, 2, 2e-5, 0.75, 1.0)
        if i in (1, 2, 5):
            x = tf.nn.max_pool2d(x, 3, 2, "VALID").numpy()
    x = x.reshape(len(x), -1)
    for name in ("fc6", "fc7"):
        x = out[name] = np.maximum(x @ weights[name][0] + weights[name][1], 0)
    out["fc8"] = x @ weights["fc8"][0] + weights["fc8"][1]
    return out


def test_alexnet_is_caffes(weights: Mapping[str, list[Any]], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights from the .npy file as `imagenet` finds it, every tap as computed by hand; 60,965,224 parameters."""
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.grouped import without_xla

    monkeypatch.setenv("KERAS_HOME", str(home))
    model, include_top = build("alexnet", "imagenet")
    assert include_top
    assert model.count_params() == 60_965_224
    x = np.random.default_rng(2).uniform(-120, 130, (2, 227, 227, 3)).astype(np.float32)
    expected = reference(weights, x)
    assert expected["conv5"].shape == (2, 13, 13, 256)
    for name, value in zip(SHAPES, cut(without_xla(model), None, list(SHAPES))([x]), strict=True):
        difference = np.abs(np.asarray(value) - expected[name]).max() / np.abs(expected[name]).max()
        assert difference <= 1e-5, name
        assert np.std(expected[name]) > 0


def test_imagenet_without_the_file_names_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras has no download of AlexNet."""
    from vista_nb.executor.cnn.build import build

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(VistaEnvironmentError, match=r"VST440.*bvlc_alexnet\.npy") as caught:
        build("alexnet", "imagenet")
    assert str(tmp_path / "models") in caught.value.message
    assert "weights: random" in caught.value.hint


def damaged(weights: Mapping[str, list[Any]], change: str) -> dict[str, Any]:
    small = {name: [np.zeros((2, 2), np.float32), np.zeros(2, np.float32)] for name in weights}
    if change == "another network":
        return {"conv1_1": small["conv1"], "fc6": small["fc6"]}
    if change == "no fc7":
        return {name: pair for name, pair in small.items() if name != "fc7"}
    transposed = weights["conv1"][0].transpose(3, 2, 0, 1)  # as Caffe itself keeps it
    return {**small, "conv1": [transposed, weights["conv1"][1]]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("another network", "it holds layers 'conv1_1', it lacks layers 'conv1', 'conv2', 'conv3', 'conv4', ..."),
        ("no fc7", "it lacks layers 'fc7'"),
        ("transposed", "layer 'conv1' holds 96x3x11x11, 96, the CNN needs 11x11x3x96, 96"),
    ],
)
def test_npy_weights_of_another_cnn_are_refused(
    weights: Mapping[str, list[Any]], tmp_path: Path, change: str, says: str
) -> None:
    """Names and shapes must agree one by one: VST341 says which do not."""
    from vista_nb.executor.cnn.build import build

    held = np.empty((), dtype=object)
    held[()] = damaged(weights, change)
    np.save(tmp_path / "weights.npy", held, allow_pickle=True)
    with pytest.raises(VistaDataError) as caught:
        build("alexnet", "file", tmp_path / "weights.npy")
    assert caught.value.code == "VST341"
    assert says in caught.value.message
    assert "weights.npy" in caught.value.message


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_keras_files_of_alexnet_are_read(tmp_path: Path, suffix: str) -> None:
    """Every layout that Keras writes; a file without the head gives the CNN without its class layers."""
    from vista_nb.executor.cnn.alexnet import alexnet
    from vista_nb.executor.cnn.build import build

    saved = alexnet(include_top=False)
    file = tmp_path / f"alexnet_notop{suffix}"
    saved.save_weights(file) if suffix == ".weights.h5" else saved.save(file)
    model, include_top = build("alexnet", "file", file)
    assert not include_top
    assert model.count_params() == saved.count_params() == 60_965_224 - 58_631_144
    for ours, theirs in zip(model.weights, saved.weights, strict=True):
        assert np.array_equal(ours, theirs)
