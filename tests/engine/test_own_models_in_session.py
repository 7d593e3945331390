"""A user's own Keras model in a session: saved and described once, explained, listed, refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_models import branched, plain, refused_model

from vista_nb import session
from vista_nb.demo import generate
from vista_nb.errors import VistaDataError, VistaError, VistaSpecError, VistaUsageError
from vista_nb.executor.cnn import described as described_module
from vista_nb.executor.cnn.describe import describe
from vista_nb.executor.cnn.described import described
from vista_nb.executor.cnn.own_build import load_own
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
