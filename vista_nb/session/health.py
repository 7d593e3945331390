"""What this machine has for a run: each check with its finding and, where something is missing, what to do.

Reads versions, limits and folders; returns frozen checks. May touch: `java -version`, the cache folder.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.errors import VistaError
from vista_nb.session.folders import cache_root
from vista_nb.units import GB, format_bytes

if TYPE_CHECKING:
    from vista_nb.store.remote import Remote

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
    """Python, Java, packages, memory, folders, calibration, in this order."""
    folders = (_folder("cache", cache_root()), _guarded("artifacts", _artifacts), _store())
    return (_python(), _java(), *map(_package, _PACKAGES), _memory(), *folders, _calibration())


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


def _artifacts() -> str:
    """How much of its budget the cache of inference artifacts takes."""
    from vista_nb.executor.cnn.artifact_cache import budget, held_artifacts

    held = held_artifacts(cache_root() / "artifacts")
    return f"{len(held)}, {format_bytes(sum(each.size for each in held))} of {format_bytes(budget())}"


def _calibration() -> Check:
    """Whether plans know this machine. Without it they take the roster's numbers, which is nothing to repair."""
    from vista_nb.session.calibrating import mode
    from vista_nb.session.calibration_cache import CalibrationCache

    cache = CalibrationCache(cache_root())
    ages = {record.cnn: f"{record.cnn} {_age(record.when)}" for record in cache.cnns()}
    machine = cache.machine()
    found = ([f"machine {_age(machine.when)}"] if machine else []) + list(ages.values())
    unused = " (unused: VISTA_NB_CALIBRATE or VISTA_NB_UI says so)" if mode() == "never" else ""
    return Check("calibration", True, (", ".join(found) or "none yet: `vista-nb doctor --calibrate`") + unused)


def _age(when: float) -> str:
    from vista_nb.views.numbers import format_age

    return f"{format_age(max(0.0, time.time() - when))} ago"


def _store() -> Check:
    """Whether it can be written, and how much of its budget it takes."""
    from vista_nb.store.files import Store
    from vista_nb.store.place import store_place, store_root

    found = _guarded("store", lambda: str(store_root()))
    if found.ok:
        found = _folder("store", store_root())
    if not found.ok:
        return found
    store = Store(store_root(), remote=store_place().remote)
    return _guarded(
        "store",
        lambda: f"{found.detail}, {format_bytes(store.held())} of {format_bytes(store.budget)}{_behind(store.remote)}",
    )


def _behind(remote: Remote | None) -> str:
    """Asks it, and fails where it does not answer."""
    if remote is None:
        return ""
    remote.ask_again()
    return f"; behind it {remote.name}, {len(remote.layer_keys())} layer sets"
