"""Fitted values as files and back, without pickle: what a saved result is made of.

Reads frozen dataclasses of the modules named here; returns plain values that `json` writes, with arrays, scikit-learn
objects and Spark models in files beside them, and the other way round. May touch: one folder. DESIGN.md section 14 (no
pickle is loaded); docs/adr/0029. A class is named by its name and must be one of those modules', so a file can make
nothing else; scikit-learn objects go through skops, which makes only what is trusted; Spark's models by Spark.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import shutil
from collections.abc import Sequence
from enum import Enum
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vista_nb.errors import VistaStoreError

__all__ = ["Reader", "Writer", "damaged"]

_MODULES = (
    "vista_nb.catalog.roster",
    "vista_nb.catalog.workload",
    "vista_nb.spec.model",
    "vista_nb.executor.downstream.baseline",
    "vista_nb.executor.downstream.encode",
    "vista_nb.executor.downstream.fit",
    "vista_nb.executor.downstream.fit_keras",
    "vista_nb.executor.downstream.native",
    "vista_nb.executor.downstream.preparation",
    "vista_nb.executor.downstream.reduce",
    "vista_nb.executor.downstream.spark_model",
    "vista_nb.executor.downstream.standardize",
)
# state of fitted scikit-learn estimators that skops itself does not list: plain data and compiled classes, no code
_TRUSTED = re.compile(
    r"numpy\.dtype"
    r"|sklearn\.tree\._tree\.Tree"
    r"|sklearn\.calibration\._\w+"
    r"|sklearn\._loss\.(loss|_loss)\.\w+"
    r"|sklearn\.ensemble\._hist_gradient_boosting\.(predictor|binning)\.\w+"
    r"|sklearn\.gaussian_process\.(_gpc|kernels)\.\w+"
    r"|sklearn\.metrics\._dist_metrics\.\w+"
    r"|sklearn\.neighbors\._(kd_tree|ball_tree)\.\w+"
    r"|sklearn\.neural_network\._stochastic_optimizers\.\w+"
)
_KINDS = frozenset({"tuple", "class", "array", "file", "skops", "spark"})


@cache
def _known() -> dict[str, type]:
    """The dataclasses and enumerations that may stand in a file, by name."""
    modules = [importlib.import_module(name) for name in _MODULES]
    found = {name: made for module in modules for name, made in vars(module).items() if isinstance(made, type)}
    return {name: made for name, made in found.items() if dataclasses.is_dataclass(made) or issubclass(made, Enum)}


class Writer:
    """Into `folder`, which it makes. foreign: types of saved objects that skops does not trust by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.foreign: set[str] = set()
        self._natives: dict[int, tuple[Any, Any]] = {}  # by id; the layers of a run share one encoder
        self._count = 0

    def plain(self, value: Any, what: str) -> Any:
        """The value as JSON, the rest in files. what: for the error. Raises VST633 for what has no safe form."""
        if isinstance(value, Enum):
            return {"kind": "class", "class": type(value).__name__, "value": value.value}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, tuple | list):
            return [self.plain(item, what) for item in value]
        if isinstance(value, np.ndarray):
            return self._array(value, what)
        if isinstance(value, np.generic):
            return self.plain(value.item(), what)
        if isinstance(value, Path):
            return {"kind": "file", "file": self._copied(value)}
        if _known().get(type(value).__name__) is type(value):
            return self._fields(value, what)
        return self._native(value, what)

    def _fields(self, value: Any, what: str) -> dict[str, Any]:
        if not getattr(value, "saveable", True):
            raise _no_form(what, "what the notebook's own function returned, which is code")
        return self._all_fields(value, what)

    def _all_fields(self, value: Any, what: str) -> dict[str, Any]:
        """A field that does not take part in comparison (where it was written in the cell) is no part of the value."""
        given = [field for field in dataclasses.fields(value) if field.init and field.compare]
        fields = {field.name: self.plain(getattr(value, field.name), what) for field in given}
        return {"kind": "class", "class": type(value).__name__, "fields": fields}

    def _array(self, array: Any, what: str) -> Any:
        if array.dtype == object:
            if not all(isinstance(item, str) for item in array.ravel().tolist()):
                raise _no_form(what, "an array of objects")
            array = array.astype(str)
        file = self._file(".npy")
        np.save(file, array, allow_pickle=False)
        return {"kind": "array", "file": file.name}

    def _native(self, value: Any, what: str) -> Any:
        if id(value) not in self._natives:
            self._natives[id(value)] = (value, self._other(value, what))
        return self._natives[id(value)][1]

    def _other(self, value: Any, what: str) -> dict[str, Any]:
        """Another library's object."""
        if hasattr(value, "_java_obj") or hasattr(value, "_to_java"):
            return {"kind": "spark", "file": self._spark(value, what)}
        if type(value).__module__.startswith("vista_nb.") or (callable(value) and not hasattr(value, "get_params")):
            raise _no_form(what, f"a {type(value).__name__}, which is code")
        return {"kind": "skops", "file": self._skops(value, what)}

    def _skops(self, value: Any, what: str) -> str:
        from skops.io import dump, get_untrusted_types

        file = self._file(".skops")
        try:
            dump(value, file)
            self.foreign.update(name for name in get_untrusted_types(file=file) if not _TRUSTED.fullmatch(name))
        except Exception as error:  # skops names what it cannot write in many kinds of errors
            raise _no_form(what, f"a {type(value).__name__}: {_first_line(error)}") from error
        return file.name

    def _spark(self, value: Any, what: str) -> str:
        from pyspark.ml import PipelineModel

        file = self._file(".spark")
        try:
            PipelineModel([value]).write().overwrite().save(f"file:{file}")
        except Exception as error:  # py4j raises many kinds; a model of another library may lack a writer
            raise _no_form(what, f"a {type(value).__name__}: {_first_line(error)}") from error
        if not (file / "metadata").is_dir():
            raise _no_form(what, "a Spark model, and Spark wrote it on another machine")
        for crc in file.rglob(".*.crc"):
            crc.unlink()  # Hadoop's own checksums: the bundle has its own
        return file.name

    def _copied(self, source: Path) -> str:
        file = self._file(source.suffix)
        shutil.copyfile(source, file)
        return file.name

    def _file(self, suffix: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        return self.folder / f"{self._count:03d}{suffix}"


class Reader:
    """From `folder`. trusted: types that skops may make beside its own."""

    def __init__(self, folder: Path, trusted: Sequence[str] = ()) -> None:
        self.folder, self.trusted = folder, list(trusted)
        self._read: dict[str, Any] = {}  # the layers of a run share one encoder

    def value(self, plain: Any) -> Any:
        """What `Writer.plain` was given, lists as tuples. Raises VST632 (damaged), VST634 (not trusted)."""
        if isinstance(plain, list):
            return tuple(self.value(item) for item in plain)
        if not isinstance(plain, dict):
            return plain
        kind = plain.get("kind")
        if kind not in _KINDS:
            raise damaged(self.folder, f"nothing is known of {kind!r}")
        if kind == "class":
            return self._made(plain)
        file = self._file(str(plain.get("file")))
        if file.name not in self._read:
            self._read[file.name] = self._of(str(kind), file)
        return self._read[file.name]

    def _of(self, kind: str, file: Path) -> Any:
        if kind == "array":
            return np.load(file, allow_pickle=False)
        if kind == "skops":
            return self._skops(file)
        return _spark(file) if kind == "spark" else file

    def _made(self, plain: dict[str, Any]) -> Any:
        made: Any = _known().get(str(plain.get("class")))
        if made is None:
            raise damaged(self.folder, f"no class {plain.get('class')!r} is known")
        try:
            return made(plain.get("value")) if issubclass(made, Enum) else made(**self._given(made, plain))
        except (TypeError, ValueError) as error:  # a field without a default is missing; no such member
            raise damaged(self.folder, str(error)) from error

    def _given(self, made: Any, plain: dict[str, Any]) -> dict[str, Any]:
        names = {field.name for field in dataclasses.fields(made) if field.init}
        return {name: self.value(value) for name, value in plain.get("fields", {}).items() if name in names}

    def _file(self, name: str) -> Path:
        """A name of this folder, never a way out of it."""
        if PurePosixPath(name).name != name or name.startswith(".") or not (self.folder / name).exists():
            raise damaged(self.folder, f"the part {name!r} is missing")
        return self.folder / name

    def _skops(self, file: Path) -> Any:
        from skops.io import get_untrusted_types, load

        unknown = set(get_untrusted_types(file=file))
        known = {name for name in unknown if _TRUSTED.fullmatch(name)}
        foreign = sorted(unknown - known - set(self.trusted))
        if foreign:
            message = f"{file.name} holds types that are not trusted: {', '.join(foreign)}"
            hint = f"where you trust who made it: vista_nb.load(folder, trusted={foreign!r})"
            raise VistaStoreError("VST634", message, hint)
        return load(file, trusted=sorted(unknown))


def _spark(file: Path) -> Any:
    """It needs a running session."""
    from pyspark.ml import PipelineModel

    return PipelineModel.load(f"file:{file.absolute()}").stages[0]


def damaged(folder: Path, why: str) -> VistaStoreError:
    """VST632."""
    return VistaStoreError("VST632", f"{folder} cannot be read: {why}", "save the result again, and copy all of it")


def _no_form(what: str, why: str) -> VistaStoreError:
    hint = "save other layers (`layers=[...]`), or use a model of scikit-learn, pyspark.ml or Keras"
    return VistaStoreError("VST633", f"{what} cannot be saved without pickle: it holds {why}", hint)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
