"""What this machine has for a run: each check with its finding and, where something is missing, what to do.

Reads versions, limits and folders; returns frozen checks. May touch: `java -version`, the cache folder.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vista_nb.errors import VistaError
from vista_nb.session.folders import cache_root
from vista_nb.units import GB, format_bytes

__all__ = ["Check", "checks"]

_PACKAGES = ("pyspark", "tensorflow", "keras", "pyarrow", "pandas", "scikit-learn", "ipywidgets", "jupyterlab")
_OPTIONAL = ("jupyterlab",)


@dataclass(frozen=True)
class Check:
    """`fix` is empty where ok."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def checks() -> tuple[Check, ...]:
    """Python, Java, packages, memory, folders, in this order."""
    return (_python(), _java(), *map(_package, _PACKAGES), _memory(), _folder("cache", cache_root()), _store())


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("Python", fits, version, "" if fits else "use Python 3.11, 3.12 or 3.13")


def _guarded(name: str, find: Callable[[], str]) -> Check:
    """A check whose finding may be a coded error: then its hint is the fix."""
    try:
        return Check(name, True, find())
    except VistaError as error:
        return Check(name, False, error.message, error.hint)


def _java() -> Check:
    from vista_nb.executor.java import java_home

    return _guarded("Java", lambda: str(java_home(cache_root())))


def _package(name: str) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, name in _OPTIONAL, "not installed", f"pip install {name}")


def _memory() -> Check:
    from vista_nb.executor.probe_machine import machine

    system = machine()
    detail = f"{format_bytes(system.memory)} (limit from {system.source}), {system.cores} cores"
    enough = system.memory >= 2 * GB
    return Check("memory", enough, detail, "" if enough else "2 GB is the least that was tried")


def _folder(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check(name, True, str(folder))
    except OSError as error:
        return Check(name, False, f"{folder}: {error.strerror}", "make the folder writable, or name another")


def _store() -> Check:
    from vista_nb.store.files import store_root

    return _folder("store", store_root())
