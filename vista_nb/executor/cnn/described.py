"""The kernel's side of describing a CNN of the user's own: once per content of the file, then remembered.

Reads a `.keras` file's bytes (their digest is remembered by path, size, mtime in ns and inode) and a small cache,
starts `describe` in a throw-away process only where the cache lacks the answer. May touch: files in cache_dir,
subprocesses; never TensorFlow or Keras themselves. DESIGN.md section 4: `--explain` probes such a model once.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.keras_file import check_file
from vista_nb.executor.cnn.throwaway import ask
from vista_nb.store.digests import digest_files

__all__ = ["described", "remembered"]

_FORMAT = 1
_MODULE = "vista_nb.executor.cnn.describe"


def described(file: Path, cache_dir: Path, cancel: threading.Event | None = None) -> dict[str, Any]:
    """What `describe` says of the model. Raises its coded errors (VST344, VST345, VST360 to VST365)."""
    check_file(file)
    known = remembered(file, cache_dir)
    if known is not None:
        return known
    answer = ask(_MODULE, {"file": str(file)}, cache_dir, cancel, doing="describing", step="describe")
    if answer["content"] != _content(file, cache_dir):
        raise VistaDataError("VST365", "it changed while it was read", "run the cell again once it is written")
    _remember(_place(answer["content"], cache_dir), answer)
    return _accepted(answer)


def remembered(file: Path, cache_dir: Path) -> dict[str, Any] | None:
    """The same from the cache alone; None where this content was never described by these versions."""
    content = _content(file, cache_dir)
    if not content:
        return None
    with suppress(OSError, ValueError):
        found = json.loads(_place(content, cache_dir).read_text(encoding="utf-8"))
        if isinstance(found, dict) and found.get("content") == content:
            return _accepted(found)
    return None


def _accepted(answer: dict[str, Any]) -> dict[str, Any]:
    if "refused" in answer:
        raise VistaDataError(*answer["refused"])
    return answer


def _content(file: Path, cache_dir: Path) -> str:
    """SHA-256 of the file's bytes; empty where it cannot be read."""
    return digest_files([file], cache_dir / "own_models" / "files.sqlite")[file].digest


def _place(content: str, cache_dir: Path) -> Path:
    """Another Keras may see another graph, another vista_nb another rule."""
    made_by = json.dumps([_FORMAT, *map(version, ("vista-nb", "keras", "tensorflow"))])
    return cache_dir / "own_models" / f"{content[:32]}-{hashlib.sha256(made_by.encode()).hexdigest()[:8]}.json"


def _remember(place: Path, answer: Mapping[str, Any]) -> None:
    """Atomic; a cache that cannot be written costs time, never the answer."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as made:
            json.dump(answer, made)
        Path(made.name).replace(place)
