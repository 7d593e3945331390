"""How a key becomes a file: pattern, folder, glob, or a column of paths or bytes.

Reads one ImageSource, the rows of T_str and folder listings; returns a path or bytes per row. May touch: the file
system (listings only). DESIGN.md section 3 (images): a pattern, folder or glob without a file for a key is an
unmatched row; a path that a column names is a promise, so a missing file is a bad image.
"""

from __future__ import annotations

import difflib
import glob
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from vista_nb.errors import NotSupportedYet, VistaDataError
from vista_nb.executor.probe_columns import as_text
from vista_nb.executor.remote_files import RemoteFiles
from vista_nb.executor.uris import from_file_uri, is_remote, is_uri, local_path
from vista_nb.spec.model import ImageSource

__all__ = ["IMAGE_SUFFIXES", "ViewFiles", "resolve_view"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_FIELD = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class ViewFiles:
    """One view, row by row. paths (or contents, where the table holds bytes): None where the row has no image.

    named: the table itself names the file. found: rows with a file. strays: files without a row. example: one sentence
    that shows a key beside a file name, for the error about mismatched keys. meant: the path a row's file would have,
    where a pattern says it.
    """

    paths: tuple[str | None, ...]
    contents: tuple[bytes | None, ...] | None = None
    named: bool = False
    found: int = 0
    strays: tuple[str, ...] = ()
    example: str = ""
    meant: tuple[str | None, ...] = ()

    def of(self, row: int) -> str | bytes | None:
        """The image of one row: its path or its bytes."""
        return self.contents[row] if self.contents is not None else self.paths[row]


def resolve_view(
    source: ImageSource,
    rows: pa.Table,
    keys: Sequence[str],
    folders: Sequence[Path],
    namespace: Mapping[str, object],
    remote: RemoteFiles | None = None,
) -> ViewFiles:
    """Files of one view. folders: where relative paths start, tried in order. remote: lists other file systems.

    Raises VistaDataError VST33x.
    """
    text = source.text
    if source.kind == "variable":
        value = namespace.get(text.removeprefix("$"))
        if not isinstance(value, str | Path):
            raise NotSupportedYet("VST933", f"{text} is not a folder or pattern as text", "write the path itself")
        text = str(value)
    if text in rows.column_names:
        return _column(text, rows.column(text), keys, folders, remote)
    if is_remote(text):
        assert remote is not None
        return _remote(text, rows, keys, remote)
    if is_uri(text):
        return _as_uris(_local(local_path(text), rows, keys, folders))
    return _local(text, rows, keys, folders)


def _local(text: str, rows: pa.Table, keys: Sequence[str], folders: Sequence[Path]) -> ViewFiles:
    text = os.path.expanduser(text)  # noqa: PTH111 (a pattern, not a path yet)
    if _FIELD.search(text):
        return _pattern(text, rows, keys, folders)
    if glob.has_magic(text):
        return _listing(text, _glob(text, folders), keys)
    return _listing(text, _folder(text, rows.column_names, folders), keys)


def _remote(text: str, rows: pa.Table, keys: Sequence[str], remote: RemoteFiles) -> ViewFiles:
    """The same three forms on another file system; files without a row are not looked for under a pattern."""
    if _FIELD.search(text):
        names = _filled(text, rows)
        paths = remote.present(names)
        example = f"key {keys[0]!r} means {names[0]!r}, which is not there" if keys else ""
        return ViewFiles(paths, None, False, sum(path is not None for path in paths), (), example)
    files = remote.glob(text)
    if not files:
        raise VistaDataError("VST335", f"images: no file matches {text}", "check the address of the folder")
    magic = glob.has_magic(text)
    return _listing(text, [f for f in files if magic or f.lower().endswith(IMAGE_SUFFIXES)], keys)


def _as_uris(view: ViewFiles) -> ViewFiles:
    """Local files that the user named by `file:`: every node has them."""
    paths = tuple(None if path is None else from_file_uri(str(Path(path).absolute())) for path in view.paths)
    return replace(view, paths=paths)


def _pattern(text: str, rows: pa.Table, keys: Sequence[str], folders: Sequence[Path]) -> ViewFiles:
    """`photos/{id}_front.jpg`: fill in, then ask for each file; the first folder that has any wins."""
    names = _filled(text, rows)
    best: tuple[str | None, ...] = (None,) * len(keys)
    base = folders[0]
    for folder in folders:
        paths = tuple(None if name is None else os.path.join(folder, name) for name in names)  # noqa: PTH118 (hot)
        present = _existing(paths)
        if any(present):
            best, base = present, folder
            break
    found = sum(path is not None for path in best)
    files = _listed(text, base)
    example = f"key {keys[0]!r} means {names[0]!r}, which is not there; {_there(files, base / text)}" if keys else ""
    used = {os.path.realpath(path) for path in best if path is not None}
    strays = tuple(path for path in files if os.path.realpath(path) not in used)
    meant = tuple(None if name is None else os.path.join(base, name) for name in names)  # noqa: PTH118 (hot)
    return ViewFiles(best, None, False, found, strays, example, meant)


def _filled(text: str, rows: pa.Table) -> list[str | None]:
    """The pattern with each row's values put in as text; never `str.format`, which would look up attributes."""
    pieces = _FIELD.split(text)
    missing = [name for name in pieces[1::2] if name not in rows.column_names]
    if missing:
        close = difflib.get_close_matches(missing[0], rows.column_names, 1)
        hint = f"did you mean {{{close[0]}}}?" if close else f"the columns are {', '.join(rows.column_names[:8])}"
        raise VistaDataError("VST332", f"images: {text} names the column {missing[0]!r}, which is not there", hint)
    columns = {name: as_text(rows.column(name)).to_pylist() for name in set(pieces[1::2])}
    filled: list[str | None] = []
    for row in range(rows.num_rows):
        values = [columns[name][row] for name in pieces[1::2]]
        parts = [*(pieces[2 * i] + (value or "") for i, value in enumerate(values)), pieces[-1]]
        filled.append(None if None in values else "".join(parts))
    return filled


def _existing(paths: Sequence[str | None]) -> tuple[str | None, ...]:
    """The paths that are files; one listing per folder instead of one question per file."""
    listings: dict[str, dict[str, str]] = {}  # folder -> name as asked for -> name as it is there
    result: list[str | None] = []
    for path in paths:
        if path is None:
            result.append(None)
            continue
        folder, name = os.path.split(path)
        if folder not in listings:
            names = _names(folder)
            # files copied from a Mac have decomposed accents
            listings[folder] = {_normal(n): n for n in names} | {n: n for n in names}
        real = listings[folder].get(name) or listings[folder].get(_normal(name))
        result.append(None if real is None else path if real == name else os.path.join(folder, real))  # noqa: PTH118
    return tuple(result)


def _names(folder: str) -> set[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except OSError:
        return set()


def _listed(text: str, base: Path) -> list[str]:
    """Files that the pattern could mean; none where a `{column}` stands in a folder's name (too many to look at)."""
    folder, name = os.path.split(os.path.join(base, text))  # noqa: PTH118 (the pattern is text)
    if _FIELD.search(folder):
        return []
    shape = re.compile("".join(re.escape(p) if i % 2 == 0 else ".+" for i, p in enumerate(_FIELD.split(name))))
    return sorted(os.path.join(folder, n) for n in _names(folder) if shape.fullmatch(n))  # noqa: PTH118


def _listing(text: str, files: Sequence[str], keys: Sequence[str]) -> ViewFiles:
    """A folder or glob: the file's stem is the key. Composed and decomposed accents count as the same."""
    by_stem: dict[str, str] = {}
    for path in files:
        stem = _normal(Path(path).stem)
        if stem in by_stem:
            raise VistaDataError(
                "VST333", f"{by_stem[stem]} and {path} both belong to key {stem!r}", "keep one, or write a pattern"
            )
        by_stem[stem] = path
    wanted = [_normal(key) for key in keys]
    paths = tuple(by_stem.get(key) for key in wanted)
    example = f"key {keys[0]!r} has no file; {_there(files, Path(text))}" if keys else ""
    strays = tuple(sorted(by_stem[stem] for stem in by_stem.keys() - set(wanted)))
    found = sum(p is not None for p in paths)
    return ViewFiles(paths, None, False, found, strays, example)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _folder(text: str, columns: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The image files right inside the folder `text`."""
    for folder in folders:
        place = folder / Path(text).expanduser()
        if place.is_dir():
            names = sorted(n for n in _names(str(place)) if n.lower().endswith(IMAGE_SUFFIXES))
            return [os.path.join(place, n) for n in names]  # noqa: PTH118 (as in _pattern)
    close = difflib.get_close_matches(text, columns, 1)
    hint = f"did you mean the column {close[0]}?" if close else "write photos/{id}.jpg, a folder, or a column"
    raise VistaDataError("VST334", f"images: {text} is neither a folder nor a column", hint)


def _glob(text: str, folders: Sequence[Path]) -> list[str]:
    for folder in folders:
        found = glob.glob(os.path.join(folder, Path(text).expanduser()), recursive=True)  # noqa: PTH118, PTH207
        files = sorted(path for path in found if Path(path).is_file())
        if files:
            return files
    raise VistaDataError("VST335", f"images: no file matches {text}", f"relative paths start at {folders[0].resolve()}")


def _column(
    name: str, column: pa.ChunkedArray, keys: Sequence[str], folders: Sequence[Path], remote: RemoteFiles | None
) -> ViewFiles:
    """A column of paths or bytes (or of Hugging Face's struct with `bytes`)."""
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        column, kind = pa.chunked_array([chunk.field("bytes") for chunk in column.chunks]), pa.binary()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        contents = tuple(column.to_pylist())
        found = sum(c is not None for c in contents)
        return ViewFiles((None,) * len(keys), contents, True, found, (), f"the column {name!r} is empty")
    if not pa.types.is_string(kind):
        raise VistaDataError("VST336", f"images: the column {name!r} holds {kind}, not paths or bytes", "name another")
    texts: list[str | None] = as_text(column).to_pylist()
    if any(text is not None and is_uri(text) for text in texts):
        assert remote is not None
        return _uris(name, texts, remote)
    best: tuple[str, list[str | None], int] | None = None
    for folder in folders:
        paths = [t if t is None else os.path.join(folder, t) for t in texts]  # noqa: PTH118
        found = sum(path is not None for path in _existing(paths))
        if best is None or found > best[2]:
            best = (str(folder.resolve()), paths, found)
    assert best is not None
    example = f"the column {name!r} says {next((t for t in texts if t), None)!r}, looked for from {best[0]}"
    return ViewFiles(tuple(best[1]), None, True, best[2], (), example)


def _uris(name: str, texts: Sequence[str | None], remote: RemoteFiles) -> ViewFiles:
    """A column of URIs, of any schemes; a missing file is a bad image, as a path would be."""
    away = remote.present([text for text in texts if text is not None and is_remote(text)])
    listed = iter(away)
    paths: list[str | None] = []
    for text in texts:
        if text is not None and is_remote(text):
            paths.append(next(listed) or text)
        else:
            paths.append(None if text is None else from_file_uri(local_path(text)))
    local = [local_path(path) for path in paths if path is not None and not is_remote(path)]
    found = sum(path is not None for path in (*away, *_existing(local)))
    example = f"the column {name!r} says {next((t for t in texts if t), None)!r}, which is not there"
    return ViewFiles(tuple(paths), None, True, found, (), example)


def _there(files: Sequence[str], wanted: Path) -> str:
    """What lies where the files should be, as a sentence."""
    if files:
        return f"there is {Path(files[0]).name!r}"
    folder = next((p for p in wanted.parents if "{" not in str(p)), Path())
    if not folder.is_dir():
        return f"there is no folder {folder}"
    some = next(iter(sorted(_names(str(folder)))), None)
    return f"{folder} holds {some!r}" if some else f"{folder} is empty"
