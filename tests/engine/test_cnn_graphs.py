"""Any functional graph: what can be tapped, what a cut stores, and partial inference over every pair of layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dag_models import DAGS, SIDE, dag

from vista_nb.errors import VistaDataError, VistaEnvironmentError
from vista_nb.executor.cnn.tensors import to_array, to_record

pytestmark = pytest.mark.tf
TOLERANCE = 1e-4


def photos(count: int = 3) -> Any:
    return np.random.default_rng(0).normal(size=(count, SIDE, SIDE, 3)).astype(np.float32)


def through_storage(name: str, batch: Any) -> Any:
    """As a row of a materialized table holds it: bytes and back."""
    return np.stack([to_array(to_record(name, one)) for one in np.asarray(batch)])


def relative(got: Any, want: Any) -> float:
    return float(np.abs(np.asarray(got) - np.asarray(want)).max() / (np.abs(np.asarray(want)).max() + 1e-12))


def values_of(model: Any, names: Sequence[str], x: Any) -> dict[str, Any]:
    """Keras' own multi-output pass where the layer is on the top level and called once."""
    import keras

    once = [name for name in names if _on_top(model, name)]
    tensors = [model.get_layer(name).output for name in once]
    whole = keras.Model(model.inputs, tensors)([x], training=False)
    return dict(zip(once, map(np.asarray, whole), strict=True))


def _on_top(model: Any, name: str) -> bool:
    import keras

    layer = next((layer for layer in model.layers if layer.name == name), None)
    return layer is not None and not isinstance(layer, keras.Model) and len(layer._inbound_nodes) == 1


@pytest.mark.parametrize("name", sorted(DAGS))
def test_partial_inference_equals_the_whole_pass_for_every_pair(name: str) -> None:
    """From every tap's stored cut to every later tap: as computed from the photo, which is as Keras computes it."""
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    model, x = dag(name), photos()
    flow = dataflow(model)
    found = taps(flow)
    names = [tap.name for tap in found]
    whole = dict(zip(names, map(np.asarray, cut(flow, None, names)([x])), strict=True))
    own = values_of(model, names, x)
    assert len(own) >= 3
    for layer, value in own.items():
        np.testing.assert_array_equal(whole[layer], value)
    results = model([x], training=False)
    for number, value in zip(flow.outputs, results if isinstance(results, list) else [results], strict=True):
        np.testing.assert_array_equal(whole[flow.tensors[number].name], np.asarray(value))
    pairs = 0
    for i, low in enumerate(found):
        stored = {n: through_storage(n, whole.get(n, x)) for n, _ in low.cut}
        for high in found[i + 1 :]:
            part = cut(flow, low.name, [high.name])
            assert {tensor.name for tensor in part.inputs} <= stored.keys()
            got = part([stored[tensor.name] for tensor in part.inputs])[0]
            assert relative(got, whole[high.name]) <= TOLERANCE, (low.name, high.name)
            pairs += 1
    assert pairs == len(found) * (len(found) - 1) // 2


EXPECTED_CUTS = {
    ("two_branches", "stem"): {"stem"},
    ("two_branches", "left1"): {"left1", "stem"},
    ("two_branches", "right1"): {"right1", "stem"},
    ("two_branches", "sum"): {"sum"},
    ("dense_links", "c2"): {"c0", "c1", "c2"},
    ("dense_links", "join4"): {"join4"},
    ("skip_from_input", "b"): {"b", "image"},
    ("skip_from_input", "d"): {"d"},
    ("shared_layer", "shared"): {"shared"},
    ("shared_layer", "shared@2"): {"shared", "shared@2"},
    ("several_outputs", "both"): {"both", "fork/up", "stem"},
    ("nested_models", "block/inner/conv"): {"block/inner/conv", "block/conv"},
    ("nested_models", "block@2/deep"): {"block@2/deep"},
    ("sequential", "two"): {"two"},
}


@pytest.mark.parametrize(("name", "layer"), sorted(EXPECTED_CUTS))
def test_a_cut_stores_what_is_read_above_it_and_nothing_else(name: str, layer: str) -> None:
    """One tensor at an articulation point; in a branch the others that later layers still read."""
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    tap = next(tap for tap in taps(dataflow(dag(name))) if tap.name == layer)
    assert {n for n, _ in tap.cut} == EXPECTED_CUTS[name, layer]
    assert tap.cut[0] == (layer, tap.shape)
    assert tap.is_articulation is (len(EXPECTED_CUTS[name, layer]) == 1)


def test_layers_of_nested_models_have_paths_and_bare_names_where_only_one_layer_bears_them() -> None:
    """`conv` occurs on every level: the top one keeps it; `last` is one layer only."""
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    flow = dataflow(dag("nested_models"))
    names = [tap.name for tap in taps(flow)]
    assert len(names) == len(set(names))
    assert {"conv", "block/conv", "block/inner/conv", "block@2/conv", "tail/conv", "tail/last"} <= set(names)
    found = [flow.find(name) for name in ("last", "conv", "block")]
    assert [tensor.name for tensor in found if tensor] == ["tail/last", "conv", "block/deep"]


