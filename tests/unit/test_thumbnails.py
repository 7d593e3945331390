"""Small photos for people: views together, odd files named, never an exception."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from seen_run import photo_tables

from vista_nb.executor.cnn.decode import MAX_PIXELS
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.thumbnails import Thumbnail, thumbnails


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_a_photo_fits_and_keeps_its_shape(tmp_path: Path) -> None:
    """300 x 150 becomes 128 x 64, a JPEG of a few kB, with its path."""
    found = thumbnails(photo_tables(tmp_path, ["a", "b"]), ["b"], 128)
    assert list(found) == ["b"]
    assert opened(found["b"].jpeg).size == (128, 64)
    assert len(found["b"].jpeg) < 5_000
    assert found["b"].path == str(tmp_path / "photo1_0.jpg")


@pytest.mark.parametrize(("views", "size"), [(2, (128, 64)), (3, (128, 128)), (4, (128, 128))])
def test_views_stand_side_by_side(tmp_path: Path, views: int, size: tuple[int, int]) -> None:
    """One picture of all views, in their order: the second is greener than the first."""
    sheet = opened(thumbnails(photo_tables(tmp_path, ["a"], views), ["a"], 128)["a"].jpeg)
    assert sheet.size == size
    left, right = sheet.getpixel((32, 32)), sheet.getpixel((96, 32))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[1] < 30 < right[1]


def test_bytes_of_the_table_and_upright(tmp_path: Path) -> None:
    """Content instead of paths; EXIF orientation is honoured."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100), "red").save(buffer, "JPEG", exif=exif)
    links = pa.table({"key": ["a"], "view": [0], "digest": ["d"]})
    images = pa.table({"digest": ["d"], "content": [buffer.getvalue()], "size": [1]})
    found = thumbnails(ImageTables(links, images), ["a"], 64)["a"]
    assert opened(found.jpeg).size == (32, 64)
    assert found.path == ""


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    """Gone, damaged, elsewhere, without a photo at all: a reason in place of the picture."""
    tables = photo_tables(tmp_path, ["gone", "broken", "away", "fine"])
    (tmp_path / "photo0_0.jpg").unlink()
    (tmp_path / "photo1_0.jpg").write_bytes(b"no picture")
    rows = tables.images.to_pylist()
    rows[2]["path"] = "hdfs://host/photo.jpg"
    found = thumbnails(
        ImageTables(tables.links, pa.Table.from_pylist(rows)), ["gone", "broken", "away", "none", "fine"], 64
    )
    assert "No such file" in found["gone"].why
    assert found["broken"].why == "not a picture in a known format"
    assert found["away"].why == "the photo lies on another file system"
    assert found["none"] == Thumbnail(why="no photo")
    assert found["fine"].why == ""
    assert [bool(thumbnail.jpeg) for thumbnail in found.values()] == [False, False, False, False, True]


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    """The size cap of the CNN's decoder holds here too."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = int(MAX_PIXELS**0.5) + 100
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    tables = photo_tables(tmp_path, ["a"])
    (tmp_path / "photo0_0.jpg").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    assert thumbnails(tables, ["a"], 64)["a"].why.startswith("too large")
