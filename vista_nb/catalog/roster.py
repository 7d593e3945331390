"""The CNN roster as data: what is known of each pretrained CNN before anything runs.

Reads `roster.json` beside this file (written by benchmarks/measure_roster.py, never by hand); returns frozen
values. May touch: that one file. Paper: Table 1(A), |f|_ser, |f|_mem, |f|_mem_gpu and the layers of f.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

__all__ = ["CNNFacts", "LayerFacts", "Roster", "load_roster"]


@dataclass(frozen=True)
class LayerFacts:
    """One tappable layer.

    shape: one image's output without the batch axis, (h, w, c) or (d,). flops: multiply-adds times two from the
    image to here. seconds: per image on one core, decoding left out, from the image to here (measured). node: the
    Keras layer whose output this is. is_class: part of the class head (the logits; VGG16's fc6 and fc7 below them
    too), absent from weights without a top. cut: name and shape of every tensor that must be stored to go on from
    here; empty at an articulation point, where the output alone is enough.
    """

    name: str
    node: str
    shape: tuple[int, ...]
    flops: int
    seconds: float
    aliases: tuple[str, ...] = ()
    is_class: bool = False
    cut: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def length(self) -> int:
        """Values in the raw tensor (H x W x C)."""
        return prod(self.shape)

    @property
    def stored_length(self) -> int:
        """Values of a materialized raw layer: its own tensor, and the others of its cut."""
        others = sum(prod(shape) for name, shape in self.cut if name != self.name)
        return self.length + others

    def answers_to(self, name: str) -> bool:
        return name == self.name or name in self.aliases


@dataclass(frozen=True)
class CNNFacts:
    """One CNN of the roster. Sizes in bytes: serialized file, resident memory of one process, GPU memory.

    builder: what makes it (`keras.applications.ResNet50`, `alexnet`, `bundled`, `file:PATH` for a model of the user's).
    preprocessing: `tf` (x/127.5 - 1), `caffe`, `bvlc` (BGR minus an ImageNet mean), `torch`, or `none`. channels: 3,
    or 1 (gray).
    layers: low to high. default_layers: names, low to high. paper: the constants of the published system
    (bytes: serialized, resident), which the profile `sigmod2020` uses. offered: the layers that `top k` and `all`
    count, where that are not all of them (a model of the user's). resident: peak of one worker at batch 32, default
    layers pooled; resident_per_image: bytes that each image of a batch adds to it (0: not measured);
    resident_least: peak whatever the batch, as loading takes so much (0: not measured).
    """

    name: str
    builder: str
    input_height: int
    input_width: int
    preprocessing: str
    layers: tuple[LayerFacts, ...]
    default_layers: tuple[str, ...]
    default_weights: str
    parameters: int
    serialized: int
    resident: int
    gpu: int
    start_seconds: float
    provenance: str
    aliases: tuple[str, ...] = ()
    paper_serialized: int | None = None
    paper_resident: int | None = None
    channels: int = 3
    resident_per_image: int = 0
    resident_least: int = 0
    offered: tuple[str, ...] = ()

    @property
    def counted(self) -> tuple[LayerFacts, ...]:
        """The layers that `top k` and `all` count, low to high; by name any layer may be asked for."""
        return tuple(layer for layer in self.layers if not self.offered or layer.name in self.offered)

    def layer(self, name: str) -> LayerFacts | None:
        """The layer of that name or alias, or None."""
        return next((layer for layer in self.layers if layer.answers_to(name)), None)

    def index(self, layer: LayerFacts) -> int:
        return self.layers.index(layer)


@dataclass(frozen=True)
class Roster:
    """All CNNs by name, in the file's order."""

    cnns: tuple[CNNFacts, ...]
    version: int = 1

    def find(self, name: str) -> CNNFacts | None:
        """The CNN of that name or alias, whatever the case and with or without `-` and `_`."""
        wanted = _plain(name)
        return next((c for c in self.cnns if wanted in map(_plain, (c.name, *c.aliases))), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cnn.name for cnn in self.cnns)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


@cache
def load_roster(path: Path | None = None) -> Roster:
    """The roster shipped with the package, or another file of the same form."""
    data = json.loads((path or Path(__file__).with_name("roster.json")).read_text(encoding="utf-8"))
    return Roster(tuple(_cnn(entry) for entry in data["cnns"]), int(data["version"]))


def _cnn(entry: Mapping[str, Any]) -> CNNFacts:
    fields = dict(entry)
    fields["layers"] = tuple(_layer(layer) for layer in entry["layers"])
    fields["default_layers"] = tuple(entry["default_layers"])
    fields["aliases"] = tuple(entry.get("aliases", ()))
    return CNNFacts(**fields)


def _layer(entry: Mapping[str, Any]) -> LayerFacts:
    fields = dict(entry)
    fields["shape"] = tuple(entry["shape"])
    fields["aliases"] = tuple(entry.get("aliases", ()))
    fields["cut"] = tuple((name, tuple(shape)) for name, shape in entry.get("cut", ()))
    return LayerFacts(**fields)
