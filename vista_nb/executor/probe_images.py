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
from vista_nb.executor.inputs import ImageTables
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


_Photos = dict[str | bytes, FileDigest]
"""By path or by content; an empty digest says why in `error`."""


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

    Raises VistaDataError VST331 when no row has a file. Rows with some views missing are bad, with all missing
    unmatched; a file the table names but nobody can open is bad.
    """
    rows = labelled(rows, spec.label)
    keys: list[str] = rows.column(spec.on).to_pylist()
    folders = [folder for folder in (source_folder(spec.structured), Path()) if folder is not None]
    cache = cache or store_root() / "digests.sqlite"
    with remote_files(cache.parent, dict(spec.resources.spark)) as remote:
        views = [resolve_view(source, rows, keys, folders, namespace or {}, remote) for source in spec.images]
        if not any(view.found for view in views):
            raise VistaDataError("VST331", f"no row of the table has an image: {views[0].example}", _MISMATCH)
        photos = _photos(views, cache, reread, remote)
    links, bad, no_image = _link(keys, views, photos)
    tables = _tables(links, bad, no_image, views, photos)
    return replace(tables, mean_pixels=remote.pixels) if remote.pixels else tables


_MISMATCH = "key mismatch: `on:` names the key, `images:` how a key becomes a file name"


def labelled(rows: pa.Table, label: str | None) -> pa.Table:
    """The rows that have a label: no other row needs a photo."""
    if label is None or label not in rows.column_names:
        return rows
    column = rows.column(label)
    missing = pc.is_null(column, nan_is_null=True)
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
) -> tuple[list[tuple[str, int, str]], list[BadImage], int]:
    """(links, bad images, rows without any image). A record is in only with all its views."""
    links: list[tuple[str, int, str]] = []
    bad: list[BadImage] = []
    no_image = 0
    for row, key in enumerate(keys):
        named = [view.of(row) for view in views]
        if all(image is None for image in named):
            no_image += 1
            continue
        refused = [b for b in (_refused(key, n, image, photos) for n, image in enumerate(named)) if b is not None]
        bad.extend(refused)
        if not refused:
            links.extend((key, n, photos[image].digest) for n, image in enumerate(named) if image is not None)
    return links, bad, no_image


def _refused(key: str, view: int, image: str | bytes | None, photos: _Photos) -> BadImage | None:
    """Why one image of a record cannot be used, None where it can."""
    if image is None:
        return BadImage(key, "", "scan", f"view {view + 1} has no file")
    photo = photos[image]
    path = image if isinstance(image, str) else f"bytes of row {key}"
    return None if photo.digest else BadImage(key, path, "scan", photo.error or "cannot be read")


def _tables(
    links: Sequence[tuple[str, int, str]],
    bad: Sequence[BadImage],
    no_image: int,
    views: Sequence[ViewFiles],
    photos: _Photos,
) -> ImageTables:
    """One row per distinct digest that a link names; of files with equal bytes the first path by name."""
    used = {digest for _, _, digest in links}
    first: dict[str, tuple[str | bytes, int]] = {}
    for image in sorted(photos, key=str):
        photo = photos[image]
        if photo.digest in used:
            first.setdefault(photo.digest, (image, photo.size))
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
        no_image=no_image,
        unmatched=sum(view.unmatched for view in views),
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
