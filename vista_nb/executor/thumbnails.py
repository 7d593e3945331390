"""Small pictures of a run's records, for people to look at.

Reads ImageTables and keys, returns JPEG bytes. May touch: the photo files, Pillow. DESIGN.md sections 5 and 11: people
look before they read. A record of several views becomes one picture of them all, side by side. Files are decoded as
for the CNN (`cnn/decode.py`: size capped, upright, RGB); what cannot be shown now is said, never raised.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.executor.cnn.decode import BadImageError, upright
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.uris import is_remote, is_uri, local_path

__all__ = ["Thumbnail", "thumbnails"]

_QUALITY = 78
_GROUND = (255, 255, 255)


@dataclass(frozen=True)
class Thumbnail:
    """jpeg: empty where there is no picture, and why. path: of the first photo, empty where the table holds bytes."""

    jpeg: bytes = b""
    path: str = ""
    why: str = ""


def thumbnails(images: ImageTables, keys: Sequence[str], side: int) -> Mapping[str, Thumbnail]:
    """One picture per key, no side longer than `side` pixels."""
    links = images.links.filter(pc.is_in(images.links.column("key"), value_set=pa.array(keys, pa.string())))
    digests: dict[str, dict[int, str]] = {}
    for key, view, digest in zip(*(links.column(name).to_pylist() for name in ("key", "view", "digest")), strict=True):
        digests.setdefault(key, {})[view] = digest
    sources = _sources(images, {digest for views in digests.values() for digest in views.values()})
    return {key: _thumbnail([sources.get(d) for _, d in sorted(digests.get(key, {}).items())], side) for key in keys}


def _sources(images: ImageTables, digests: set[str]) -> dict[str, str | bytes]:
    """The path or the bytes of each digest."""
    table = images.images
    rows = table.filter(pc.is_in(table.column("digest"), value_set=pa.array(sorted(digests), pa.string())))
    column = "content" if "content" in table.column_names else "path"
    return dict(zip(rows.column("digest").to_pylist(), rows.column(column).to_pylist(), strict=True))


def _thumbnail(sources: Sequence[str | bytes | None], side: int) -> Thumbnail:
    path = next((source for source in sources if isinstance(source, str)), "")
    if not sources:
        return Thumbnail(why="no photo")
    each = side if len(sources) == 1 else side // math.ceil(math.sqrt(len(sources)))
    try:
        pictures = [_small(source, each) for source in sources]
    except (BadImageError, OSError) as error:
        return Thumbnail(path=path, why=str(error).splitlines()[0] if str(error) else type(error).__name__)
    buffer = io.BytesIO()
    _together(pictures, each).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail(buffer.getvalue(), path)


def _small(source: str | bytes | None, side: int) -> Any:
    """A Pillow picture that fits into side x side."""
    picture = upright(_content(source), side, side).copy()
    picture.thumbnail((side, side))
    return picture


def _content(source: str | bytes | None) -> bytes:
    if source is None:
        raise BadImageError("no photo")
    if isinstance(source, bytes):
        return source
    if is_remote(source):
        raise BadImageError("the photo lies on another file system")
    return Path(local_path(source) if is_uri(source) else source).read_bytes()


def _together(pictures: Sequence[Any], each: int) -> Any:
    """Several views in rows and columns, each in the middle of its cell."""
    from PIL import Image

    if len(pictures) == 1:
        return pictures[0]
    columns = math.ceil(math.sqrt(len(pictures)))
    sheet = Image.new("RGB", (columns * each, math.ceil(len(pictures) / columns) * each), _GROUND)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        corner = (column * each + (each - picture.width) // 2, row * each + (each - picture.height) // 2)
        sheet.paste(picture, corner)
    return sheet
