"""Every CNN of the roster: facts, cuts and artifacts agree with Keras' own model, for every pair of layers.

A CNN at a time: its model is made once (random weights, or the bundled ones), one whole pass is taken, and the model is
let go before the next is made.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.catalog.sizes import pooled_length
from vista_nb.executor.cnn.preprocess import PREPROCESSING, preprocess
from vista_nb.executor.cnn.tensors import stack, to_record
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

TOLERANCE = 1e-4
NAMES = load_roster().names
PARAMETERS = {
    "resnet50": 25_636_712,
    "vgg16": 138_357_544,
    "alexnet": 60_965_224,
    "mobilenet": 4_253_864,
    "mobilenet_025": 475_544,
    "mobilenetv2": 3_538_984,
    "efficientnetb0": 5_330_571,
    "efficientnetv2b0": 7_200_312,
    "convnexttiny": 28_589_128,
    "densenet121": 8_062_504,
    "xception": 22_910_480,
    "vistanet": 303_709,
}
PAPER = {
    "alexnet": ("conv5", "fc6", "fc7", "fc8"),
    "vgg16": ("fc6", "fc7", "fc8"),
    "resnet50": ("conv4_6", "conv5_1", "conv5_2", "conv5_3", "fc6"),
}
DEAR_ARTIFACTS = ("vgg16",)  # 553 MB each: its two dense layers alone


@dataclass(frozen=True)
class Built:
    """A CNN of the roster, its Keras model, the model's flow, two photos, every layer's value by the whole pass."""

    facts: CNNFacts
    model: Any
    flow: Any
    photos: Any
    whole: Mapping[str, Any]


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest) -> Built:
    """Tests run CNN by CNN, so that one model is alive at a time."""
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.grouped import without_xla

    gc.collect()  # the CNN before this one
    cnn = load_roster().find(request.param)
    model, _ = build(cnn.builder, "bundled" if cnn.builder == "bundled" else "random", seed=3)
    flow = dataflow(without_xla(model))
    photos = images(cnn)
    values = cut(flow, None, [layer.node for layer in cnn.layers])([photos])
    whole = {layer.name: np.asarray(value) for layer, value in zip(cnn.layers, values, strict=True)}
    return Built(cnn, model, flow, photos, whole)


def images(cnn: CNNFacts, count: int = 2) -> Any:
    pixels = np.random.default_rng(1).uniform(0, 255, (count, cnn.input_height, cnn.input_width, 3))
    return preprocess(pixels.astype(np.float32), cnn.preprocessing)


def relative(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest value of the layer."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def stored(layer: str, batch: Any) -> Any:
    """The batch as it comes back from the records of a materialized layer."""
    return stack([(to_record(layer, image),) for image in batch], layer)


def test_roster_facts_are_those_of_the_model(built: Built) -> None:
    """Shapes, parameters, FLOPs, input, scaling; layers are articulation points, low to high; the top gives logits."""
    from vista_nb.executor.cnn.graph import taps

    cnn = built.facts
    found = {tap.name: tap for tap in taps(built.flow)}
    places = list(found)
    assert built.flow.tensors[0].shape == (cnn.input_height, cnn.input_width, 3)
    assert built.model.count_params() == cnn.parameters == PARAMETERS[cnn.name]
    assert cnn.preprocessing in PREPROCESSING
    for layer in cnn.layers:
        tap = found[layer.node]
        assert (tap.shape, tap.flops, tap.is_articulation) == (layer.shape, layer.flops, True)
    assert all(places.index(low.node) < places.index(high.node) for low, high in pairwise(cnn.layers))
    assert all(0 < low.flops <= high.flops for low, high in pairwise(cnn.layers))
    assert all(0 < low.seconds <= high.seconds for low, high in pairwise(cnn.layers))
    top = cnn.layers[-1]
    assert top.is_class
    assert built.flow.outputs == (built.flow.find(top.node).number,)
    head = built.flow.maker[built.flow.outputs[0]].operation
    assert getattr(getattr(head, "activation", None), "__name__", "linear") == "linear"


def test_names_defaults_and_aliases_hang_together(built: Built) -> None:
    """Each name answers to one layer; the defaults are layers, low to high; the paper's names are there."""
    cnn = built.facts
    names = [name for layer in cnn.layers for name in (layer.name, *layer.aliases)]
    assert len(set(names)) == len(names)
    defaults = [cnn.layer(name) for name in cnn.default_layers]
    assert [layer.name for layer in defaults] == list(cnn.default_layers)
    assert [cnn.index(layer) for layer in defaults] == sorted({cnn.index(layer) for layer in defaults})
    assert cnn.name in PAPER or len(defaults) == 5
    assert all(cnn.layer(name) is not None for name in PAPER.get(cnn.name, ()))
    assert tuple(layer.name for layer in defaults) == PAPER.get(cnn.name, cnn.default_layers)


