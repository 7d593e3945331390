"""Inference artifacts for real: bfloat16 beside float32; what is stale, foreign, torn or altered is made anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn import artifact, prepare
from vista_nb.executor.cnn.artifact import artifact_bytes, artifact_key, load, read_meta, save
from vista_nb.executor.cnn.artifact_cache import in_use
from vista_nb.executor.cnn.build import build
from vista_nb.executor.cnn.cut import cut
from vista_nb.executor.cnn.optimise import optimised
from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
from vista_nb.executor.inputs import ModelSource
from vista_nb.executor.probe_machine import has_bfloat16
from vista_nb.plan.fingerprint import layer_key
from vista_nb.spec.model import Pooling, Precision

pytestmark = pytest.mark.tf

SMALL = load_roster().find("mobilenet_025")
LAYERS = ("conv_pw_6_relu", "conv_pw_11_relu", "conv_pw_13_relu", "predictions")
DRIFT = 0.02  # of bfloat16 features against float32's, norm over norm; 0.3 % was seen here
PARTIAL = 0.01  # of a bfloat16 pass from a stored cut against the whole pass; equal to the bit was seen

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")


@pytest.fixture(scope="module")
def model() -> Any:
    """MobileNet 0.25 whose batch norms add something, as trained ones do."""
    made, _ = build(SMALL.builder, "random")
    random = np.random.default_rng(0)
    for weight in made.weights:
        if weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.1, weight.shape))
    return made


def nodes(names: tuple[str, ...]) -> list[str]:
    return [SMALL.layer(name).node for name in names]


def made(
    model: Any, folder: Path, precision: Precision, pooling: Pooling | None = None, names: tuple[str, ...] = LAYERS
) -> Path:
    part = cut(model, None, nodes(names))
    return save(part, ["image"], names, pooling, "k", folder / f"{precision.value}-{pooling}", precision)


def images(count: int = 4) -> Any:
    return np.random.default_rng(1).uniform(-1, 1, (count, 224, 224, 3)).astype(np.float32)


def drift(found: Any, expected: Any) -> float:
    """The largest |found - expected| / |expected| of one image."""
    a, b = (each.reshape(len(each), -1) for each in (found, expected))
    return float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())


def operators(folder: Path) -> set[str]:
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph = GraphDef.FromString((folder / "graph.pb").read_bytes())
    assert all(not node.device for node in graph.node)
    return {node.op for node in graph.node}


@needs_bfloat16
@pytest.mark.parametrize("pooling", [None, Pooling.AVG, Pooling.MAX_2X2])
def test_bfloat16_gives_float32_features_close_to_float32s(model: Any, tmp_path: Path, pooling: Pooling | None) -> None:
    """Raw and pooled; the weights take half of the file, and convolutions are fused in both."""
    single, half = (made(model, tmp_path, precision, pooling) for precision in Precision)
    assert artifact_bytes(half) < 0.65 * artifact_bytes(single)
    assert {w.dtype for w in read_meta(half).weights} >= {"bfloat16"}
    assert {w.dtype for w in read_meta(single).weights} == {"float32"}
    assert "_FusedConv2D" in operators(single)
    assert "_MklNativeFusedConv2D" in operators(half)
    one, two = load(single)(images()), load(half)(images())
    for name in LAYERS:
        assert two[name].dtype == np.float32
        assert 0 < drift(two[name], one[name]) < DRIFT


@needs_bfloat16
def test_partial_inference_in_bfloat16(model: Any, tmp_path: Path) -> None:
    """From every stored float32 cut to every layer above it: what the whole bfloat16 pass gives."""
    whole = load(made(model, tmp_path, Precision.BFLOAT16))(images())
    for place, low in enumerate(LAYERS[:-1]):
        above = LAYERS[place + 1 :]
        part = cut(model, SMALL.layer(low).node, nodes(above))
        found = load(save(part, [low], above, None, "k", tmp_path / low, Precision.BFLOAT16))(whole[low])
        assert all(drift(found[name], whole[name]) < PARTIAL for name in above)


@needs_bfloat16
def test_matrices_lifted_before_grappler_are_bfloat16_too(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dense matrices such as VGG16's: no cast at every call, half of the bytes."""
    expected = load(made(model, tmp_path / "late", Precision.BFLOAT16))(images())
    monkeypatch.setattr(artifact, "LARGE_VALUES", 100_000)
    folder = made(model, tmp_path / "early", Precision.BFLOAT16)
    assert {w.dtype for w in read_meta(folder).weights if np.prod(w.shape) > 100_000} == {"bfloat16"}
    found = load(folder)(images())
    assert all(drift(found[name], expected[name]) < PARTIAL for name in LAYERS)