def test_flops_grow_and_count_a_shared_layer_as_often_as_it_runs() -> None:
    """Three calls of one kernel on a 16 x 16 map cost three times one."""
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    found = {tap.name: tap for tap in taps(dataflow(dag("shared_layer")))}
    once = 2 * 3 * 3 * 3 * 3 * SIDE * SIDE
    assert [found[n].flops for n in ("shared", "shared@2", "shared@3")] == [once, 2 * once, 3 * once]
    branches = {tap.name: tap.flops for tap in taps(dataflow(dag("two_branches")))}
    assert branches["sum"] == branches["left2"] + branches["right1"] - branches["stem"]


@pytest.mark.parametrize("name", ["two_branches", "skip_from_input", "nested_models", "several_outputs"])
def test_artifacts_go_on_from_cuts_of_several_tensors(name: str, tmp_path: Path) -> None:
    """Photo -> stored cut of a middle tap -> every later tap, through two files as workers load them."""
    from vista_nb.executor.cnn.artifact import load, save, usable_meta
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    flow, x = dataflow(dag(name)), photos()
    found = taps(flow)
    middle = max(found[:-1], key=lambda tap: (len(tap.cut), tap.flops))
    names = [n for n, _ in middle.cut]
    later = [tap.name for tap in found[found.index(middle) + 1 :]]
    want = dict(zip(later, map(np.asarray, cut(flow, None, later)([x])), strict=True))
    save(cut(flow, None, names), ["image"], names, None, "low", tmp_path / "low")
    part = cut(flow, middle.name, later)
    save(part, [tensor.name for tensor in part.inputs], later, None, "high", tmp_path / "high")
    stored = load(tmp_path / "low")(x)
    taken = [name for name, _, _ in usable_meta(tmp_path / "high").inputs]
    got = load(tmp_path / "high")(*(through_storage(n, stored[n]) for n in taken))
    assert len(names) > 1
    for layer in later:
        assert relative(got[layer], want[layer]) <= TOLERANCE, layer


def _subclassed() -> Any:
    import keras

    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    return Own()


def _two_inputs() -> Any:
    import keras

    a, b = keras.Input((8, 8, 3), name="front"), keras.Input((8, 8, 3), name="back")
    return keras.Model([a, b], a + b)


def _any_size() -> Any:
    import keras

    x = keras.Input((None, None, 3))
    return keras.Model(x, keras.layers.Conv2D(2, 3)(x))


def _of_shape(*shape: int) -> Any:
    import keras

    x = keras.Input(shape)
    return keras.Model(x, keras.layers.Dense(2)(x))


def _unbuilt() -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(2)])


def _overridden() -> Any:
    """A functional model whose call was overridden: its graph is not what it computes."""
    import keras

    class Doubled(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return 2 * super().call(inputs, training=training, mask=mask)

    x = keras.Input((8, 8, 3))
    return Doubled(x, keras.layers.Conv2D(2, 3)(x))


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (_subclassed, "VST344", "subclassed"),
        (_overridden, "VST344", "subclassed"),
        (_unbuilt, "VST344", "not been built"),
        (lambda: 3, "VST344", "no Keras model"),
        (_two_inputs, "VST345", "front, back"),
        (_any_size, "VST345", "any size"),
        (lambda: _of_shape(10), "VST345", "not photos"),
        (lambda: _of_shape(8, 8, 4), "VST345", "not photos"),
    ],
    ids=["subclassed", "overridden", "unbuilt", "no model", "two inputs", "any size", "a vector", "four channels"],
)
def test_what_cannot_be_cut_is_refused_with_the_reason(make: Any, code: str, says: str) -> None:
    """And with what to do."""
    from vista_nb.executor.cnn.dataflow import dataflow

    with pytest.raises(VistaDataError) as caught:
        dataflow(make())
    assert caught.value.code == code
    assert says in caught.value.message
    assert caught.value.hint


def test_a_layer_below_the_cut_or_unknown_is_refused() -> None:
    """Named, with names that come near."""
    from vista_nb.executor.cnn.cut import cut

    model = dag("two_branches")
    with pytest.raises(VistaEnvironmentError, match="does not lie above"):
        cut(model, "sum", ["left1"])
    with pytest.raises(VistaEnvironmentError, match="no layer 'lefft1'") as caught:
        cut(model, None, ["lefft1"])
    assert "left1" in (caught.value.hint or "")


def test_a_block_that_cannot_be_seen_into_is_one_step() -> None:
    """A subclassed block inside a functional model is a layer like any other: tapped whole, cut around."""
    import keras

    from vista_nb.executor.cnn.cut import cut
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    class Block(keras.Layer):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            super().__init__(name=name)
            self.inside = keras.layers.Conv2D(4, 3, padding="same")

        def call(self, x: Any) -> Any:
            return self.inside(x) * 2

    photo = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(photo, keras.layers.Dense(2, name="top")(Block("block")(photo)))
    found = {tap.name: tap for tap in taps(dataflow(model))}
    assert found["block"].flops == 2 * 3 * 3 * 3 * 4 * SIDE * SIDE
    x = photos()
    below = np.asarray(cut(model, None, ["block"])([x])[0])
    assert relative(cut(model, "block", ["top"])([below])[0], model(x)) <= TOLERANCE
