"""vista_nb on other machines: its own code and the inference artifacts, sent once to every executor of a cluster.

Reads the installed package and artifact folders, hands archives to Spark's file server; a worker finds them again. May
touch: a temporary folder on the driver, the SparkContext, in a worker the executor's working folder. DESIGN.md
section 10 ("vista_nb ships itself"), docs/adr/0017. On a local master nothing of this happens: workers read the same
disk. An executor that replaces a lost one fetches anew, so the archives stay until the session ends.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.catalog.masters import is_local_master
from vista_nb.errors import VistaEnvironmentError, VistaError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["lacking", "local_folder", "on_cluster", "package_archive", "ship_artifact", "ship_package", "slots"]

_SHIPPED = "shipped:"
_SOURCES = (".py", ".json")  # a worker needs no bundled CNN and no notebook
_NAME = re.compile(r"No (?:module named|package metadata was found for) '?([\w.]+)'?")
_ARROW = re.compile(r"(PyArrow|Pandas|NumPy) >= [\w.]+ must be installed", re.IGNORECASE)
_NO_PYTHON = re.compile(r'Cannot run program "([^"]+)"')
_VERSIONS = re.compile(r"PYTHON_VERSION_MISMATCH\][^\n]*")
_PACKAGES = {"PIL": "Pillow", "sklearn": "scikit-learn", "skimage": "scikit-image"}


@dataclass
class _Cargo:
    """What one application has been sent. folder: its archives."""

    folder: Path
    sent: set[str] = field(default_factory=set)


_cargo: dict[str, _Cargo] = {}  # by application
_lock = threading.Lock()


def on_cluster(session: SparkSession) -> bool:
    """Whether tasks run outside the driver's JVM, so that its disk and its package may be out of their sight."""
    return not is_local_master(session.sparkContext.master)


def slots(session: SparkSession) -> int:
    """Tasks that run at a time, over all executors."""
    context = session.sparkContext
    return max(1, int(context.defaultParallelism) // int(context.getConf().get("spark.task.cpus", "1")))


def ship_package(session: SparkSession) -> None:
    """Workers of a cluster import this very vista_nb, whatever they have installed. Once per application."""
    if not on_cluster(session):
        return
    with _lock:
        cargo = _of(session)
        if "package" in cargo.sent:
            return
        archive = package_archive(cargo.folder)
        before = list(sys.path)
        session.sparkContext.addPyFile(str(archive))
        sys.path[:] = before  # addPyFile is for workers: the kernel goes on importing from where it did
        cargo.sent.add("package")


def ship_artifact(session: SparkSession, folder: Path) -> str:
    """What a worker's `local_folder` turns into the artifact: its path, or on a cluster the name of its archive."""
    if not on_cluster(session):
        return str(folder)
    with _lock:
        cargo, name = _of(session), f"vista_nb-{folder.name}"
        if name not in cargo.sent:
            archive = cargo.folder / f"{name}.zip"
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:  # weights do not compress
                for path in sorted(path for path in folder.iterdir() if path.is_file()):
                    made.write(path, path.name)
            session.sparkContext.addArchive(f"{archive}#{name}")
            cargo.sent.add(name)
    return _SHIPPED + name


def package_archive(folder: Path) -> Path:
    """vista_nb as a zip, named by its content; equal sources give an equal file."""
    root = Path(__file__).resolve().parents[1]
    files = [p for p in root.rglob("*") if p.suffix in _SOURCES and "__pycache__" not in p.parts and p.is_file()]
    contents = sorted((p.relative_to(root.parent).as_posix(), p.read_bytes()) for p in files)
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    archive = folder / f"vista_nb-{digest.hexdigest()[:16]}.zip"
    if not archive.exists():
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in contents:
                made.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return archive


def _of(session: SparkSession) -> _Cargo:
    application = session.sparkContext.applicationId
    if application not in _cargo:
        _drop_all()  # one application at a time: the one before has ended
        _cargo[application] = _Cargo(Path(tempfile.mkdtemp(prefix="vista_nb-ship-")))
    return _cargo[application]


@atexit.register
def _drop_all() -> None:
    for cargo in _cargo.values():
        shutil.rmtree(cargo.folder, ignore_errors=True)
    _cargo.clear()


# -- in a worker -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def local_folder(artifact: str) -> str:
    """The folder of an artifact on this machine: as it is, or where Spark unpacked what was shipped.

    Raises VST449 where a worker's TensorFlow is not the driver's.
    """
    if not artifact.startswith(_SHIPPED):
        return artifact
    from pyspark import SparkFiles

    folder = Path(SparkFiles.get(artifact.removeprefix(_SHIPPED)))
    _fit_to_this_machine(folder)
    return str(folder)


def _fit_to_this_machine(folder: Path) -> None:
    """A worker's processor may differ from the driver's: the graph is portable, its versions are not."""
    from vista_nb.executor.cnn.artifact import META_FILE, runtime

    meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
    made, here = dict(meta["runtime"]), dict(runtime())
    other = [name for name in here if name != "cpu" and made.get(name) != here[name]]
    if other:
        said = ", ".join(f"{name} {here[name]} instead of {made.get(name)}" for name in other)
        hint = "install the driver's versions on every worker"
        raise VistaEnvironmentError("VST449", f"a worker has {said}", hint)
    if made != here:
        _rewrite(folder / META_FILE, meta | {"runtime": [list(pair) for pair in runtime()]})


def _rewrite(path: Path, data: dict[str, Any]) -> None:
    """Whole or not at all: the other workers of this executor read it too."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(data), encoding="utf-8")
    part.replace(path)


# -- what failed -------------------------------------------------------------------------------------------------------


def lacking(text: str, stage: str) -> VistaError | None:
    """VST405 for what Spark says when a worker has no Python, another one, or lacks a package; None for all else."""
    with suppress(StopIteration):
        found = next(match for match in (p.search(text) for p in (_NO_PYTHON, _VERSIONS, _ARROW, _NAME)) if match)
        return VistaEnvironmentError("VST405", f"{stage}: {_what(found)}", _remedy(found))
    return None


def _what(found: re.Match[str]) -> str:
    if found.re is _NO_PYTHON:
        return f"a worker has no Python at {found.group(1)}"
    if found.re is _VERSIONS:
        return f"a worker's Python is another than the kernel's {sys.version_info.major}.{sys.version_info.minor}"
    return f"a worker lacks the package {_package(found)}"


def _remedy(found: re.Match[str]) -> str:
    if found.re in (_NO_PYTHON, _VERSIONS):
        return "install the same Python there, or name it: resources: {spark: {spark.pyspark.python: /path/to/python}}"
    return f"install {_package(found)} for the workers' Python on every node: docs/clusters.md lists what they need"


def _package(found: re.Match[str]) -> str:
    top = found.group(1).split(".")[0]
    return _PACKAGES.get(top, top.lower() if found.re is _ARROW else top)
