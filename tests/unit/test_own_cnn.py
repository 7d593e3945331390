"""A user's own CNN without Keras: which layers are offered, its facts, how a spec binds to it, files that are none."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from small_roster import COLUMNS, ROSTER

from vista_nb.catalog.bind import Bound, bind
from vista_nb.catalog.own_cnn import names_own_cnn, own_cnn
from vista_nb.catalog.own_layers import OwnLayer, default_layers, offered_layers
from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.keras_file import check_config, check_file
from vista_nb.plan.fingerprint import preprocessing_key
from vista_nb.spec import parse

GB = 10**9


def layer(name: str, kind: str, run: int, shape: Sequence[int] = (8, 8, 4), flops: int = 0, **more: Any) -> OwnLayer:
    """A layer at an articulation point; flops: 1000 per run."""
    size = tuple(shape)
    fields = {"cut": ((name, size),), **more}
    return OwnLayer(name, kind, size, flops or 1000 * run, run, **fields)


CHAIN = (
    layer("scaled", "Rescaling", 0, (32, 32, 3)),
    layer("c1", "Conv2D", 1, (32, 32, 4)),
    layer("n1", "BatchNormalization", 1, (32, 32, 4)),
    layer("a1", "ReLU", 1, (32, 32, 4)),
    layer("p1", "MaxPooling2D", 1, (16, 16, 4)),
    layer("c2", "Conv2D", 5, (16, 16, 4)),
    layer("c3", "Conv2D", 6, (16, 16, 4)),
    layer("j3", "Add", 7, (16, 16, 4)),
    layer("c4", "Conv2D", 8, (8, 8, 4)),
    layer("c5", "Conv2D", 9, (4, 4, 4)),
    layer("c6", "Conv2D", 10, (4, 4, 4)),
    layer("gap", "GlobalAveragePooling2D", 10, (4,)),
    layer("drop", "Dropout", 10, (4,)),
    layer("scores", "Dense", 13, (3,), head=True),
)


# ---- which layers


def test_one_layer_per_step_is_offered() -> None:
    """After normalisation and activation, before pooling; never the scaled photo, pooling or dropout."""
    assert [x.name for x in offered_layers(CHAIN)] == ["a1", "c2", "c3", "j3", "c4", "c5", "c6", "scores"]


def test_branches_are_offered_only_where_little_else_is() -> None:
    """Five articulation points are enough; with fewer, layers in branches count too."""
    branch = layer("left", "Conv2D", 20, cut=(("left", (8, 8, 4)), ("right", (8, 8, 4))))
    assert "left" not in {x.name for x in offered_layers((*CHAIN, branch))}
    assert [x.name for x in offered_layers((*CHAIN[:4], branch))] == ["a1", "left"]


def test_the_default_takes_the_top_two_and_each_stage_below() -> None:
    """Below the class scores: the last two of 4x4, the last of 8x8, 16x16, 32x32."""
    assert default_layers(offered_layers(CHAIN)) == ("a1", "j3", "c4", "c5", "c6")


def test_the_default_of_a_cnn_of_one_stage_is_spread_evenly() -> None:
    """Ten layers of one size: the last two, and three between."""
    chain = [layer(f"c{i}", "Conv2D", i) for i in range(1, 11)]
    assert default_layers(chain) == ("c2", "c5", "c7", "c9", "c10")


def test_many_stages_keep_the_highest_five() -> None:
    """Halving eight times."""
    chain = [layer(f"c{i}", "Conv2D", i, (2 ** (9 - i), 2 ** (9 - i), 4)) for i in range(1, 9)]
    assert default_layers(chain) == ("c4", "c5", "c6", "c7", "c8")


def test_a_model_of_class_scores_alone_offers_them() -> None:
    """One dense layer on the photo: nothing else to compare."""
    only = (layer("flat", "Flatten", 0, (192,)), layer("scores", "Dense", 2, (3,), head=True))
    assert default_layers(offered_layers(only)) == ("scores",)


# ---- facts


def described(layers: Sequence[OwnLayer] = CHAIN, **more: Any) -> dict[str, Any]:
    """What `describe` answers."""
    found = [
        {"name": x.name, "aliases": list(x.aliases), "kind": x.kind, "shape": list(x.shape), "flops": x.flops,
         "run": x.run, "head": x.head, "cut": [[name, list(shape)] for name, shape in x.cut]}
        for x in layers
    ]  # fmt: skip
    fields = {"name": "functional_7", "height": 32, "width": 48, "channels": 3, "parameters": 1000, "widest": 6000}
    return {**fields, "preprocessing": "none", "scaling": "it scales its input itself", "layers": found, **more}


def test_facts_hold_every_layer_and_estimate_the_sizes() -> None:
    """Every tappable layer can be named; sizes come from parameters and the widest tensor, seconds from FLOPs."""
    facts = own_cnn("mine", "/m/mine.keras", described(), load_roster()).facts
    assert (facts.name, facts.builder, facts.default_weights) == ("mine", "file:/m/mine.keras", "own")
    assert (facts.input_height, facts.input_width, facts.channels) == (32, 48, 3)
    assert [x.name for x in facts.layers] == [x.name for x in CHAIN]
    assert [x.name for x in facts.counted] == list(facts.offered)
    assert 0 < facts.layers[1].seconds < facts.layers[-1].seconds
    assert 700_000_000 < facts.resident < GB


def test_a_cut_of_several_tensors_is_kept_one_tensor_is_none() -> None:
    """As in the roster: an articulation point has no cut."""
    cut = (("left", (8, 8, 4)), ("right", (2, 2, 2)))
    facts = own_cnn("m", "/m.keras", described((*CHAIN, layer("left", "Conv2D", 20, cut=cut))), load_roster()).facts
    assert facts.layer("c1").cut == ()  # type: ignore[union-attr]
    assert facts.layer("left").stored_length == 8 * 8 * 4 + 8  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "mobilenet", "mobilenet_025", "mobilenetv2", "vistanet"])
def test_estimates_are_near_what_was_measured(name: str) -> None:
    """Memory within a factor of two, seldom below; seconds of the top layer the roster's own."""
    roster = load_roster()
    known = roster.find(name)
    assert known is not None
    layers = [layer(x.name, "Conv2D", i + 1, x.shape, x.flops) for i, x in enumerate(known.layers)]
    widest = max(x.length for x in known.layers)
    found = own_cnn("m", "/m", described(layers, parameters=known.parameters, widest=widest), roster).facts
    assert 0.8 * known.resident < found.resident < 2 * known.resident
    assert found.layers[-1].seconds == pytest.approx(known.layers[-1].seconds, rel=0.01)


