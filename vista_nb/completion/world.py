"""What may be named in a cell: CNNs and their layers, estimators, notebook variables, columns, files, runs.

Reads the roster, the notebook's variables and the disk; returns names. May touch: folders and the heads of table files
(read only). Nothing is imported that the user has not imported, but for the reader of Parquet's column names.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.workload import EstimatorFacts

__all__ = ["World"]

_TABLES = ("pandas", "pyarrow", "pyspark", "polars")
_MOST_FILES = 200


class World:
    """Everything by name. namespace: the notebook's variables, which are looked at and never called."""

    def __init__(self, namespace: Mapping[str, object], folder: Path | None = None) -> None:
        self.namespace = namespace
        self.folder = folder or Path()

    # -- the roster -------------------------------------------------------------------------------------------------

    def cnns(self) -> tuple[str, ...]:
        return load_roster().names

    def layers(self, cnn: str) -> tuple[str, ...]:
        """Layers, high to low, then their aliases; of a variable its Keras layers; of a file what is known of it."""
        name = cnn.strip().strip("'\"")
        facts = load_roster().find(name)
        if facts is None and name.startswith("$"):
            model = self.namespace.get(name[1:])
            return tuple(str(layer.name) for layer in reversed(getattr(model, "layers", ())))
        if facts is None and name.endswith(".keras"):
            from vista_nb.session.own_models import find_own_cnn

            own = find_own_cnn(name, {}, load_roster(), probe=False)
            facts = own.facts if own is not None else None
        if facts is None:
            return ()
        names = tuple(layer.name for layer in reversed(facts.layers))
        return (*names, *(alias for layer in reversed(facts.layers) for alias in layer.aliases))

    def estimators(self) -> tuple[str, ...]:
        """`LogisticRegression`, `sklearn.LogisticRegression`, ...: those that can be trained."""
        known = load_estimators()
        return (
            *known.names("pyspark", supported=True),
            *(f"sklearn.{n}" for n in known.names("sklearn", supported=True)),
        )

    def parameters(self, estimator: str) -> tuple[str, ...]:
        """Of `LogisticRegression`, `sklearn.SVC`, or the same with its whole module path; of `$name` its own."""
        facts = self._estimator(estimator.strip())
        return facts.parameters if facts is not None else ()

    def inner_estimators(self, estimator: str, parameter: str) -> tuple[str, ...]:
        """What may stand for a parameter that takes an estimator; none for another."""
        facts = self._estimator(estimator.strip())
        if facts is None or parameter not in facts.nested:
            return ()
        return tuple(name for name in self.estimators() if name.startswith("sklearn.") == (facts.library == "sklearn"))

    def _estimator(self, written: str) -> EstimatorFacts | None:
        if written.startswith("$"):
            from vista_nb.session.own_estimators import find_own_model
            from vista_nb.spec.model import EstimatorCall, Spec

            with suppress(Exception):  # no such variable, or no model
                found = find_own_model(Spec(model=EstimatorCall("variable", written[1:])), self.namespace)
                return None if found is None else found.facts
            return None
        library = "sklearn" if written.startswith("sklearn") else "pyspark"
        return load_estimators().find(library, written.rpartition(".")[2])

    # -- the notebook -----------------------------------------------------------------------------------------------

    def variables(self, kind: str) -> tuple[str, ...]:
        """Names of one kind, in the order they were made: table | cnn | model | text."""
        of_kind = {"table": _is_table, "cnn": _is_keras_model, "model": _can_fit, "text": _is_text}[kind]
        found = []
        for name, value in list(self.namespace.items()):
            if not name.startswith("_") and name not in ("In", "Out"):
                with suppress(Exception):  # a variable may refuse to be looked at
                    if of_kind(value):
                        found.append(name)
        return tuple(found)

    def columns(self, structured: str) -> tuple[str, ...]:
        """Columns of the table that `structured:` names, a variable or a file; none where it cannot be read."""
        text = structured.strip().strip("'\"")
        name = text.removeprefix("$")
        with suppress(Exception):
            if name in self.namespace:
                return tuple(str(column) for column in _columns_of(self.namespace[name]))
            return _columns_in(self._file(text))
        return ()

    def runs(self, saved: bool = True) -> tuple[str, ...]:
        """Those of this kernel, the last one first, then the saved ones."""
        from vista_nb.session.runs import known_runs
        from vista_nb.session.saved_runs import saved_names

        return (*(result.run_id for result in reversed(known_runs())), *(saved_names() if saved else ()))

    # -- the disk ---------------------------------------------------------------------------------------------------

    def _file(self, text: str) -> Path:
        path = self.folder / Path(text).expanduser()
        if not path.is_file():
            path = min(self.folder.glob(text)) if not Path(text).is_absolute() else path
        return path

    def paths(self, beginning: str, suffixes: Iterable[str] = ()) -> tuple[str, ...]:
        """Files (of these suffixes, else all) and folders, written as they were begun."""
        wanted = tuple(suffixes)
        head, slash, tail = beginning.rpartition("/")
        found = []
        with suppress(OSError), os.scandir(self.folder / Path(head + slash).expanduser()) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") and not tail.startswith(".")
                if hidden or not entry.name.startswith(tail):
                    continue
                if entry.is_dir():
                    found.append(f"{head}{slash}{entry.name}/")
                elif not wanted or entry.name.endswith(wanted):
                    found.append(f"{head}{slash}{entry.name}")
        return tuple(sorted(found)[:_MOST_FILES])


def _is_table(value: object) -> bool:
    module = type(value).__module__.split(".")[0]
    return module in _TABLES and type(value).__name__ in ("DataFrame", "Table", "RecordBatch")


def _is_keras_model(value: object) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def _can_fit(value: object) -> bool:
    """An object that is trained; of Keras models those that take vectors, not photos."""
    if isinstance(value, type) or not callable(getattr(type(value), "fit", None)):
        return False
    return not _is_keras_model(value) or all(len(each.shape) == 2 for each in getattr(value, "inputs", None) or ())


def _is_text(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, str | int | float | os.PathLike)


def _columns_of(value: Any) -> Iterable[object]:
    found: Iterable[object] = value.column_names if hasattr(value, "column_names") else value.columns
    return found


def _columns_in(path: Path) -> tuple[str, ...]:
    """The first line of a csv or tsv file, the first record of JSON lines, the footer of Parquet."""
    if path.suffix in (".csv", ".tsv"):
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            return tuple(next(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")))
    if path.suffix in (".jsonl", ".ndjson"):
        import json

        with path.open(encoding="utf-8", errors="replace") as file:
            return tuple(json.loads(file.readline()))
    if path.suffix in (".parquet", ".pq"):
        from pyarrow.parquet import read_schema

        return tuple(read_schema(path).names)
    return ()
