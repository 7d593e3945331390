"""Read T_img's shape without opening a picture: which file belongs to which key, and each file's digest.

Reads a spec's image sources, the rows of T_str and folder listings; returns ImageTables. May touch: image files (read
only, to hash them and to look at a few headers) and the cache of digests. DESIGN.md sections 3 (images, bad_images)
and 9: T_img is a link table (key, view, digest) plus one row per distinct digest. Rows without a label are left out
here (semi-join push-down): their photos are neither hashed nor inferred.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.errors import NotSupportedYet, VistaDataError
from vista_nb.executor.arrow_lists import binary_list, int_list, string_list
from vista_nb.executor.image_sources import ViewFiles, resolve_view
from vista_nb.executor.inputs import ImageTables, in_table
from vista_nb.executor.probe_table import source_folder
from vista_nb.executor.remote_files import RemoteFiles, remote_files
from vista_nb.executor.uris import is_remote, local_path
from vista_nb.outcome.scores import BadImage
from vista_nb.spec.model import Spec
from vista_nb.store.digests import FileDigest, digest_bytes, digest_files
from vista_nb.store.files import store_root

__all__ = ["IMAGES_BYTES", "IMAGES_PATHS", "LINKS", "labelled", "link_images"]

LINKS = pa.schema([("key", pa.string()), ("view", pa.int32()), ("digest", pa.string())])
IMAGES_PATHS = pa.schema([("digest", pa.string()), ("path", pa.string()), ("size", pa.int64())])
IMAGES_BYTES = pa.schema([("digest", pa.string()), ("content", pa.binary()), ("size", pa.int64())])
_SAMPLE = 16
_SHOWN = 3  # examples of rows and files that joined nothing


_Photos = dict[str | bytes, FileDigest]
"""By path or by content; an empty digest says why in `error`."""
_First = dict[str, tuple[str | bytes, int]]
"""Digest -> the image that stands for it, and its bytes."""


def link_images(
    spec: Spec,
    rows: pa.Table,
    *,
    reread: bool = False,
    namespace: Mapping[str, object] | None = None,
    cache: Path | None = None,
) -> ImageTables:
    """The image tables of `rows` (checked by `check_keys`). reread: hash every file, whatever the cache knows.

    cache: where digests are remembered, by default beside the store.

    Raises VistaDataError VST331 when no row has a file (in one of the views). Rows with some views missing are bad,
    with all missing unmatched; a file the table names but nobody can open is bad.
    """
    whole, rows = rows, labelled(rows, spec.label)
    keys: list[str] = rows.column(spec.on).to_pylist()
    cache = cache or store_root() / "digests.sqlite"
    with remote_files(cache.parent, dict(spec.resources.spark)) as remote:
        views = _views(spec, rows, namespace or {}, remote)
        _refuse_empty(views)
        if rows.num_rows < whole.num_rows:
            views = _without_unlabelled(views, _views(spec, whole, namespace or {}, remote))
        photos = _photos(views, cache, reread, remote)
    links, bad, alone = _link(keys, views, photos)
    first = _first_of(photos, {digest for _, _, digest in links})
    tables = _tables(links, bad, views, photos, first)
    copies = _copies(keys, views, photos, first)
    tables = replace(tables, no_image=len(alone), no_image_some=tuple(alone[:_SHOWN]), copies=copies)
    return replace(tables, mean_pixels=remote.pixels) if remote.pixels else tables


def _views(spec: Spec, rows: pa.Table, namespace: Mapping[str, object], remote: RemoteFiles) -> list[ViewFiles]:
    """Each view's file of every row."""
    keys: list[str] = rows.column(spec.on).to_pylist()
    folders = [folder for folder in (source_folder(spec.structured), Path()) if folder is not None]
    return [resolve_view(source, rows, keys, folders, namespace, remote) for source in spec.images]


def _without_unlabelled(views: Sequence[ViewFiles], whole: Sequence[ViewFiles]) -> list[ViewFiles]:
    """A photo whose row has no label is not without a row: only files that no row at all has are."""
    return [replace(view, strays=of_all.strays) for view, of_all in zip(views, whole, strict=True)]


def _refuse_empty(views: Sequence[ViewFiles]) -> None:
    """A view without any file is a slip in its pattern, not a table full of bad photos."""
    for number, view in enumerate(views, 1):
        if not view.found:
            which = f" in view {number}" if len(views) > 1 else ""
            raise VistaDataError("VST331", f"no row of the table has an image{which}: {view.example}", _MISMATCH)


_MISMATCH = "key mismatch: `on:` names the key, `images:` how a key becomes a file name"


def labelled(rows: pa.Table, label: str | None) -> pa.Table:
    """The rows that have a label: no other row needs a photo."""
    if label is None or label not in rows.column_names:
        return rows
    column = rows.column(label)
    missing = pc.is_null(column, nan_is_null=True)
    if pa.types.is_floating(column.type):
        missing = pc.or_kleene(missing, pc.is_inf(column))  # nothing to learn, nothing to score
    return rows.filter(pc.invert(missing)) if pc.any(missing).as_py() else rows


