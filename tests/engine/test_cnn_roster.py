"""Every runnable CNN of the roster: facts, artifact and cuts agree with Keras' own model."""

from __future__ import annotations

import numpy as np
import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

RUNNABLE = [cnn.name for cnn in load_roster().cnns if not cnn.plan_only]
BIG = ("vgg16",)  # 138 million parameters: one artifact of its top layers


def built(name):
    """The model with random (or the bundled) weights."""
    from vista_nb.executor.cnn.build import build

    cnn = load_roster().find(name)
    weights = "bundled" if cnn.builder == "bundled" else "random"
    return cnn, build(cnn.builder, weights, seed=3)[0]


@pytest.fixture(scope="module", params=RUNNABLE)
def runnable(request):
    """(roster entry, Keras model): tests run CNN by CNN, so that one model is alive at a time."""
    return built(request.param)


@pytest.fixture(scope="module")
def residual():
    """A Keras model with residual blocks."""
    return built("mobilenetv2")[1]


def images(cnn, count=2):
    from vista_nb.executor.cnn.preprocess import preprocess

    pixels = np.random.default_rng(1).uniform(0, 255, (count, cnn.input_height, cnn.input_width, 3))
    return preprocess(pixels.astype(np.float32), cnn.preprocessing)


def relative(found, expected):
    """The largest difference, relative to the largest value of the layer."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12)


def test_roster_facts_are_those_of_the_model(runnable):
    """Shapes, parameters, FLOPs, the input; every layer is an articulation point, low to high; class gives logits."""
    from vista_nb.executor.cnn.graph import articulation_points, prefix_flops

    cnn, model = runnable
    points = articulation_points(model)
    assert tuple(model.input.shape[1:]) == (cnn.input_height, cnn.input_width, 3)
    assert model.count_params() == cnn.parameters
    assert [points.index(layer.node) for layer in cnn.layers] == sorted(
        points.index(layer.node) for layer in cnn.layers
    )
    for layer in cnn.layers:
        assert tuple(model.get_layer(layer.node).output.shape[1:]) == layer.shape
        assert prefix_flops(model, layer.node) == layer.flops
    assert cnn.layers[-1].is_class
    head = model.get_layer(cnn.layers[-1].node)
    assert getattr(getattr(head, "activation", None), "__name__", "linear") == "linear"


def test_artifact_equals_keras_and_partial_equals_whole(runnable, tmp_path):
    """The frozen graph gives Keras' outputs (<= 1e-4), pooled and raw; going on from a stored cut gives them too."""
    from vista_nb.executor.cnn.artifact import load, save
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.pooling import pool_array

    cnn, model = runnable
    batch = images(cnn)
    layers = cnn.layers[-3:] if cnn.name in BIG else cnn.layers
    names, nodes = [layer.name for layer in layers], [layer.node for layer in layers]
    expected = dict(zip(names, map(np.asarray, cut(model, None, nodes)(batch)), strict=True))

    raw = load(save(cut(model, None, nodes), names, None, "raw", tmp_path / "raw"))(batch)
    assert max(relative(raw[layer], expected[layer]) for layer in names) <= 1e-4
    assert list(raw) == names
    if cnn.name in BIG:
        return
    pooled = load(save(cut(model, None, nodes), names, Pooling.MAX_2X2, "pooled", tmp_path / "pooled"))(batch)
    for layer in names:
        assert relative(pooled[layer], pool_array(expected[layer], Pooling.MAX_2X2)) <= 1e-4
    for low, high in sampled_pairs(cnn):
        part = cut(model, low.node, [high.node])
        found = load(save(part, [high.name], None, "part", tmp_path / f"{low.name}-{high.name}"))(expected[low.name])
        assert relative(found[high.name], expected[high.name]) <= 1e-4


def test_every_cut_goes_on_to_the_top(runnable):
    """From each roster layer the Keras sub-model reaches the top layer's whole-pass values."""
    from vista_nb.executor.cnn.cut import cut

    cnn, model = runnable
    nodes = [layer.node for layer in cnn.layers]
    *lower, top = [np.asarray(value) for value in cut(model, None, nodes)(images(cnn, 1))]
    for node, value in zip(nodes, lower, strict=False):
        assert relative(cut(model, node, [nodes[-1]])(value), top) <= 1e-4


def sampled_pairs(cnn):
    """The first to the middle, the middle to the top, and the last two."""
    layers = cnn.layers
    middle = layers[len(layers) // 2]
    return [(layers[0], middle), (middle, layers[-1]), (layers[-2], layers[-1])]


def test_what_cannot_be_cut_is_refused(residual):
    """Inside a residual block two tensors are alive: the error names the layer and cuts that work."""
    from vista_nb.errors import VistaEnvironmentError
    from vista_nb.executor.cnn.cut import cut

    model = residual
    with pytest.raises(VistaEnvironmentError, match=r"VST443.*block_2_expand'"):
        cut(model, None, ["block_2_expand"])
    with pytest.raises(VistaEnvironmentError, match=r"VST443.*above"):
        cut(model, "out_relu", ["block_2_add"])


def test_cutting_leaves_the_model_as_it_was(residual):
    """Parts share layers with the whole; its cuts, FLOPs and digest stay the same, and a part can be cut again."""
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.graph import articulation_points, prefix_flops

    model = residual

    def facts():
        return articulation_points(model), prefix_flops(model, "out_relu"), model_digest(model)

    before = facts()
    part = cut(model, "block_2_add", ["out_relu"])
    again = cut(part, "block_12_add", ["out_relu"])
    assert facts() == before
    assert (
        articulation_points(again) == before[0][before[0].index("block_12_add") + 1 : before[0].index("out_relu") + 1]
    )


def test_a_layer_called_twice_is_no_cut():
    """It has two outputs, so its name does not say which."""
    import keras

    from vista_nb.executor.cnn.graph import articulation_points

    image = keras.Input((8, 8, 3))
    twice = keras.layers.Conv2D(3, 1, name="twice")
    model = keras.Model(image, keras.layers.ReLU(name="top")(twice(twice(image))))
    assert articulation_points(model) == ("top",)
