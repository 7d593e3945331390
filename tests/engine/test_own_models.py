"""A user's own Keras model on real Keras: described, refused with the reason, given weights."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from own_models import BRANCHED_LAYERS, branched, plain, refused_model

from vista_nb.catalog.own_cnn import own_cnn
from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.describe import describe
from vista_nb.executor.cnn.own_build import build_own, load_own, own_digest

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "shoes.keras"
    branched().save(made)
    return made


def saved(model: Any, tmp_path: Path) -> Path:
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


# ---- described


def test_a_branched_model_with_nested_names_is_described(file: Path) -> None:
    """Input size, every layer by its path, cuts of several tensors, two outputs; `conv` twice is told apart."""
    found = describe(file)
    facts = own_cnn("shoes", str(file), found, load_roster()).facts
    assert (facts.input_height, facts.input_width, facts.channels) == (32, 48, 3)
    assert facts.parameters == branched().count_params()
    names = [layer.name for layer in facts.layers]
    assert {"conv", "block/conv", *BRANCHED_LAYERS} <= set(names)
    assert facts.layer("conv").shape == (16, 24, 6)  # type: ignore[union-attr]
    assert [name for name, _ in facts.layer("left").cut] == ["left", "stem"]  # type: ignore[union-attr]
    assert (found["preprocessing"], found["digest"]) == ("none", own_digest(branched()))
    assert "Rescaling scaled" in found["scaling"]
    assert facts.default_layers[-2:] == ("high", "fc")


def test_gray_input_is_one_channel(tmp_path: Path) -> None:
    """A CNN for gray photos; nothing says how they were scaled."""
    found = describe(saved(plain(size=(20, 24, 1)), tmp_path))
    assert (found["height"], found["width"], found["channels"], found["preprocessing"]) == (20, 24, 1, "none")


def test_the_offered_layers_of_mobilenetv2_are_those_chosen_by_hand(tmp_path: Path) -> None:
    """The rule finds what the roster's authors chose, and the preprocessing by the model's name."""
    import keras

    model = keras.applications.MobileNetV2(weights=None, input_shape=(224, 224, 3))
    found = describe(saved(model, tmp_path))
    roster = load_roster()
    own, known = own_cnn("m", "/m", found, roster).facts, roster.find("mobilenetv2")
    assert known is not None
    assert own.default_layers == known.default_layers
    assert {layer.node for layer in known.layers} - set(own.offered) == set()
    assert [own.layer(x.node).flops for x in known.layers] == [x.flops for x in known.layers]  # type: ignore[union-attr]
    assert (found["preprocessing"], "mobilenetv2_1.00_224" in found["scaling"]) == ("tf", True)


def scaled_by(kind: str) -> Any:
    """A model that reads the photo in one of several ways."""
    import keras

    layers = keras.layers
    photo = keras.Input((32, 32, 3))
    body = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(2, 3)], name="resnet50")
    x = {
        "normalised": lambda: layers.Conv2D(2, 3)(layers.Normalization(mean=0.0, variance=1.0)(photo)),
        "arithmetic": lambda: layers.Conv2D(2, 3)(photo / 127.5 - 1.0),
        "nested": lambda: body(layers.RandomFlip()(photo)),
        "nested and scaled": lambda: body(layers.Rescaling(1 / 255)(photo)),
        "unknown": lambda: layers.Conv2D(2, 3)(photo),
        "scaled later": lambda: layers.Conv2D(2, 3)(layers.Rescaling(0.5)(layers.Conv2D(3, 3)(photo))),
    }[kind]()
    return keras.Model(photo, x)


@pytest.mark.parametrize(
    ("kind", "rule", "reason"),
    [
        ("normalised", "none", "Normalization"),
        ("arithmetic", "none", "Divide"),
        ("nested", "caffe", "resnet50"),
        ("nested and scaled", "none", "Rescaling"),
        ("unknown", "none", "nothing in the model says"),
        ("scaled later", "none", "nothing in the model says"),
    ],
)
def test_how_a_model_wants_its_photos(kind: str, rule: str, reason: str, tmp_path: Path) -> None:
    """What scales before the first kernel, else the name of the model that reads the photo."""
    found = describe(saved(scaled_by(kind), tmp_path))
    assert found["preprocessing"] == rule
    assert reason in found["scaling"]


# ---- refused


REFUSED = [
    ("lambda", "VST362", "a Lambda layer 'twice'"),
    ("registered", "VST362", "class Twice"),
    ("unregistered", "VST362", "class Plain"),
    ("function", "VST362", "swish2"),
    ("subclassed", "VST364", "a Net: a subclassed model"),
    ("functional subclass", "VST364", "a Functional2: a subclassed model"),
    ("two inputs", "VST345", "2 inputs"),
    ("any size", "VST345", "any size"),
    ("four channels", "VST345", "not photos"),
    ("channels first", "VST345", "channels come last"),
    ("vector", "VST345", "not photos"),
    ("nothing to tap", "VST363", "no layer"),
]


@pytest.mark.parametrize(("kind", "code", "words"), REFUSED, ids=[kind for kind, _, _ in REFUSED])
def test_what_cannot_be_a_cnn_is_refused_with_the_reason(kind: str, code: str, words: str, tmp_path: Path) -> None:
    """From a file: coded, with the reason and what to do."""
    with pytest.raises(VistaDataError) as caught:
        describe(saved(refused_model(kind), tmp_path))
    assert caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.hint


def test_damaged_weights_inside_a_good_archive(file: Path, tmp_path: Path) -> None:
    """Config and list of members are whole, the arrays are not."""
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(bad, "w") as made:
        for name in good.namelist():
            content = good.read(name)
            made.writestr(name, content[: len(content) // 3] if name.endswith(".h5") else content)
    with pytest.raises(VistaDataError, match=r"VST361.*bad\.keras"):
        describe(bad)


def test_an_h5_model_is_refused_with_the_line_that_converts_it(tmp_path: Path) -> None:
    """Older Keras' format."""
    plain().save(tmp_path / "old.h5")
    with pytest.raises(VistaDataError, match=r"VST361.*HDF5(.|\n)*\.save\('mine\.keras'\)"):
        describe(tmp_path / "old.h5")


