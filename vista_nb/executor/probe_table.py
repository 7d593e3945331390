"""Read T_str without an engine: a notebook variable, or csv, parquet, json files, as one Arrow table.

Reads the variable or the files a DataSource names, returns Arrow tables and ColumnFacts. May touch: those files
(read only). pandas and Spark are never imported here: their objects bring their own methods. DESIGN.md section 3.
"""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from vista_nb.errors import NotSupportedYet, VistaDataError
from vista_nb.executor.probe_columns import check_keys, column_facts
from vista_nb.spec.model import DataSource

__all__ = ["check_keys", "column_facts", "read_structured", "source_folder", "source_paths"]

_REMOTE = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_HIDDEN_INDEX = re.compile(r"^__index_level_\d+__$")


def read_structured(
    source: DataSource, namespace: Mapping[str, object], columns: Sequence[str] | None = None
) -> pa.Table:
    """T_str as an Arrow table, `columns` of it or all. Raises VistaDataError VST3xx: missing, empty, unreadable."""
    found = _variable(source, namespace)
    table = _from_variable(source.name, found[0]) if found else _from_paths(source_paths(source), source.text)
    table = _plain(table, source.text)
    if columns is not None:
        table = table.select([name for name in table.column_names if name in set(columns)])
    if not table.num_rows:
        raise VistaDataError("VST305", f"the table {source.text} has no rows", "check that the file or query is right")
    return table


def source_paths(source: DataSource) -> tuple[Path, ...]:
    """The files behind a path, folder, glob or file:// URI, sorted. Raises VST302 with near names where none is."""
    text = source.text.removeprefix("file://")
    if _REMOTE.match(text):
        raise NotSupportedYet(
            "VST931", f"cannot read {source.text} yet: only local files", "copy the file, or pass $variable"
        )
    path = Path(text).expanduser()
    if path.is_file():
        return (path,)
    if path.is_dir():
        return _folder(path)
    if glob.has_magic(text):
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207 (absolute and ~ patterns)
        matches = tuple(sorted(Path(name) for name in names if Path(name).is_file()))
        if matches:
            return matches
        raise VistaDataError("VST302", f"no file matches {source.text}", _near(path))
    raise VistaDataError("VST302", f"there is no file {source.text}", _near(path))


def source_folder(source: DataSource | None) -> Path | None:
    """The folder the structured file lies in: image paths are tried relative to it. None for variables."""
    if source is None or source.kind == "variable" or _REMOTE.match(source.text.removeprefix("file://")):
        return None
    path = Path(source.text.removeprefix("file://")).expanduser()
    if path.is_dir():
        return path
    return path.parent if path.parent.is_dir() else None


def _variable(source: DataSource, namespace: Mapping[str, object]) -> tuple[object] | None:
    """The notebook variable, boxed; None where a file is meant. Both there: an error (DESIGN.md section 3)."""
    if source.kind == "path":
        return None
    is_file = source.kind == "either" and Path(source.text).expanduser().exists()
    if source.name in namespace:
        if is_file:
            raise VistaDataError(
                "VST303",
                f"{source.text} is both a variable and a file",
                f"write ${source.text} for the variable or ./{source.text} for the file",
            )
        return (namespace[source.name],)
    if is_file:
        return None
    near = difflib.get_close_matches(source.name, [n for n in namespace if not n.startswith("_")], 1)
    hint = f"did you mean ${near[0]}?" if near else "run the cell that makes it first, or give a path"
    what = "variable" if source.kind == "variable" else "variable or file"
    raise VistaDataError("VST304", f"there is no {what} {source.name}", hint)


def _from_variable(name: str, value: Any) -> pa.Table:
    """pandas, pyarrow and Spark frames, told by module name so that none of them is imported for the question."""
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    library = type(value).__module__.split(".")[0]
    try:
        if library == "pandas" and hasattr(value, "columns"):
            return pa.Table.from_pandas(value)
        if library == "pyspark" and hasattr(value, "toArrow"):
            return value.toArrow()
        if hasattr(value, "__arrow_c_stream__"):
            return pa.table(value)
        if isinstance(value, Mapping):
            return pa.table(dict(value))
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            return pa.Table.from_pylist(value)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise VistaDataError("VST306", f"${name} cannot be read as a table: {_short(error)}", _MIXED) from error
    raise VistaDataError(
        "VST306", f"${name} is a {type(value).__name__}, not a table", "give a pandas, pyarrow or Spark DataFrame"
    )


_MIXED = "a column mixes types: convert it, for example with astype(str)"