# ---- bind


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("$net", True),
        ("nets/mine.keras", True),
        ("mine.H5", True),
        ("a/b", True),
        ("littlenet", False),
        ("mine", False),
    ],
)
def test_files_and_variables_are_told_from_the_roster(name: str, own: bool) -> None:
    """By `$`, a separator or a model's suffix."""
    assert names_own_cnn(name, ROSTER) is own


def bound(lines: str, **more: Any) -> Bound:
    own = own_cnn("mine", "/m/mine.keras", described(**more), ROSTER)
    head = "structured: t.csv\nimages: p/{id}.jpg\nlabel: kind\n"
    text = head + ("" if "cnn:" in lines else "cnn: $mine\n") + lines
    return bind(parse(text).spec, ROSTER, COLUMNS, own)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("", ("a1", "j3", "c4", "c5", "c6")),
        ("layers: top 2", ("c6", "scores")),
        ("layers: all", ("a1", "c2", "c3", "j3", "c4", "c5", "c6", "scores")),
        ("layers: [gap, n1]", ("n1", "gap")),
        ("layers: c4..gap", ("c4", "c5", "c6", "gap")),
        ("weights: w/mine_no_top.weights.h5\nlayers: top 1", ("scores",)),
    ],
)
def test_layers_of_an_own_cnn(line: str, names: tuple[str, ...]) -> None:
    """`top k` counts steps, names reach everything, nothing is dropped as a class head."""
    workload = bound(line).workload
    assert workload is not None
    assert workload.layer_names == names


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("layers: c44", "VST121", "did you mean `c4`?"),
        ("layers: top 9", "VST121", "write `layers: all`; `%vista layers $mine` lists more, by name"),
        ("weights: imagenet", "VST128", "write `weights: own`, `random` or a file"),
        ("weights: bundled", "VST128", "write `weights: own`, `random` or a file"),
        ("cnn: littlenet\nweights: own", "VST128", "imagenet, random, bundled"),
    ],
)
def test_wrong_layers_and_weights(line: str, code: str, words: str) -> None:
    """As for the roster, with what this CNN has."""
    (problem,) = bound(line).problems
    assert problem.code == code
    assert words in problem.hint