def test_a_graph_that_stays_float32_is_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TensorFlow rewrites nothing the artifact is refused, not made in float32 under a false name."""
    import tensorflow as tf

    weights = tf.ones((3, 2))
    function = tf.function(lambda x: tf.matmul(x, weights)).get_concrete_function(tf.TensorSpec((None, 3), tf.float32))
    definition = function.graph.as_graph_def()
    ends = [function.inputs[0].name, function.outputs[0].name]
    monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE", "MatMul,_FusedMatMul")
    with pytest.raises(VistaEnvironmentError, match=r"VST447.*precision: bfloat16"):
        optimised(definition, ends, [], Precision.BFLOAT16)
    assert [name for name in os.environ if name.startswith("TF_AUTO")] == [
        "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"
    ]


@needs_bfloat16
def test_a_part_without_convolutions_has_nothing_to_rewrite(model: Any, tmp_path: Path) -> None:
    """From a batch norm to its activation: no refusal, the same numbers."""
    part = cut(model, "conv_pw_13_bn", ["conv_pw_13_relu"])
    stored = np.random.default_rng(2).normal(size=(2, 7, 7, 256)).astype(np.float32)
    found = load(save(part, ["low"], ["high"], None, "k", tmp_path / "part", Precision.BFLOAT16))(stored)["high"]
    assert drift(found, stored.clip(0, 6)) < DRIFT


@needs_bfloat16
@pytest.mark.parametrize("precision", Precision)
def test_a_model_of_keras_own_bfloat16_policy(tmp_path: Path, precision: Precision) -> None:
    """Its fused convolutions can be imported too; what comes out is float32 and close to the model's own answer."""
    import keras

    keras.utils.set_random_seed(0)
    photo = keras.Input((32, 32, 3))
    x = photo
    for i, filters in enumerate((16, 64, 64)):
        x = keras.layers.Conv2D(filters, 3, activation="relu", name=f"c{i}", dtype="mixed_bfloat16")(x)
    mixed = keras.Model(photo, x)
    for layer in mixed.layers[1:]:
        layer.bias.assign(np.random.default_rng(0).normal(0, 0.1, layer.bias.shape))
    batch = images(2)[:, :32, :32]
    expected = np.asarray(mixed(batch)).astype(np.float32)
    infer = load(save(cut(mixed, None, ["c2"]), ["image"], ["c2"], None, "k", tmp_path / "mixed", precision))
    assert infer(batch)["c2"].dtype == np.float32
    assert drift(infer(batch)["c2"], expected) < DRIFT


