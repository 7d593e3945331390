"""A user's own Keras model on real Keras: described, refused with the reason, saved once from a variable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_models import BRANCHED_LAYERS, branched, plain

from vista_nb import session
from vista_nb.catalog.own_cnn import own_cnn
from vista_nb.catalog.roster import load_roster
from vista_nb.demo import generate
from vista_nb.errors import VistaDataError, VistaError, VistaSpecError, VistaUsageError
from vista_nb.executor.cnn import described as described_module
from vista_nb.executor.cnn.describe import describe
from vista_nb.executor.cnn.described import described
from vista_nb.executor.cnn.own_build import build_own, load_own, own_digest
from vista_nb.session.model_variables import KEPT, saved_model
from vista_nb.session.own_models import cnn_called

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


def refused_model(kind: str) -> Any:
    """A model that cannot be a CNN of vista_nb."""
    import keras

    layers = keras.layers
    photo = keras.Input((16, 16, 3))
    conv = layers.Conv2D(2, 3)

    @keras.saving.register_keras_serializable("shop")
    class Twice(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    class Plain(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    class Functional2(keras.Model):
        pass

    def swish2(x: Any) -> Any:
        return x * keras.ops.sigmoid(2 * x)

    def subclassed() -> Any:
        net = Net()
        net(np.zeros((1, 16, 16, 3), np.float32))
        return net

    def of(shape: tuple[int | None, ...], **more: Any) -> Any:
        given = keras.Input(shape)
        return keras.Model(given, layers.Conv2D(2, 3, **more)(given))

    makers = {
        "lambda": lambda: keras.Model(photo, layers.Lambda(lambda x: 2 * x, name="twice")(photo)),
        "registered": lambda: keras.Model(photo, Twice()(photo)),
        "unregistered": lambda: keras.Model(photo, Plain()(photo)),
        "function": lambda: keras.Model(photo, layers.Conv2D(2, 3, activation=swish2)(photo)),
        "subclassed": subclassed,
        "functional subclass": lambda: Functional2(photo, conv(photo)),
        "two inputs": lambda: keras.Model([photo, keras.Input((4,))], conv(photo)),
        "any size": lambda: of((None, None, 3)),
        "four channels": lambda: of((16, 16, 4)),
        "channels first": lambda: of((3, 16, 16), data_format="channels_first"),
        "vector": lambda: keras.Sequential([keras.Input((9,)), layers.Dense(2)]),
        "nothing to tap": lambda: keras.Model(photo, photo),
    }
    return makers[kind]()


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


# ---- the variable


def test_a_model_is_saved_once_per_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again: the same file. Compiled: still the same. One weight changed: another file, with that weight in it."""
    model = branched()
    first = saved_model("net", {"net": model}, tmp_path)
    model.compile("sgd", "mse")
    with monkeypatch.context() as patched:
        patched.setattr(type(model), "save", lambda *a, **k: pytest.fail("saved again"))
        assert saved_model("other", {"other": model}, tmp_path) == first
    kernel = model.get_layer("high").kernel
    kernel.assign(np.asarray(kernel) + np.float32(1e-3))
    second = saved_model("net", {"net": model}, tmp_path)
    assert second != first
    np.testing.assert_array_equal(load_own(second).get_layer("high").kernel, kernel)
    np.testing.assert_array_equal(load_own(first).get_layer("high").kernel, branched().get_layer("high").kernel)