@pytest.mark.parametrize(("line", "weights"), [("", "own"), ("weights: own", "own"), ("weights: random", "random")])
def test_weights_of_an_own_cnn(line: str, weights: str) -> None:
    """Those in the file unless the cell says otherwise."""
    workload = bound(line).workload
    assert workload is not None
    assert workload.weights == weights


def test_the_preprocessing_taken_is_said_in_one_line() -> None:
    """Which, why and how to change it; nothing where the cell itself says it."""
    workload = bound("").workload
    assert workload is not None
    (note,) = [note for note in workload.notes if "preprocessing" in note]
    assert note == (
        "mine: photos go in as RGB 0..255 (`preprocessing: none`): it scales its input itself; "
        "else write one of tf | caffe | torch | none"
    )
    asked = bound("preprocessing: torch").workload
    assert asked is not None
    assert asked.cnn.preprocessing == "torch"
    assert not [note for note in asked.notes if "preprocessing" in note]


def test_another_preprocessing_for_a_roster_cnn_is_obeyed_and_noted() -> None:
    """The roster's own rule given again is no news."""
    workload = bound("cnn: littlenet\npreprocessing: caffe").workload
    assert workload is not None
    assert workload.cnn.preprocessing == "caffe"
    assert "littlenet: preprocessing caffe, as the cell says; the CNN's own is tf" in workload.notes
    same = bound("cnn: littlenet\npreprocessing: tf").workload
    assert same is not None
    assert not [note for note in same.notes if "preprocessing" in note]


def test_colours_are_not_for_a_gray_cnn() -> None:
    """ImageNet's means are three."""
    (problem,) = bound("preprocessing: caffe", channels=1).problems
    assert (problem.code, problem.hint) == ("VST131", "write `tf` or `none`")
    gray = bound("preprocessing: tf", channels=1).workload
    assert gray is not None
    assert gray.cnn.channels == 1


def test_preprocessing_is_one_of_four_words() -> None:
    """A typing mistake is found by the parser."""
    (problem,) = parse("cnn: $m\nstatistics: {rows: 1}\npreprocessing: tff").problems
    assert (problem.code, problem.hint) == ("VST105", "did you mean `tf`?")


def test_colours_and_scaling_are_in_the_stores_key() -> None:
    """Gray and RGB features, or two rules, never share a key."""
    keys = {preprocessing_key(rule, 32, 48, channels) for rule in ("tf", "none") for channels in (1, 3)}
    assert len(keys) == 4


def test_an_own_cnn_that_could_not_be_described_leaves_the_other_problems() -> None:
    """bind goes on without it: the table's problems are still found."""
    spec = parse("structured: t.csv\nimages: p/{id}.jpg\nlabel: kinnd\ncnn: $mine").spec
    found = bind(spec, ROSTER, COLUMNS)
    assert found.workload is None
    assert [p.code for p in found.problems] == ["VST122"]


# ---- files


def archive(file: Path, config: Any, *, leave: str = "") -> Path:
    """A zip archive with the members of a `.keras` file, `leave` left out."""
    members = {"config.json": json.dumps(config), "metadata.json": "{}", "model.weights.h5": "x" * 5000}
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            if name != leave:
                made.writestr(name, content)
    return file


