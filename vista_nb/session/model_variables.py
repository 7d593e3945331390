"""`cnn: $variable`: a Keras model of the notebook as a file, saved once per content.

Reads the variable with the Keras that the user imported (the kernel imports none), returns the path of a `.keras`
file named by a digest of config and weights. May touch: cache_dir/own_models. docs/adr/0012: config and weights are
hashed in every cell, which is little next to a run, so a model that was trained on in between is never taken for what
it was before.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.keras_file import check_config, is_keras_module
from vista_nb.spec.suggest import closest

__all__ = ["KEPT", "saved_model"]

KEPT = 8  # models kept in the cache, beside those used within the last hour
_SPARED_SECONDS = 3600
_OLD_KERAS = ("tf_keras", "tensorflow.python.keras")
_FUNCTIONAL = "build it from keras.Input and layers (functional or Sequential)"


def saved_model(name: str, namespace: Mapping[str, object], cache_dir: Path) -> Path:
    """The file that holds the model `$name` as it is now. Raises VST362 to VST367, naming the variable."""
    model = _model(name, namespace)
    digest = _content(name, model)
    file = cache_dir / "own_models" / f"{digest[:32]}.keras"
    if file.is_file():
        with suppress(OSError):
            os.utime(file)  # the last use: the oldest ones go first
        return file
    _save(name, model, digest, file)
    _forget_oldest(file.parent)
    return file


def _model(name: str, namespace: Mapping[str, object]) -> Any:
    """The variable, if it is a built functional or Sequential model of Keras 3."""
    if name not in namespace:
        near = closest(name, [known for known in namespace if not known.startswith("_")])
        hint = f"did you mean `cnn: ${near}`?" if near else "run the cell that makes it first, or give a .keras file"
        raise VistaDataError("VST366", f"there is no variable {name}", hint)
    value: Any = namespace[name]
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(value, keras.Model):
        raise _no_model(name, value)
    if not is_keras_module(type(value).__module__):
        message = f"${name} is a {type(value).__name__}: a subclassed model, whose forward pass is Python code"
        has_graph = hasattr(value, "_nodes_by_depth")
        hint = f"give a plain one: keras.Model({name}.inputs, {name}.outputs)" if has_graph else _FUNCTIONAL
        raise VistaDataError("VST364", message, hint)
    if not value.built or not getattr(value, "inputs", None):
        hint = "give its first layer a keras.Input((height, width, 3)), or call it on one batch"
        raise VistaDataError("VST367", f"${name} has not been built yet, so its layers have no shapes", hint)
    return value


def _no_model(name: str, value: object) -> VistaDataError:
    kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
    if any(base.__module__.startswith(_OLD_KERAS) for base in type(value).__mro__):
        hint = "rebuild it with `import keras` (Keras 3), or save its weights and load them there"
        return VistaDataError("VST366", f"${name} is a model of the old Keras 2 ({kind})", hint)
    hint = "`cnn:` takes a roster name, a .keras file, or a Keras model as $variable"
    return VistaDataError("VST366", f"${name} is a {kind}, not a Keras model", hint)


def _content(name: str, model: Any) -> str:
    """SHA-256 over config and every weight array. Raises VST362 for code of the user's own in the model."""
    keras = sys.modules["keras"]
    try:
        config = keras.saving.serialize_keras_object(model)
        config.pop("compile_config", None)
        text = json.dumps(config, sort_keys=True)
    except Exception as error:  # a layer without get_config: NotImplementedError, TypeError, ...
        message = f"${name} cannot be described: {_first_line(error)}"
        raise VistaDataError(
            "VST362", message, "use Keras' own layers, or give the part below the one named"
        ) from error
    check_config(config, f"${name}")
    digest = hashlib.sha256(f"{keras.__version__}\n{text}".encode())
    for weight in model.weights:
        array = keras.ops.convert_to_numpy(weight)
        digest.update(f"\n{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _save(name: str, model: Any, digest: str, file: Path) -> None:
    """Whole file or nothing; what was saved is what was hashed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".saving-") as room:
        made = Path(room) / "model.keras"
        try:
            model.save(made)
        except Exception as error:
            message = f"${name} cannot be saved: {_first_line(error)}"
            raise VistaDataError("VST367", message, f"try {name}.save('mine.keras') and give that file") from error
        if _content(name, model) != digest:
            message = f"the weights of ${name} changed while they were saved"
            raise VistaDataError("VST365", message, "wait for its training to end, then run the cell again")
        made.replace(file)


def _forget_oldest(folder: Path) -> None:
    """Fine-tuning makes a model per cell: only the last ones used stay."""
    with suppress(OSError):
        files = sorted(folder.glob("*.keras"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[KEPT:]:
            if time.time() - path.stat().st_mtime > _SPARED_SECONDS:
                path.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
