"""A CNN of the user's own as catalog facts: its layers, which of them are offered, and sizes until they are measured.

Reads the description of a Keras model (plain data, made by a throw-away process) and the roster, whose rates stand in
until the machine is calibrated; returns an `OwnCNN`. May touch: nothing. DESIGN.md section 8; docs/adr/0012.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from vista_nb.catalog.own_layers import OwnLayer, default_layers, offered_layers
from vista_nb.catalog.roster import CNNFacts, LayerFacts, Roster

__all__ = ["FILE_BUILDER", "OwnCNN", "names_own_cnn", "own_cnn"]

FILE_BUILDER = "file:"
_MODEL_FILE = re.compile(r"[/\\]|\.(keras|h5|hdf5|onnx|pb|pt|pth|tflite|safetensors)$", re.IGNORECASE)

# a worker's memory before any CNN of this machine was measured: never below the roster's measurements
_TENSORFLOW, _COPIES_OF_WEIGHTS, _LIVE_TENSORS, _BATCH = 800_000_000, 2, 4, 32
_GPU_CONTEXT = 450_000_000
_GRAPH = 1_000_000  # the artifact beyond its weights


@dataclass(frozen=True)
class OwnCNN:
    """facts: as of a roster CNN. scaling: where its preprocessing comes from, for the user."""

    facts: CNNFacts
    scaling: str = ""


def names_own_cnn(name: str, roster: Roster) -> bool:
    """Whether `cnn:` names a file or a notebook variable, and none of the roster."""
    if name.startswith("$"):
        return True
    return roster.find(name) is None and _MODEL_FILE.search(name) is not None


def own_cnn(name: str, file: str, described: Mapping[str, Any], roster: Roster) -> OwnCNN:
    """The facts of the model in `file`, called `name`. described: what `executor.cnn.describe` found in it."""
    layers = tuple(OwnLayer.of(entry) for entry in described["layers"])
    offered = offered_layers(layers)
    parameters, widest = int(described["parameters"]), int(described["widest"])
    rate = _flops_per_second(max((layer.flops for layer in layers), default=0), roster)
    per_image = _LIVE_TENSORS * 4 * widest
    facts = CNNFacts(
        name=name,
        builder=FILE_BUILDER + file,
        input_height=int(described["height"]),
        input_width=int(described["width"]),
        preprocessing=str(described["preprocessing"]),
        layers=tuple(_layer(layer, rate) for layer in layers),
        default_layers=default_layers(offered),
        default_weights="own",
        parameters=parameters,
        serialized=4 * parameters + _GRAPH,
        resident=_TENSORFLOW + _COPIES_OF_WEIGHTS * 4 * parameters + _BATCH * per_image,
        gpu=4 * parameters + 2 * _BATCH * 4 * widest + _GPU_CONTEXT,
        start_seconds=_start_seconds(roster),
        provenance=f"a model of the user's: {described['name']}",
        channels=int(described["channels"]),
        resident_per_image=per_image,
        offered=tuple(layer.name for layer in offered),
    )
    return OwnCNN(facts, str(described["scaling"]))


def _layer(layer: OwnLayer, rate: float) -> LayerFacts:
    others = layer.cut if len(layer.cut) > 1 else ()
    return LayerFacts(layer.name, layer.name, layer.shape, layer.flops, layer.flops / rate, layer.aliases, cut=others)


def _flops_per_second(flops: int, roster: Roster) -> float:
    """The rate of the roster's measured CNN nearest in work: small CNNs are bound by memory and calls, large ones by
    arithmetic (61e9 a second for the bundled CNN, 215e9 for VGG16).
    """
    tops = [(cnn.layers[-1].flops, cnn.layers[-1].seconds) for cnn in roster.cnns if cnn.layers]
    known = [(work, seconds) for work, seconds in tops if work and seconds]
    if not known:
        return 1e11
    work, seconds = min(known, key=lambda pair: abs(log(pair[0]) - log(max(flops, 1))))
    return work / seconds


def _start_seconds(roster: Roster) -> float:
    """The middle of the measured ones: it is TensorFlow's import for the most part."""
    known = sorted(cnn.start_seconds for cnn in roster.cnns)
    return known[len(known) // 2] if known else 4.0