def _from_paths(paths: Sequence[Path], text: str) -> pa.Table:
    tables = [_from_path(path) for path in paths]
    try:
        return pa.concat_tables(tables, promote_options="default") if len(tables) > 1 else tables[0]
    except pa.ArrowException as error:
        raise VistaDataError(
            "VST307", f"the files of {text} have different columns: {_short(error)}", "read one kind of file at a time"
        ) from error


def _from_path(path: Path) -> pa.Table:
    kind = _kind(path)
    reader = _READERS.get(kind)
    if reader is None:
        raise VistaDataError("VST308", f"{path}: unknown kind of file", "use .csv, .tsv, .parquet, .json or .jsonl")
    try:
        return reader(path)
    except (pa.ArrowException, OSError, ValueError, AttributeError, TypeError) as error:
        raise VistaDataError(
            "VST309", f"cannot read {path}: {_short(error)}", f"check that it is a whole {kind.lstrip('.')} file"
        ) from error


# what pandas takes for missing, but for spellings of NaN that no table has
_MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None"]


def _read_csv(path: Path) -> pa.Table:
    from pyarrow import csv

    delimiter = "\t" if ".tsv" in path.name.lower() else ","
    # strings are as written, but for an empty field, which is a missing value, as in pandas
    convert = csv.ConvertOptions(strings_can_be_null=True, null_values=_MISSING)
    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)  # titles and texts may have them
    table = csv.read_csv(path, parse_options=parsing, convert_options=convert)
    numbers = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    if not numbers or len(set(table.column_names)) < len(table.column_names):
        return table
    convert.include_columns, convert.column_types = numbers, dict.fromkeys(numbers, pa.string())
    return _with_names(table, csv.read_csv(path, parse_options=parsing, convert_options=convert))


def _with_names(table: pa.Table, texts: pa.Table) -> pa.Table:
    """Columns such as 007 are names, not numbers: a photo is called 007.jpg."""
    import pyarrow.compute as pc

    for name in texts.column_names:
        if pc.any(pc.match_substring_regex(texts[name], "^[+-]?0[0-9]")).as_py():
            table = table.set_column(table.column_names.index(name), name, texts[name])
    return table


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    # one file as it is: a folder named `key=value` around it must not become a column
    return parquet.ParquetFile(path).read()


def _read_json(path: Path) -> pa.Table:
    """One array of objects, or one object per line."""
    with path.open("rb") as file:
        first = file.read(64).lstrip()[:1]
    if first == b"[":
        import json

        rows = json.loads(path.read_text(encoding="utf-8"))
        return pa.Table.from_pylist(rows)
    from pyarrow import json as arrow_json

    return arrow_json.read_json(path)


_READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".json": _read_json,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
}


def _kind(path: Path) -> str:
    """The suffix that says the format: `a.csv.gz` is a csv."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2", ".zst"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _folder(path: Path) -> tuple[Path, ...]:
    """The data files right inside a folder (Spark writes such), markers and hidden files left out."""
    files = tuple(sorted(p for p in path.iterdir() if _kind(p) in _READERS and p.name[0] not in "._"))
    if not files:
        raise VistaDataError("VST302", f"the folder {path} holds no csv, parquet or json file", _near(path / "x"))
    return files


def _plain(table: pa.Table, text: str) -> pa.Table:
    """Dictionary columns (pandas categories) decoded, one type of text, hidden indexes and metadata off."""
    names = table.column_names
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise VistaDataError("VST310", f"{text} has the column {double[0]!r} more than once", "rename one of them")
    pairs = zip(names, table.columns, strict=True)
    return pa.table({name: _plain_column(column) for name, column in pairs if not _HIDDEN_INDEX.match(name)})


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    types = pa.types
    if types.is_dictionary(column.type):
        try:
            column = column.cast(column.type.value_type)
        except pa.ArrowException:  # intervals of pandas.cut: no cast, but a take
            parts = [chunk.dictionary.take(chunk.indices) for chunk in column.chunks]
            column = pa.chunked_array(parts, column.type.value_type)
    if types.is_large_string(column.type) or types.is_string_view(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float64()) if types.is_decimal(column.type) else column


def _near(path: Path) -> str:
    """A hint: the neighbour with the closest name, or what the nearest existing folder holds."""
    folder = next((p for p in path.parents if p.is_dir()), Path())
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    wanted = path.name if folder == path.parent else path.relative_to(folder).parts[0]
    close = difflib.get_close_matches(wanted, names, 1, 0.6)
    if close:
        return f"did you mean {folder / close[0]}?"
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{folder} holds {shown}" if names else f"{folder} is empty"


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
