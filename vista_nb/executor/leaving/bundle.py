"""A saved result as a folder: what lies where, written whole or not at all, and every file's checksum.

Reads and writes `manifest.json` and the files it names. May touch: that folder. DESIGN.md section 5 (`.save`),
section 14 (nothing half-written is ever read); docs/adr/0029.

    manifest.json   format, versions, spec, scores, per layer the plain part of its pipeline, SHA-256 of every file
    cnn.keras       the CNN's prefix, a plain Keras model
    parts/          arrays (.npy), scikit-learn objects (.skops), Spark models (.spark folders), Keras models
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaStoreError
from vista_nb.executor.leaving.parts import damaged
from vista_nb.store.disk import sha256_of

__all__ = ["CNN_FILE", "FORMAT", "MANIFEST", "PARTS", "new_bundle", "other_versions", "read_manifest", "write_manifest"]

FORMAT = 1
MANIFEST, CNN_FILE, PARTS = "manifest.json", "cnn.keras", "parts"
_LIBRARIES = ("vista-nb", "keras", "tensorflow", "scikit-learn", "skops", "numpy", "pyspark")


@contextmanager
def new_bundle(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder beside `path` that takes its place when the block ends well; otherwise nothing is left of it.

    Raises VST631 where something lies there that is no saved result, or is one and `overwrite` is false.
    """
    path = path.expanduser().absolute()
    _refuse_occupied(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as room:
        made = Path(room) / "made"
        made.mkdir()
        yield made
        if path.exists():
            path.rename(Path(room) / "before")  # an empty folder, or the result that was asked to go
        made.rename(path)


def _refuse_occupied(path: Path, *, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / MANIFEST).is_file():
        raise VistaStoreError("VST631", f"{path} is there and is no saved result", "name a folder that is not there")
    if not overwrite:
        raise VistaStoreError("VST631", f"{path} holds a saved result", "save(..., overwrite=True) replaces it")


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Last: it names the checksum of every file there is."""
    files = {str(file.relative_to(folder)): sha256_of(file) for file in sorted(folder.rglob("*")) if file.is_file()}
    whole = {"format": FORMAT, "versions": _versions(), **content, "files": files}
    (folder / MANIFEST).write_text(json.dumps(whole, indent=1, allow_nan=True), encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises VST631 (no saved result), VST635 (another format), VST632 (a file is missing or another one)."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        form, files = int(content["format"]), dict(content["files"])
    except OSError as error:
        raise VistaStoreError("VST631", f"{folder} holds no saved result", "give the folder of `.save`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(folder, f"its {MANIFEST} is damaged ({error})") from error
    if form != FORMAT:
        message = f"{folder} was saved in format {form} by vista_nb {content.get('versions', {}).get('vista-nb')}"
        raise VistaStoreError("VST635", message, f"this version reads format {FORMAT}: load it with that one")
    for name, digest in files.items():
        _check(folder, name, digest)
    return dict(content)


def _check(folder: Path, name: str, digest: str) -> None:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        raise damaged(folder, f"{name} is missing")
    if sha256_of(file) != digest:
        raise damaged(folder, f"{name} is not the file that was saved")


def other_versions(content: Mapping[str, Any]) -> tuple[str, ...]:
    """What fitted the models and is another version here, as sentences."""
    here = _versions()
    saved = content.get("versions", {})
    changed = [name for name in _LIBRARIES if name in saved and _minor(saved[name]) != _minor(here.get(name, ""))]
    return tuple(
        f"Saved with {name} {saved[name]}, loaded with {here.get(name) or 'none'}: predictions may differ."
        for name in changed
    )


def _versions() -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _minor(text: str) -> str:
    return ".".join(text.split(".")[:2])