def functional(*layers: dict[str, Any]) -> dict[str, Any]:
    """A model's config around layers' configs."""
    module = "keras.src.models.functional"
    return {"module": module, "class_name": "Functional", "config": {"name": "m", "layers": list(layers)}}


CONV = {"module": "keras.layers", "class_name": "Conv2D", "config": {"name": "c"}, "registered_name": None}
LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "twice"}, "registered_name": None}
CUSTOM = {
    "module": None,
    "class_name": "Attention2D",
    "config": {"name": "att"},
    "registered_name": "Custom>Attention2D",
}
OPERATION = {"module": "keras.src.ops.numpy", "class_name": "TrueDivide", "config": {}, "registered_name": "TrueDivide"}


def test_a_good_archive_passes(tmp_path: Path) -> None:
    """Layers, nested models and operations of Keras."""
    check_file(archive(tmp_path / "good.keras", functional(CONV, functional(CONV, OPERATION))))


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        (functional(CONV, LAMBDA), "VST362", "a Lambda layer 'twice'"),
        (functional(CONV, functional(CUSTOM)), "VST362", "the layer 'att' of class Attention2D"),
        (
            functional({**CONV, "config": {"activation": {"class_name": "__lambda__", "config": {}}}}),
            "VST362",
            "lambda",
        ),
        ({**CUSTOM, "class_name": "MyNet"}, "VST364", "is a MyNet: a subclassed model"),
        ([1, 2], "VST361", "describes no Keras model"),
    ],
    ids=["lambda", "custom", "lambda-activation", "subclassed", "list"],
)
def test_code_of_its_own_is_refused_by_name(tmp_path: Path, config: Any, code: str, words: str) -> None:
    """Nothing of the file is run to find out."""
    with pytest.raises(VistaDataError, match=words) as caught:
        check_file(archive(tmp_path / "own.keras", config))
    assert caught.value.code == code
    assert caught.value.hint
    assert "own.keras" in caught.value.message


def test_the_same_rules_hold_for_a_config_from_the_notebook() -> None:
    """`$model` is looked at before it is saved."""
    check_config(functional(CONV), "$m")
    with pytest.raises(VistaDataError, match=r"VST362: \$m holds a Lambda"):
        check_config(functional(LAMBDA), "$m")


def whole(tmp_path: Path) -> bytes:
    return archive(tmp_path / "whole.keras", functional(CONV)).read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.keras", lambda good: good[: len(good) // 2], "cut off"),
        ("empty.keras", lambda good: b"", "it is empty"),
        ("text.keras", lambda good: b"not a model", "no zip archive"),
        ("sly.keras", lambda good: pickle.dumps({"a": 1}), "a pickle, which is never loaded"),
        ("hdf.keras", lambda good: b"\x89HDF\r\n\x1a\n" + bytes(500), "an HDF5 file under another name"),
        ("old.h5", lambda good: b"\x89HDF\r\n\x1a\n", r"an HDF5 model.*a \.keras file"),
        ("net.pt", lambda good: b"PK\x03\x04", "a PyTorch file"),
        ("net.onnx", lambda good: b"", "an ONNX model"),
    ],
)
def test_files_that_are_no_model_are_told_apart(tmp_path: Path, name: str, content: Any, words: str) -> None:
    """Each with what it is and what to do."""
    (tmp_path / name).write_bytes(content(whole(tmp_path)))
    with pytest.raises(VistaDataError, match=words) as caught:
        check_file(tmp_path / name)
    assert caught.value.code == "VST361"
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("member", ["config.json", "metadata.json", "model.weights.h5"])
def test_an_archive_that_lacks_a_part_is_refused(tmp_path: Path, member: str) -> None:
    """Any zip file may be called .keras."""
    with pytest.raises(VistaDataError, match=f"VST361.*lacks {member}"):
        check_file(archive(tmp_path / "part.keras", functional(CONV), leave=member))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    """A SavedModel is a folder."""
    with pytest.raises(VistaDataError, match=r"VST360.*gone\.keras"):
        check_file(tmp_path / "gone.keras")
    with pytest.raises(VistaDataError, match=r"VST361.*a folder"):
        check_file(tmp_path)
