"""The kernel's side: digests and artifacts come from throw-away processes, once; errors are coded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaCancelled, VistaDataError
from vista_nb.executor.cnn import prepare
from vista_nb.executor.cnn.artifact import read_meta
from vista_nb.executor.cnn.prepare import known_model, prepare_artifact, resolve_model
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

SMALL = load_roster().find("mobilenet_025")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(cache):
    return resolve_model(SMALL, "random", 5, cache)


def no_process(*args, **kwargs):
    raise AssertionError("a process was started")


def test_random_weights_are_seeded_and_remembered(source, cache, monkeypatch):
    """Another seed is another model; a second look starts no process."""
    assert source.include_top
    assert source.file is None
    assert len(source.digest) == 64
    assert known_model(SMALL, "random", 6, cache) is None
    assert resolve_model(SMALL, "random", 6, cache).digest != source.digest
    monkeypatch.setattr(prepare, "_run_make", no_process)
    assert resolve_model(SMALL, "random", 5, cache) == source


def test_the_same_seed_gives_the_same_weights_in_another_cache(source, tmp_path):
    """Digest and thus store keys do not depend on the machine's cache."""
    assert resolve_model(SMALL, "random", 5, tmp_path).digest == source.digest


def test_artifact_is_made_once_and_rebuilt_when_stale(source, cache, monkeypatch):
    """Known: no process. Made by another TensorFlow, or half gone: made again."""
    layers = ("conv_pw_11_relu", "predictions")
    folder = prepare_artifact(source, SMALL, None, layers, Pooling.AVG, "float32", cache)
    meta = read_meta(folder)
    assert meta.layers == layers
    assert meta.shapes == ((128,), (1000,))
    with monkeypatch.context() as patched:
        patched.setattr(prepare, "_run_make", no_process)
        assert prepare_artifact(source, SMALL, None, layers, Pooling.AVG, "float32", cache) == folder
    data = json.loads((folder / "meta.json").read_text())
    data["runtime"] = [["tensorflow", "1.15"], ["keras", "2"], ["cpu", "z80"]]
    (folder / "meta.json").write_text(json.dumps(data))
    assert read_meta(folder) is None
    assert prepare_artifact(source, SMALL, None, layers, Pooling.AVG, "float32", cache) == folder
    assert read_meta(folder) == meta


def test_another_cut_pooling_or_output_is_another_artifact(source):
    """Everything that changes the graph changes the key; layer aliases do not."""
    from vista_nb.executor.cnn.artifact import artifact_key

    keys = {
        artifact_key(source.digest, None, ("a",), Pooling.AVG, "float32"),
        artifact_key(source.digest, None, ("a",), Pooling.MAX, "float32"),
        artifact_key(source.digest, None, ("a",), None, "float32"),
        artifact_key(source.digest, None, ("a", "b"), Pooling.AVG, "float32"),
        artifact_key(source.digest, "b", ("a",), Pooling.AVG, "float32"),
        artifact_key("0" * 64, None, ("a",), Pooling.AVG, "float32"),
    }
    assert len(keys) == 6


def test_cancel_kills_the_process(source, cache):
    """A set event ends the preparation at once and leaves no artifact."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(VistaCancelled):
        prepare_artifact(source, SMALL, None, ("conv_pw_12_relu",), Pooling.AVG, "float32", cache, cancel)
    assert not [folder for folder in cache.iterdir() if folder.name.startswith(".make-")]


def test_errors_of_the_process_arrive_coded(tmp_path):
    """The whole way through the subprocess: a file that is no weights file."""
    wrong = tmp_path / "notes.h5"
    wrong.write_text("not HDF5")
    with pytest.raises(VistaDataError, match=r"VST340.*notes\.h5"):
        resolve_model(SMALL, str(wrong), 0, tmp_path)


def test_refused_without_a_process(tmp_path, monkeypatch):
    """Missing files, weights the CNN does not have, layers that do not exist."""
    monkeypatch.setattr(prepare, "_run_make", no_process)
    with pytest.raises(VistaDataError, match=r"VST340.*gone\.h5"):
        resolve_model(SMALL, str(tmp_path / "gone.h5"), 0, tmp_path)
    with pytest.raises(VistaDataError, match="VST342"):
        resolve_model(SMALL, "bundled", 0, tmp_path)
    source = prepare.ModelSource(SMALL.builder, "random", None, "0" * 64)
    with pytest.raises(VistaDataError, match=r"VST343.*conv9"):
        prepare_artifact(source, SMALL, None, ("conv9",), None, "float32", tmp_path)


def test_crash_is_reported_with_the_last_words(tmp_path, monkeypatch):
    """A process that dies without an answer becomes a coded error that quotes its end."""
    from vista_nb.errors import VistaRunError
    from vista_nb.executor.cnn import throwaway

    with pytest.raises(VistaRunError, match=r"VST540.*status -9.*last words"):
        throwaway._checked("", "first\nlast words\n", -9, "preparing", "prepare")


def test_what_tensorflow_says_of_its_start_is_no_reason(tmp_path):
    """A process that the memory killer ended has said nothing else."""
    from vista_nb.errors import VistaRunError
    from vista_nb.executor.cnn import throwaway

    said = "WARNING: All log messages before absl::InitializeLog() ...\nI0000 00:00 13 port.cc:153] oneDNN on\n"
    with pytest.raises(VistaRunError, match=r"status -9\)") as caught:
        throwaway._checked("", said, -9, "preparing", "prepare")
    assert "oneDNN" not in str(caught.value)
    assert "memory" in caught.value.hint


def test_client_imports_no_tensorflow():
    """`prepare` and `worker` are imported in the kernel and in Spark's daemon."""
    code = (
        "import sys, vista_nb.executor.cnn.prepare, vista_nb.executor.cnn.worker\n"
        "print([m for m in ('tensorflow', 'keras', 'pyspark') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.shared
def test_real_mobilenet_v2_file_has_no_class_head(shared, cache):
    """The slim file: include_top is read from its arrays, Keras' own loading gives the same features."""
    import keras

    file = shared / "data" / "weights" / "mobilenet_v2_1.0_224_no_top_slim_bnfolded.h5"
    cnn = load_roster().find("mobilenetv2")
    model = resolve_model(cnn, str(file), 0, cache)
    assert not model.include_top
    folder = prepare_artifact(model, cnn, None, cnn.default_layers, Pooling.AVG, "float32", cache)
    from vista_nb.executor.cnn.artifact import load

    batch = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    own = keras.applications.MobileNetV2(include_top=False, input_shape=(224, 224, 3), weights=str(file))
    tapped = keras.Model(own.input, [own.get_layer(cnn.layer(name).node).output for name in cnn.default_layers])
    for name, value in zip(cnn.default_layers, tapped(batch), strict=True):
        expected = np.asarray(value).mean(axis=(1, 2))
        assert np.abs(load(folder)(batch)[name] - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.shared
def test_a_file_of_another_width_is_refused_with_shapes(shared, tmp_path):
    """MobileNet alpha 0.25 weights for alpha 1.0; the file fits its own entry; a copy keeps its digest."""
    file = shared / "data" / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    with pytest.raises(VistaDataError, match=r"VST341.*MobileNet.*3x3x3x"):
        resolve_model(load_roster().find("mobilenet"), str(file), 0, tmp_path)
    fitting = resolve_model(SMALL, str(file), 0, tmp_path)
    assert not fitting.include_top
    copy = tmp_path / "renamed.h5"
    shutil.copy(file, copy)
    assert resolve_model(SMALL, str(copy), 0, tmp_path).digest == fitting.digest