def test_weights_that_change_while_they_are_saved_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training thread goes on: the file would hold neither state."""
    model = plain()
    real = type(model).save

    def save(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        self.weights[0].assign(np.asarray(self.weights[0]) + 1)

    monkeypatch.setattr(type(model), "save", save)
    with pytest.raises(VistaDataError, match=r"VST365.*\$net"):
        saved_model("net", {"net": model}, tmp_path)
    assert not list(tmp_path.rglob("*.keras"))


def test_only_the_last_models_stay(tmp_path: Path) -> None:
    """Fine-tuning makes one per cell: the least recently used go, those of the last hour stay."""
    folder = tmp_path / "own_models"
    folder.mkdir()
    for number in range(KEPT + 4):
        old = folder / f"{number:02d}.keras"
        old.write_bytes(b"")
        os.utime(old, (1000 + number, 1000 + number))
    made = saved_model("net", {"net": plain()}, tmp_path)
    left = sorted(path.name for path in folder.glob("*.keras") if path != made)
    assert left == [f"{number:02d}.keras" for number in range(5, KEPT + 4)]


KERAS_2 = type("Functional", (), {"__module__": "tf_keras.src.engine.functional"})


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        (3, "VST366", "$net is a int, not a Keras model"),
        (lambda x: x, "VST366", "not a Keras model"),
        (KERAS_2(), "VST366", "a model of the old Keras 2"),
        ("subclassed", "VST364", "$net is a Net: a subclassed model"),
        ("functional subclass", "VST364", "keras.Model(net.inputs, net.outputs)"),
        ("unregistered", "VST362", "$net holds the layer 'plain' of class Plain"),
        ("lambda", "VST362", "$net holds a Lambda layer 'twice'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_variable_that_is_no_cnn_is_named(value: Any, code: str, words: str, tmp_path: Path) -> None:
    """Refused before anything is saved."""
    model = refused_model(value) if isinstance(value, str) else value
    with pytest.raises(VistaDataError) as caught:
        saved_model("net", {"net": model}, tmp_path)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert not list(tmp_path.rglob("*.keras"))


def test_a_sequential_must_be_built(tmp_path: Path) -> None:
    """Calling it on a batch builds it; a near name is offered for a variable that is not there."""
    import keras

    model = keras.Sequential([keras.layers.Conv2D(2, 3)])
    with pytest.raises(VistaDataError, match=r"VST367: \$net has not been built"):
        saved_model("net", {"net": model}, tmp_path)
    model(np.zeros((2, 8, 8, 3), np.float32))
    found = describe(saved_model("net", {"net": model}, tmp_path))
    assert (found["height"], found["channels"]) == (8, 3)
    with pytest.raises(VistaDataError, match=r"VST366: there is no variable nett(.|\n)*did you mean `cnn: \$net`"):
        saved_model("nett", {"net": model}, tmp_path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_model_of_another_keras_backend_is_the_same_model(backend: str, file: Path, tmp_path: Path) -> None:
    """A kernel whose Keras runs on another backend saves what TensorFlow's workers load: the same digest."""
    pytest.importorskip(backend)
    code = (
        "import sys, keras, pathlib; from vista_nb.session.model_variables import saved_model\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(keras.backend.backend(), saved_model('net', {'net': model}, pathlib.Path(sys.argv[2])))"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code, str(file), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    used, made = done.stdout.split()
    assert used == backend
    assert describe(Path(made))["digest"] == describe(file)["digest"]


# ---- remembered, and through the session


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = generate(tmp_path_factory.mktemp("shop"), rows=30, seed=3)
    return {"structured": str(made.table), "images": f"{made.images}/{{id}}.jpg", "label": "bestseller"}


def no_process(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a process was started")


def test_a_model_is_described_by_one_process_ever(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again, touched, or copied: remembered by content. Other content: described anew. A refusal is remembered too."""
    first = described(file, tmp_path / "cache")
    lonely = saved(refused_model("any size"), tmp_path)
    with pytest.raises(VistaDataError, match="VST345"):
        described(lonely, tmp_path / "cache")
    monkeypatch.setattr(described_module, "ask", no_process)
    copy = tmp_path / "copy.keras"
    shutil.copy(file, copy)
    assert described(file, tmp_path / "cache") == described(copy, tmp_path / "cache") == first
    with pytest.raises(VistaDataError, match="VST345"):
        described(lonely, tmp_path / "cache")
    branched(seed=1).save(copy)
    with pytest.raises(AssertionError, match="a process was started"):
        described(copy, tmp_path / "cache")


def test_explain_says_what_goes_into_the_cnn(file: Path, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """File and variable: the plan bears the stem or the variable's name; the second explain starts no process."""
    plan = session.explain({**shop, "cnn": str(file)})
    assert plan.cnn == "shoes"
    assert plan.layers[-1] == "fc"
    assert any("`preprocessing: none`" in note and "Rescaling scaled" in note for note in plan.notes)
    model = branched()
    assert session.explain({**shop, "cnn": "$net"}, namespace={"net": model}).cnn == "net"
    monkeypatch.setattr(described_module, "ask", no_process)
    again = session.explain({**shop, "cnn": "$net", "layers": ["stem", "block/conv"]}, namespace={"net": model})
    assert again.layers == ("stem", "block/conv")
    assert session.explain({**shop, "cnn": str(file)}).layers == plan.layers


def test_all_problems_of_a_cell_at_once(shop: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing model file stands beside a wrong column; a spec that is wrong anyway costs no process."""
    monkeypatch.setattr(described_module, "ask", no_process)
    with pytest.raises(VistaSpecError) as caught:
        session.explain({**shop, "label": "bestsellr", "cnn": str(tmp_path / "gone.keras")})
    assert {problem.code for problem in caught.value.problems} == {"VST122", "VST360"}
    good = saved(plain(seed=77), tmp_path)
    with pytest.raises(VistaSpecError, match="VST105"):
        session.explain({**shop, "test": "5", "cnn": str(good)})
    with pytest.raises(VistaDataError, match=r"VST366: \$net is a int"):
        session.explain({**shop, "cnn": "$net"}, namespace={"net": 3})
    with pytest.raises(VistaDataError, match="VST366: there is no variable net"):
        session.explain({**shop, "cnn": "$net"})


def test_a_model_without_its_dollar_sign_is_told_so(shop: dict[str, str]) -> None:
    """The variable's bare name, and the object itself in a mapping."""
    net = plain()
    with pytest.raises(VistaSpecError, match=r"write `cnn: \$net`"):
        session.explain({**shop, "cnn": "net"}, namespace={"net": net})
    with pytest.raises(VistaSpecError, match=r"not a Sequential(.|\n)*variable's name: `\$name`"):
        session.explain({**shop, "cnn": net})


def test_a_refusal_names_the_variable_or_the_file(shop: dict[str, str], tmp_path: Path) -> None:
    """What the describing process found out, in the user's words."""
    wrong = refused_model("two inputs")
    with pytest.raises(VistaError, match=r"VST345: \$net: "):
        session.explain({**shop, "cnn": "$net"}, namespace={"net": wrong})
    wrong.save(tmp_path / "two.keras")
    with pytest.raises(VistaError, match=r"VST345: .*two\.keras: "):
        session.explain({**shop, "cnn": str(tmp_path / "two.keras")})


def test_layers_are_listed_and_hostile_names_escaped(file: Path, shop: dict[str, str], tmp_path: Path) -> None:
    """`%vista layers` of a file, a variable, a roster CNN, or nothing known."""
    from vista_nb.listings import layers_table
    from vista_nb.views.plan_view import Explanation

    text = str(layers_table(cnn_called(str(file))))
    assert "block/conv" in text
    assert cnn_called("$net", {"net": branched()}).name == "net"
    assert cnn_called("vgg16").name == "vgg16"
    with pytest.raises(VistaUsageError, match="VST007"):
        cnn_called("nonet")
    hostile = tmp_path / "<b>x&y.keras"
    shutil.copy(file, hostile)
    shown = Explanation(session.explain({**shop, "cnn": str(hostile)}))._repr_mimebundle_()["text/html"]
    assert "<b>x" not in shown
    assert "&lt;b&gt;x&amp;y" in shown


def test_the_kernel_imports_no_keras_for_a_file(file: Path, shop: dict[str, str]) -> None:
    """`--explain` of an own CNN: neither TensorFlow nor Keras in the kernel."""
    code = (
        "import sys, json, vista_nb; vista_nb.explain(json.loads(sys.argv[1]))\n"
        "print([m for m in ('tensorflow', 'keras', 'pyspark') if m in sys.modules])"
    )
    import json

    command = [sys.executable, "-c", code, json.dumps({**shop, "cnn": str(file)})]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
