"""The process in which a Keras M is trained and scored: `python -m vista_nb.executor.downstream.keras_process REQUEST`.

Reads a request, the model's config and arrays in a folder; writes the fitted model or the scores there. May touch:
TensorFlow and Keras, that folder. No pickle, `safe_mode=True` (DESIGN.md sections 8 and 14).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vista_nb.errors import VistaRunError
from vista_nb.executor.cnn.throwaway import answering

__all__ = ["main", "with_width"]

_SOFT = ("softmax", "sigmoid")


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    return answering(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(request["threads"]))
    room = Path(request["room"])
    return _fit(request, room) if request["do"] == "fit" else _score(request, room)


def _fit(request: Mapping[str, Any], room: Path) -> dict[str, Any]:
    import keras

    keras.utils.set_random_seed(int(request["seed"]))
    x, y = (np.load(room / f"{name}.npy", allow_pickle=False) for name in "xy")
    config = json.loads((room / "model.json").read_text(encoding="utf-8"))
    compiled = config.get("compile_config") or {}
    try:
        model = keras.saving.deserialize_keras_object(with_width(config, x.shape[1]), safe_mode=True)
        if not model.built:
            model.build((None, x.shape[1]))
        units = int(model.output_shape[-1])
        _check_units(units, int(request["classes"]), str(request["name"]))
        model.compile(optimizer=_optimizer(compiled), loss=_loss(model, int(request["classes"]), units, compiled))
        model.fit(x, y, epochs=int(request["epochs"]), batch_size=int(request["batch_size"]), verbose=0)
    except (ValueError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        message = f"${request['name']} cannot be trained on {x.shape[1]} features: {said}"
        raise VistaRunError("VST527", message, "a Keras M takes one vector of features", "train") from error
    if not np.isfinite(model.predict(x[:1], verbose=0)).all():
        message = f"the training of ${request['name']} ran away: it gives NaN"
        raise VistaRunError("VST527", message, "give it a smaller learning rate", "train")
    model.save(room / "fitted.keras")
    return {"units": units}


def with_width(config: Mapping[str, Any], width: int) -> dict[str, Any]:
    """The same model for vectors of `width` features: shapes of the user's own input, and what was built for them,
    leave.
    """

    def changed(item: Any) -> Any:
        if isinstance(item, Mapping):
            kept = {k: changed(v) for k, v in item.items() if k not in ("build_config", "compile_config")}
            if item.get("class_name") == "InputLayer" and isinstance(kept.get("config"), dict):
                kept["config"] = {**kept["config"], "batch_shape": [None, width]}
            return kept
        if isinstance(item, list):
            return [changed(each) for each in item]
        return item

    found: dict[str, Any] = changed(config)
    return found


def _check_units(units: int, classes: int, name: str) -> None:
    """A class per output, or one output for two classes; a regression has one."""
    wanted = {1} if classes == 0 else {classes, 1} if classes == 2 else {classes}
    if units not in wanted:
        what = "a number" if classes == 0 else f"{classes} classes"
        hint = f"end it with keras.layers.Dense({max(wanted)})"
        raise VistaRunError("VST527", f"${name} gives {units} outputs, and the label is {what}", hint, "train")


def _activation(model: Any) -> str:
    last = model.layers[-1]
    return str(getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower()))


def _loss(model: Any, classes: int, units: int, compiled: Mapping[str, Any]) -> Any:
    """The task's; of a regression the user's own where the model was compiled with one."""
    import keras

    if classes == 0:
        given = compiled.get("loss")
        return keras.saving.deserialize_keras_object(given, safe_mode=True) if given else "mse"
    logits = _activation(model) not in _SOFT
    if units == 1:
        return keras.losses.BinaryCrossentropy(from_logits=logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


def _optimizer(compiled: Mapping[str, Any]) -> Any:
    import keras

    given = compiled.get("optimizer")
    return keras.saving.deserialize_keras_object(given, safe_mode=True) if given else keras.optimizers.Adam()


def _score(request: Mapping[str, Any], room: Path) -> dict[str, Any]:
    """p.npy: (rows, classes) probabilities, or (rows, 1) numbers."""
    import keras

    model = keras.saving.load_model(request["file"], compile=False, safe_mode=True)
    found = np.asarray(model.predict(np.load(room / "x.npy", allow_pickle=False), verbose=0), dtype=np.float64)
    np.save(room / "p.npy", _probabilities(model, found, int(request["classes"])))
    return {"rows": len(found)}


def _probabilities(model: Any, found: Any, classes: int) -> Any:
    if classes == 0:
        return found.reshape(len(found), 1)
    soft = _activation(model) in _SOFT
    if found.shape[1] == 1:
        yes = found if soft else 1 / (1 + np.exp(-found))
        return np.hstack([1 - yes, yes])
    if soft:
        return found / found.sum(axis=1, keepdims=True)
    grown = np.exp(found - found.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    sys.exit(main())