def _photos(views: Sequence[ViewFiles], cache: Path, reread: bool, remote: RemoteFiles) -> _Photos:
    """Every distinct path or content of all views, hashed once."""
    contents = {c for view in views if view.contents is not None for c in view.contents if c is not None}
    paths = sorted({p for view in views if view.contents is None for p in view.paths if p is not None})
    if contents and paths:
        raise NotSupportedYet("VST932", "views mix files and bytes, which this version cannot", "store both as files")
    photos: _Photos = {content: FileDigest(digest_bytes(content), len(content)) for content in contents}
    files = {path: Path(local_path(path)) for path in paths if not is_remote(path)}
    digests = digest_files(files.values(), cache, reread=reread)
    photos.update({path: digests[file] for path, file in files.items()})
    away = [path for path in paths if is_remote(path)]
    if away:
        photos.update(remote.digests(away, cache, reread=reread))
    return photos


def _link(
    keys: Sequence[str], views: Sequence[ViewFiles], photos: _Photos
) -> tuple[list[tuple[str, int, str]], list[BadImage], list[str]]:
    """(links, bad images, keys without any image). A record is in only with all its views."""
    links: list[tuple[str, int, str]] = []
    bad: list[BadImage] = []
    alone: list[str] = []
    for row, key in enumerate(keys):
        named = [view.of(row) for view in views]
        if all(image is None for image in named):
            alone.append(key)
            continue
        found = (_refused(key, n, image, views[n], row, photos) for n, image in enumerate(named))
        refused = [one for one in found if one is not None]
        bad.extend(refused)
        if not refused:
            links.extend((key, n, photos[image].digest) for n, image in enumerate(named) if image is not None)
    return links, bad, alone


def _refused(
    key: str, number: int, image: str | bytes | None, view: ViewFiles, row: int, photos: _Photos
) -> BadImage | None:
    """Why one image of a record cannot be used, None where it can."""
    if image is None:
        meant = view.meant[row] if view.meant else None
        return BadImage(key, meant or "", "scan", f"view {number + 1} has no file")
    photo = photos[image]
    path = image if isinstance(image, str) else in_table(key)
    if not photo.digest:
        return BadImage(key, path, "scan", photo.error or "cannot be read")
    return None if photo.size else BadImage(key, path, "scan", "empty file")


def _first_of(photos: _Photos, used: set[str]) -> _First:
    """Of files with equal bytes the first path by name."""
    first: _First = {}
    for image in sorted(photos, key=str):
        photo = photos[image]
        if photo.digest in used:
            first.setdefault(photo.digest, (image, photo.size))
    return first


def _copies(
    keys: Sequence[str], views: Sequence[ViewFiles], photos: _Photos, first: _First
) -> dict[tuple[str, int], str]:
    """(key, view) -> its own path, where the image table names another file with the same bytes."""
    named = ((key, n, view.of(row)) for row, key in enumerate(keys) for n, view in enumerate(views))
    return {
        (key, n): path
        for key, n, path in named
        if isinstance(path, str) and first.get(photos[path].digest, (path, 0))[0] != path
    }


def _tables(
    links: Sequence[tuple[str, int, str]],
    bad: Sequence[BadImage],
    views: Sequence[ViewFiles],
    photos: _Photos,
    first: _First,
) -> ImageTables:
    """One row per distinct digest that a link names."""
    rows = sorted(first.items())
    in_bytes = any(isinstance(image, bytes) for image in photos)
    sizes = [size for _, (_, size) in rows]
    files = [image for _, (image, _) in rows]
    third = binary_list(files) if in_bytes else string_list(files)  # type: ignore[arg-type]
    columns = [string_list([digest for digest, _ in rows]), third, int_list(sizes, pa.int64())]
    linked = [string_list([k for k, _, _ in links]), int_list([v for _, v, _ in links], pa.int32())]
    return ImageTables(
        links=pa.Table.from_arrays([*linked, string_list([d for _, _, d in links])], schema=LINKS),
        images=pa.Table.from_arrays(columns, schema=IMAGES_BYTES if in_bytes else IMAGES_PATHS),
        bad=tuple(bad),
        unmatched=sum(len(view.strays) for view in views),
        unmatched_some=tuple(stray for view in views for stray in view.strays)[:_SHOWN],
        mean_bytes=sum(sizes) // len(sizes) if sizes else 0,
        mean_pixels=_mean_pixels(files),
    )


def _mean_pixels(images: Sequence[str | bytes]) -> int:
    """Width x height of a spread sample, from the files' headers."""
    from PIL import Image

    step = max(1, len(images) // _SAMPLE)
    pixels = []
    for image in images[::step][:_SAMPLE]:
        try:
            with Image.open(io.BytesIO(image) if isinstance(image, bytes) else local_path(image)) as header:
                pixels.append(header.width * header.height)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # the worker that decodes it will say what is wrong
    return sum(pixels) // len(pixels) if pixels else 224 * 224
