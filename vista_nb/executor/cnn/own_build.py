"""Builds a CNN of the user's own from its `.keras` file, with its weights, others that fit, or random ones.

Reads the file (and perhaps a weights file), returns a Keras model and its digest. May touch: Keras (imported inside
functions: throw-away subprocesses only), those files. safe_mode, no pickle, no code of the file's. DESIGN.md section 8;
docs/adr/0012.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.keras_file import check_file

__all__ = ["build_own", "load_own", "own_digest"]


def build_own(file: Path, weights: str, weights_file: Path | None, seed: int) -> Any:
    """The model of `file`. weights: `own`, `random` (seeded), or anything else for the arrays of `weights_file`.

    Raises VST360 to VST364 (the model's file), VST340 and VST341 (the weights file).
    """
    model = load_own(file)
    if weights == "own":
        return model
    if weights == "random":
        return _fresh(model, seed)
    from vista_nb.executor.cnn.build import fill

    assert weights_file is not None
    return fill(model, weights_file, file.name)


def load_own(file: Path) -> Any:
    """The model as saved. Raises VST360, VST361, VST362, VST364."""
    check_file(file)
    import keras

    try:
        return keras.models.load_model(file, safe_mode=True, compile=False)
    except Exception as error:
        raise _not_loaded(file, error) from error


def _not_loaded(file: Path, error: BaseException) -> VistaDataError:
    """Keras wraps the reason in one error per nested object: the innermost says what is wrong."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    why = (str(inner).strip().splitlines() or [type(inner).__name__])[0].split(". ")[0][:200]
    if re.match(r"Could not (locate|interpret)", why):
        message = f"{file} names code that it does not hold: {why}"
        return VistaDataError(
            "VST362", message, "use what Keras itself has in its place (keras.layers, keras.activations)"
        )
    message = f"Keras {version('keras')} cannot load {file}: {why}"
    return VistaDataError("VST361", message, "save it again with this Keras, from the code that made it")


def _fresh(model: Any, seed: int) -> Any:
    """The same architecture, initialised anew."""
    import keras

    keras.utils.set_random_seed(seed)  # throw-away process: global seeds belong to us
    return model.__class__.from_config(model.get_config())


def own_digest(model: Any) -> str:
    """The model digest with the names of the layers in it.

    `model_digest` takes names that Keras made itself for nothing, and the store's keys hold layer names: two models
    that differ only in numbering (`conv2d_1` here is `conv2d_2` there) must not share a key. Where only one layer has
    a name of that kind (`rescaling_4`) its number says nothing, and a cell run again finds its layers again.
    """
    from vista_nb.executor.cnn.digest import model_digest

    layers = list(_layers(model))
    stems = Counter((kind, _stem(name)) for kind, name in layers)
    names = json.dumps([name if stems[kind, _stem(name)] > 1 else _stem(name) for kind, name in layers])
    return hashlib.sha256(f"{model_digest(model)}\n{names}".encode()).hexdigest()


def _stem(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _layers(model: Any) -> Iterator[tuple[str, str]]:
    """Class and name of every layer but the inputs, those of nested models too, in the model's order."""
    for layer in model.layers:
        if type(layer).__name__ != "InputLayer":
            yield type(layer).__name__, layer.name
        if hasattr(layer, "layers"):
            yield from _layers(layer)