def test_a_graph_for_a_gpu_has_nothing_that_only_a_processor_runs(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with a GPU the operators stay TensorFlow's plain ones; the numbers are the same."""
    plain = load(made(model, tmp_path / "cpu", Precision.FLOAT32))(images())
    monkeypatch.setattr(artifact, "has_gpu", lambda: True)
    folder = made(model, tmp_path / "gpu", Precision.FLOAT32)
    assert not [name for name in operators(folder) if name.startswith("_")]
    found = load(folder)(images())
    assert all(drift(found[name], plain[name]) < 1e-4 for name in LAYERS)


def test_precisions_never_share() -> None:
    """Neither an artifact nor a materialized layer."""
    digest = "0" * 64
    artifacts = {artifact_key(digest, None, ("a",), Pooling.AVG, each.value) for each in Precision}
    stored = {layer_key(digest, "tf-224x224", "a", "avg", each.value) for each in Precision}
    assert len(artifacts) == len(stored) == 2


# -- the cache: every kind of damage is made good --------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(cache: Path) -> ModelSource:
    return resolve_model(SMALL, "random", 5, cache)


def prepared(source: ModelSource, cache: Path) -> Path:
    return prepare_artifact(source, SMALL, None, ("conv_pw_11_relu",), Pooling.AVG, "float32", cache)


def _runtime(name: str, value: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / "meta.json").read_text())
        data["runtime"] = [[key, value if key == name else old] for key, old in data["runtime"]]
        (folder / "meta.json").write_text(json.dumps(data))

    return change


def _field(name: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / "meta.json").read_text())
        (folder / "meta.json").write_text(json.dumps(data | {name: value}))

    return change


def _tear(file: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])

    return change


def _flip(folder: Path) -> None:
    content = bytearray((folder / "graph.pb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "graph.pb").write_bytes(content)


DAMAGE = {
    "another TensorFlow": _runtime("tensorflow", "1.15"),
    "another Keras": _runtime("keras", "2.0"),
    "another processor": _runtime("cpu", "z80"),
    "another kind of device": _runtime("gpu", "True"),
    "oneDNN off": _runtime("onednn", "0"),
    "another key": _field("key", "0" * 32),
    "an older format": _field("weights", [["w", [3, 3], 0]]),
    "no graph's digest": _field("graph", None),
    "description torn": _tear("meta.json"),
    "graph torn": _tear("graph.pb"),
    "graph altered": _flip,
    "weights torn": _tear("weights.bin"),
    "weights missing": lambda folder: (folder / "weights.bin").unlink(),
    "graph missing": lambda folder: (folder / "graph.pb").unlink(),
    "description missing": lambda folder: (folder / "meta.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_artifact_is_not_used(damage: Callable[[Path], None], source: ModelSource, cache: Path) -> None:
    """Not by a worker, which names it; and the kernel asks for another one."""
    folder = prepared(source, cache)
    held = {file.name: file.read_bytes() for file in folder.iterdir()}
    asked: list[object] = []

    def make(request: dict[str, Any], *_: object) -> dict[str, Any]:
        asked.append(request["artifact"]["key"])
        for name, content in held.items():
            (folder / name).write_bytes(content)
        return {}

    damage(folder)
    assert read_meta(folder, folder.name) is None
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prepare, "_run_make", make)
        assert prepared(source, cache) == folder
    assert asked == [folder.name]
    assert read_meta(folder, folder.name) is not None


def test_a_torn_artifact_is_rebuilt_by_a_process(source: ModelSource, cache: Path) -> None:
    """The whole way: the same numbers come out of the new one."""
    folder = prepared(source, cache)
    expected = load(folder)(images(1))["conv_pw_11_relu"]
    _tear("weights.bin")(folder)
    with pytest.raises(VistaEnvironmentError, match="VST444"):
        load(folder)
    assert np.array_equal(load(prepared(source, cache))(images(1))["conv_pw_11_relu"], expected)


def test_a_new_artifact_sends_the_oldest_away(
    source: ModelSource, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one just made and those in use stay, whatever the budget."""
    first = prepared(source, cache)
    second = prepare_artifact(source, SMALL, None, ("conv_pw_9_relu",), Pooling.AVG, "float32", cache)
    monkeypatch.setenv("VISTA_NB_ARTIFACT_BYTES", "1")
    with in_use(second):
        third = prepare_artifact(source, SMALL, None, ("conv_pw_8_relu",), Pooling.AVG, "float32", cache)
    assert [folder.exists() for folder in (first, second, third)] == [False, True, True]