def test_pooled_widths_are_those_of_the_tensors(built: Built) -> None:
    """What planning counts of a layer is what g_l gives of the real tensor, for every pooling."""
    from vista_nb.executor.cnn.pooling import pool_array

    for layer in built.facts.layers:
        for pooling in Pooling:
            vectors = pool_array(built.whole[layer.name], pooling)
            assert vectors.shape == (2, pooled_length(layer.shape, pooling)), (layer.name, pooling)


def test_partial_inference_equals_the_whole_pass_for_every_pair(built: Built) -> None:
    """From each layer's stored bytes to every layer above it: what the pass from the photo gave, <= 1e-4.

    One pass from a start gives all layers above it; the neighbour is cut for alone too.
    """
    from vista_nb.executor.cnn.cut import cut

    cnn = built.facts
    assert all(np.isfinite(value).all() and np.ptp(value) > 0 for value in built.whole.values())
    pairs = set()
    for low in cnn.layers[:-1]:
        above = cnn.layers[cnn.index(low) + 1 :]
        tensor = stored(low.name, built.whole[low.name])
        part = cut(built.flow, low.node, [layer.node for layer in above])
        assert [found.name for found in part.inputs] == [low.node]
        for high, value in zip(above, part([tensor]), strict=True):
            assert relative(value, built.whole[high.name]) <= TOLERANCE, (low.name, high.name)
            pairs.add((low.name, high.name))
        (alone,) = cut(built.flow, low.node, [above[0].node])([tensor])
        assert relative(alone, built.whole[above[0].name]) <= TOLERANCE
    assert pairs == {(low.name, high.name) for low, high in combinations(cnn.layers, 2)}


def test_artifacts_equal_keras(built: Built, tmp_path: Path) -> None:
    """The frozen graph gives Keras' values: the default layers pooled, a raw layer, and going on from that layer."""
    from vista_nb.executor.cnn.artifact import load, save
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.pooling import pool_array

    cnn, flow = built.facts, built.flow
    defaults = [cnn.layer(name) for name in cnn.default_layers]
    low, high = defaults[-2], defaults[-1]
    if cnn.name not in DEAR_ARTIFACTS:
        part = cut(flow, None, [layer.node for layer in defaults])
        pooled = load(save(part, ["image"], cnn.default_layers, Pooling.MAX_2X2, "pooled", tmp_path / "pooled"))
        found = pooled(built.photos)
        assert tuple(found) == cnn.default_layers
        for name, vectors in found.items():
            assert relative(vectors, pool_array(built.whole[name], Pooling.MAX_2X2)) <= TOLERANCE, name
    part = cut(flow, low.node, [high.node])
    onwards = load(save(part, [low.name], [high.name], None, "onwards", tmp_path / "onwards"))
    assert relative(onwards(stored(low.name, built.whole[low.name]))[high.name], built.whole[high.name]) <= TOLERANCE


@pytest.mark.parametrize("name", [n for n in NAMES if load_roster().find(n).builder.startswith("keras.applications.")])
def test_scaling_is_that_of_keras(name: str) -> None:
    """The roster's rule does what the application's own preprocess_input does; photos have the size it is made for."""
    import inspect

    import keras

    from vista_nb.executor.cnn.applications import application

    cnn = load_roster().find(name)
    function = getattr(keras.applications, application(cnn.builder).function)
    module = inspect.getmodule(function)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 6, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        preprocess(pixels, cnn.preprocessing), module.preprocess_input(pixels.copy()), rtol=1e-5, atol=1e-4
    )
    assert (cnn.input_height, cnn.input_width) == (application(cnn.builder).size,) * 2


def test_a_model_is_the_same_whatever_was_built_before() -> None:
    """Keras numbers layers without a name through the life of a process: the roster's names must not shift."""
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.grouped import without_xla

    xception, convnext = load_roster().find("xception"), load_roster().find("convnexttiny")
    for cnn in (xception, convnext, xception):
        model, _ = build(cnn.builder, "random", seed=1)
        flow = dataflow(model)
        assert all(flow.find(layer.node) is not None for layer in cnn.layers)
    before = model_digest(model)
    without_xla(model)
    cut(model, "add_3", ["add_9"])
    assert model_digest(model) == before
    assert model_digest(build(cnn.builder, "random", seed=1)[0]) == before
    assert model_digest(build(cnn.builder, "random", seed=2)[0]) != before


def test_the_roster_is_the_one_that_is_promised() -> None:
    """All CNNs of DESIGN.md section 8, found by their usual names."""
    roster = load_roster()
    assert set(PARAMETERS) == set(roster.names)
    spellings = {
        "AlexNet": "alexnet",
        "ResNet-50": "resnet50",
        "EfficientNetV2-B0": "efficientnetv2b0",
        "efficientnet_b0": "efficientnetb0",
        "ConvNeXt_Tiny": "convnexttiny",
        "convnext": "convnexttiny",
        "DenseNet-121": "densenet121",
        "mobilenet_v2": "mobilenetv2",
    }
    assert {name: roster.find(name).name for name in spellings} == spellings
