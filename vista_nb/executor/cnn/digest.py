"""The model digest: which function of the image a CNN computes, as SHA-256 over architecture and weights.

Reads a built Keras model, returns 64 hex digits. May touch: the model's weights, read only (throw-away
subprocesses and tests). DESIGN.md sections 8 and 9: auto-generated names and things that only matter for training
(initializers, regularizers, `trainable`) are left out; names given by hand stay, as layers are found by them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["architecture", "model_digest"]

_FORMAT = 1
_TRAINING_ONLY = re.compile(r"trainable|.*_(initializer|regularizer|constraint)|build_config|compile_config|seed")
_NAME_KEYS = ("name", "keras_history", "input_layers", "output_layers")


def model_digest(model: Any) -> str:
    """SHA-256 over the format's number, the normalised config and every weight array in the model's order."""
    import numpy as np

    digest = hashlib.sha256(f"{_FORMAT}\n{architecture(model)}".encode())
    for weight in model.weights:
        array = np.asarray(weight)
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"\n{array.dtype.name}{array.shape}".encode())
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def architecture(model: Any) -> str:
    """The model's config as canonical JSON, auto-generated names replaced by the layer's place, level by level."""
    import keras

    # a nested object (activation, dtype policy, tensor) becomes plain data, as in a saved `.keras` file
    plain = json.loads(json.dumps(keras.saving.serialize_keras_object(model.get_config())))
    return json.dumps(_normalised(plain, {model.name: "model"}, False), sort_keys=True)


def _is_automatic(kind: str, name: str) -> bool:
    """Whether Keras made the name: the class name in snake case, perhaps numbered (`conv2d_7`, `input_layer`)."""
    snake = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
    return re.fullmatch(re.escape(snake) + r"(_\d+)?", name) is not None


def _inner_names(graph: Mapping[str, Any]) -> dict[str, str] | None:
    """Automatic names of the layers of one (nested) model -> their places; None where this is no model's config."""
    layers = graph.get("layers")
    if not isinstance(layers, list) or not all(isinstance(x, dict) and "class_name" in x for x in layers):
        return None
    kinds = [(layer["class_name"], (layer.get("config") or {}).get("name")) for layer in layers]
    return {name: f"auto:{i}" for i, (kind, name) in enumerate(kinds) if name and _is_automatic(kind, name)}


def _normalised(value: Any, names: Mapping[str, str], is_name: bool) -> Any:
    if isinstance(value, dict):
        inner = _inner_names(value)
        # a model's own name belongs to the level above, the names of its layers to its own
        return {
            key: _normalised(item, names if inner is None or key == "name" else inner, is_name or key in _NAME_KEYS)
            for key, item in value.items()
            if not _TRAINING_ONLY.fullmatch(key)
        }
    if isinstance(value, list):
        return [_normalised(item, names, is_name) for item in value]
    if is_name and isinstance(value, str):
        return names.get(value, value)
    return value
