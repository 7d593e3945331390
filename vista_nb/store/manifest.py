"""What one layer set consists of, as a value and as JSON: a part that is not named here does not exist.

Reads and returns text and frozen values. May touch: nothing (standard library only). DESIGN.md section 9: a layer
set is keyed by model digest, preprocessing, layer, pooling and precision, and by nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from vista_nb.plan.fingerprint import RAW, layer_key

__all__ = ["FORMAT", "LayerSet", "LayerSetFacts", "Part", "is_key", "parse", "render"]

FORMAT = 1
"""Version of the layout, the manifest and the parts' schema; another version is ignored, never misread."""

_KEY = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"[0-9a-f]{32}\.parquet")


@dataclass(frozen=True)
class LayerSetFacts:
    """Everything a layer set's key is made from, plus the CNN's name for people and the vector's length.

    preprocessing: of `plan.fingerprint.preprocessing_key`. pooling and precision: as written in the spec; pooling of
    raw tensors is `plan.fingerprint.raw_pooling`, width then their values in all.
    """

    model_digest: str
    cnn: str
    preprocessing: str
    layer: str
    pooling: str
    precision: str
    width: int

    @property
    def raw(self) -> bool:
        return self.pooling.split(" ")[0] == RAW

    @property
    def key(self) -> str:
        return layer_key(self.model_digest, self.preprocessing, self.layer, self.pooling, self.precision)


@dataclass(frozen=True)
class Part:
    """One Parquet file: name, rows, bytes, SHA-256 of its bytes; which run wrote it, when, at which cost."""

    file: str
    rows: int
    bytes: int
    sha256: str
    run: str
    created: float  # seconds since 1970
    seconds_per_image: float


@dataclass(frozen=True)
class LayerSet:
    """All vectors of one layer that the store holds. A digest in two parts counts twice in `rows`.

    size: bytes of all parts; run, created: of the newest part; seconds_per_image: mean over the rows.
    """

    key: str
    facts: LayerSetFacts
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def run(self) -> str:
        return max(self.parts, key=lambda p: p.created).run if self.parts else ""

    @property
    def created(self) -> float:
        return max((part.created for part in self.parts), default=0.0)

    @property
    def seconds_per_image(self) -> float:
        return sum(p.seconds_per_image * p.rows for p in self.parts) / self.rows if self.rows else 0.0

    def with_parts(self, added: tuple[Part, ...]) -> LayerSet:
        return replace(self, parts=self.parts + added)

    def without(self, *files: str) -> LayerSet:
        return replace(self, parts=tuple(part for part in self.parts if part.file not in files))


def is_key(text: str) -> bool:
    """Whether `text` can name a layer set's folder: nothing else ever becomes part of a path."""
    return _KEY.fullmatch(text) is not None


def render(layers: LayerSet, **more: object) -> str:
    """The manifest's text: one object, keys in a fixed order, and the checksum of the others as `check`."""
    body = more | {
        "format": FORMAT,
        "key": layers.key,
        "facts": asdict(layers.facts),
        "parts": [asdict(part) for part in layers.parts],
    }
    return json.dumps(body | {"check": _check(body)}, indent=1, ensure_ascii=False) + "\n"


def _check(body: Mapping[str, Any]) -> str:
    """SHA-256 of everything but the checksum: a flipped bit in a width or a number of rows is seen, too."""
    rest = {name: value for name, value in body.items() if name != "check"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def parse(text: str, key: str) -> LayerSet | None:
    """The layer set, or None for another format version. Raises ValueError for what is no manifest of `key`."""
    body = json.loads(text)
    if not isinstance(body, dict) or "format" not in body:
        raise ValueError("no manifest")
    if body["format"] != FORMAT:
        return None
    if "check" in body and body["check"] != _check(body):  # the first manifests had none
        raise ValueError("the manifest's bytes changed since it was written")
    try:
        layers = LayerSet(key, LayerSetFacts(**body["facts"]), tuple(_part(entry) for entry in body["parts"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no manifest: {error}") from error
    if body.get("key") != key or layers.facts.key != key:
        raise ValueError("the manifest belongs to another key")
    return layers


def _part(entry: Mapping[str, Any]) -> Part:
    part = Part(**entry)
    whole = isinstance(part.rows, int) and isinstance(part.bytes, int) and part.rows >= 0 and part.bytes >= 0
    timed = isinstance(part.created, int | float) and isinstance(part.seconds_per_image, int | float)
    if _PART.fullmatch(part.file) is None or not whole or not timed:
        raise ValueError(f"no part: {part.file!r}")
    return part