# ---- weights and digest


def test_random_weights_are_seeded_and_another_models_weights_refused(file: Path, tmp_path: Path) -> None:
    """`weights: random`, a weights file that fits, one that does not, one that is none."""
    own, first, again, other = (
        own_digest(build_own(file, weights, None, seed))
        for weights, seed in (("own", 0), ("random", 1), ("random", 1), ("random", 2))
    )
    assert first == again
    assert len({own, first, other}) == 3
    branched(seed=9).save_weights(tmp_path / "nine.weights.h5")
    filled = build_own(file, "nine", tmp_path / "nine.weights.h5", 0)
    assert own_digest(filled) == own_digest(branched(seed=9))
    plain().save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(VistaDataError, match=r"VST341.*other\.weights\.h5 does not fit shoes\.keras"):
        build_own(file, "other", tmp_path / "other.weights.h5", 0)
    (tmp_path / "none.weights.h5").write_text("nothing")
    with pytest.raises(VistaDataError, match=r"VST340.*none\.weights\.h5"):
        build_own(file, "none", tmp_path / "none.weights.h5", 0)


def test_the_digest_survives_saving_and_sees_weights_and_numbering(tmp_path: Path) -> None:
    """The store's keys hold layer names: two models numbered otherwise must not share one."""
    import keras

    keras.utils.clear_session()
    first, later = chain(), chain()
    assert [x.name for x in first.layers] != [x.name for x in later.layers]
    assert own_digest(load_own(saved(first, tmp_path))) == own_digest(first)
    assert own_digest(first) != own_digest(later)
    keras.utils.clear_session()
    assert own_digest(chain()) == own_digest(first)
    assert own_digest(chain(seed=1)) != own_digest(first)


def chain(seed: int = 0) -> Any:
    """Two convolutions, numbered by Keras."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([keras.Input((9, 9, 3)), layers.Conv2D(2, 3), layers.Conv2D(2, 3)])


def test_a_number_that_tells_nothing_apart_does_not_matter() -> None:
    """One layer of its kind, numbered on when a cell is run again: the same layers in the store."""
    first, later = plain(), plain()
    assert [x.name for x in first.layers] != [x.name for x in later.layers]
    assert own_digest(first) == own_digest(later)
