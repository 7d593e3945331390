"""A `.keras` file looked at before anything in it is loaded: is it one, and does it bring code of its own?

Reads the archive's list of members and its `config.json` (or the config of a model in the notebook), raises a coded
error or returns nothing. May touch: that file, read only; no Keras, so the kernel can afford it. DESIGN.md section 8
(no pickle, safe_mode), section 14: a wrong file is refused in milliseconds, with the reason and what to do.
docs/adr/0012.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError

__all__ = ["check_config", "check_file", "is_keras_module"]

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", ("model.weights.h5", "model.weights.npz")
_KERAS_PACKAGES = frozenset({"keras", "keras_hub", "keras_cv", "keras_nlp", "builtins"})
_FOREIGN_CODE = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"})
_MOST_CONFIG_BYTES = 100_000_000
_OTHER_FORMATS = {
    ".h5": "an HDF5 model, the format of older Keras, which says less about its layers than vista_nb must know",
    ".hdf5": "an HDF5 model, the format of older Keras, which says less about its layers than vista_nb must know",
    ".onnx": "an ONNX model",
    ".pb": "a TensorFlow graph",
    ".pt": "a PyTorch file, which is a pickle",
    ".pth": "a PyTorch file, which is a pickle",
    ".tflite": "a TensorFlow Lite model",
    ".safetensors": "a file of weights without a model",
}
_CONVERT = {
    ".h5": "convert it once: keras.models.load_model(FILE, compile=False).save('mine.keras')",
    ".hdf5": "convert it once: keras.models.load_model(FILE, compile=False).save('mine.keras')",
}
_SAVE = "save a Keras model with model.save('mine.keras')"
_OWN_CODE = (
    "use Keras' own layers in its place (keras.layers, keras.ops), or give the part below it: "
    "keras.Model(model.input, model.get_layer(NAME).output)"
)


def check_file(file: Path) -> None:
    """Raises VST360 (no such file), VST361 (no `.keras` archive), VST362 (code that the file does not hold)."""
    if not file.exists():
        raise VistaDataError("VST360", f"there is no model file {file}", "check the path after `cnn:`")
    suffix = file.suffix.lower()
    if suffix != ".keras" or not file.is_file():
        what = _OTHER_FORMATS.get(suffix, "a folder" if file.is_dir() else "no .keras file")
        raise VistaDataError("VST361", f"{file} is {what}; a CNN comes as a .keras file", _CONVERT.get(suffix, _SAVE))
    check_config(_config(file), f"{file.name}")


def _config(file: Path) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            _check_members(file, names)
            if archive.getinfo(_CONFIG).file_size > _MOST_CONFIG_BYTES:
                raise _no_archive(file, f"its {_CONFIG} is too large")
            return json.loads(archive.read(_CONFIG))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _no_archive(file, _looks_like(file) or str(error)) from error
    except (ValueError, KeyError) as error:
        raise _no_archive(file, f"its {_CONFIG} cannot be read: {error}") from error
    except OSError as error:
        raise _no_archive(file, error.strerror or str(error)) from error


def _check_members(file: Path, names: list[str]) -> None:
    absent = [name for name in (_CONFIG, _METADATA) if name not in names]
    if absent or not any(name in names for name in _WEIGHTS):
        raise _no_archive(file, f"the archive lacks {', '.join(absent) or _WEIGHTS[0]}")


def _looks_like(file: Path) -> str:
    """What the first bytes say a file is that is no zip archive."""
    with file.open("rb") as opened:
        head = opened.read(8)
    if not head:
        return "it is empty"
    if head.startswith(b"PK"):
        return "it is cut off, or was changed after it was saved"
    if head.startswith(b"\x89HDF"):
        return "it is an HDF5 file under another name"
    return "it is a pickle, which is never loaded" if head[:1] == b"\x80" else "it is no zip archive"


def _no_archive(file: Path, why: str) -> VistaDataError:
    return VistaDataError("VST361", f"{file} is no Keras model file: {why}", f"{_SAVE}, and copy the whole file")


def check_config(config: Any, model: str) -> None:
    """Refuses a model whose config names code that is not Keras' own: it could not be loaded, or only by running it.

    config: of `config.json`, or of Keras' serialize_keras_object. model: how the user calls it. Raises VST362, and
    VST364 where the model itself is a class of the user's.
    """
    if not isinstance(config, Mapping) or "class_name" not in config:
        raise VistaDataError("VST361", f"{model}: its config describes no Keras model", _SAVE)
    if not _is_keras(config):
        message = f"{model} is a {config['class_name']}: a subclassed model, whose forward pass is Python code"
        hint = "build it from keras.Input and layers; where it has inputs and outputs: keras.Model(m.inputs, m.outputs)"
        raise VistaDataError("VST364", message, hint)
    for item in _objects(config.get("config")):
        what = _code_of_its_own(item)
        if what:
            raise VistaDataError("VST362", f"{model} holds {what}", _OWN_CODE)


def is_keras_module(module: str) -> bool:
    """Whether a class of that module is of Keras or of a library of its makers, which a worker can import."""
    return module.split(".")[0] in _KERAS_PACKAGES


def _is_keras(item: Mapping[str, Any]) -> bool:
    """Keras leaves the module out where it needs none (a tensor), and writes null for a class of the user's."""
    return is_keras_module(str(item.get("module", "keras")))


def _code_of_its_own(item: Mapping[str, Any]) -> str:
    kind, inner = str(item["class_name"]), item.get("config")
    name = inner.get("name") if isinstance(inner, Mapping) else None
    called = f" {name!r}" if name else ""
    if kind in _FOREIGN_CODE:
        return f"a {kind.strip('_')} layer{called}: code that would have to be run to load it"
    if _is_keras(item):
        return ""
    if kind == "function":
        return f"the function {inner!r}, whose code is not in the model"
    return f"the layer{called} of class {kind}, whose code is not in the model and not in Keras"


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every serialized object inside a config."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Mapping):
            if isinstance(item.get("class_name"), str) and "config" in item:
                yield item
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
