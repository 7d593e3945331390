"""Which file belongs to which key: patterns, folders, globs, columns; unmatched, bad, identical, several views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from executor_support import photo

from vista_nb.errors import VistaDataError
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.probe_images import link_images
from vista_nb.spec.model import DataSource, ImageSource, Spec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photos; `c` is a copy of `a`, and nobody's photo is there too."""
    (tmp_path / "photos").mkdir()
    for place, name in enumerate(("a", "b", "nobody")):
        photo(tmp_path / "photos" / f"{name}.jpg", "red", place)
    (tmp_path / "photos" / "c.jpg").write_bytes((tmp_path / "photos" / "a.jpg").read_bytes())
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path


def link(folder: Path, *sources: tuple[str, str], table: pa.Table | None = None, **spec: Any) -> ImageTables:
    rows = table if table is not None else pa.table({"id": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"]})
    images = tuple(ImageSource(text, kind) for text, kind in sources)
    made = Spec(structured=DataSource(str(folder / "t.csv"), "path"), images=images, label="label", **spec)
    return link_images(made, rows, cache=folder / "digests.sqlite")


@pytest.mark.parametrize(
    "source", [("photos/{id}.jpg", "pattern"), ("photos", "folder_or_column"), ("photos/*.jpg", "glob")]
)
def test_three_ways_give_the_same_links(folder: Path, source: tuple[str, str]) -> None:
    """Relative to the table's folder; identical photos are one image; a key without a file is unmatched, not bad."""
    images = link(folder, source)
    assert images.links.column("key").to_pylist() == ["a", "b", "c"]
    assert images.images.num_rows == 2
    assert (images.no_image, images.unmatched, images.bad) == (1, 1, ())
    assert images.mean_pixels == 40 * 32
    assert images.images.column("path").to_pylist()[0].endswith(".jpg")
    assert images.mean_bytes > 100


def test_relative_to_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the table's folder has none, the working folder is tried."""
    monkeypatch.chdir(folder)
    spec = Spec(structured=DataSource("$t", "variable"), images=(ImageSource("photos/{id}.jpg", "pattern"),))
    images = link_images(spec, pa.table({"id": ["a"]}), cache=folder / "d.sqlite")
    assert images.links.num_rows == 1


def test_rows_without_label_are_not_linked(folder: Path) -> None:
    """Semi-join push-down: their photos are neither hashed nor inferred."""
    table = pa.table({"id": ["a", "b"], "label": ["x", None]})
    assert link(folder, ("photos/{id}.jpg", "pattern"), table=table).links.column("key").to_pylist() == ["a"]


def test_a_column_of_paths_is_a_promise(folder: Path) -> None:
    """A named file that is missing is bad; an empty name is an unmatched row."""
    table = pa.table(
        {"id": ["a", "b", "c"], "label": ["x", "y", "x"], "file": ["photos/a.jpg", "photos/gone.jpg", None]}
    )
    images = link(folder, ("file", "folder_or_column"), table=table)
    assert images.links.column("key").to_pylist() == ["a"]
    assert [(bad.key, bad.stage) for bad in images.bad] == [("b", "scan")]
    assert images.bad[0].path.endswith("gone.jpg")
    assert images.no_image == 1


def test_a_column_of_bytes(folder: Path) -> None:
    """Contents travel as they are; the digest is of the content, so a file and its bytes are one image."""
    content = (folder / "photos" / "a.jpg").read_bytes()
    table = pa.table({"id": ["a", "b"], "label": ["x", "y"], "photo": pa.array([content, content], pa.binary())})
    images = link(folder, ("photo", "folder_or_column"), table=table)
    assert images.images.column_names == ["digest", "content", "size"]
    assert images.images.num_rows == 1
    by_file = link(folder, ("photos/{id}.jpg", "pattern"))
    assert images.images.column("digest")[0] in list(by_file.images.column("digest"))


def test_several_views_all_or_none(folder: Path) -> None:
    """A record with one view missing is bad, with all missing unmatched."""
    (folder / "back").mkdir()
    photo(folder / "back" / "a.jpg", "blue", 1)
    images = link(folder, ("photos/{id}.jpg", "pattern"), ("back/{id}.jpg", "pattern"))
    assert images.links.to_pylist()[0]["view"] == 0
    assert sorted(zip(*(images.links.column(c).to_pylist() for c in ("key", "view")), strict=True)) == [
        ("a", 0), ("a", 1)
    ]  # fmt: skip
    assert [bad.key for bad in images.bad] == ["b", "c"]
    assert images.no_image == 1


def test_no_match_at_all_says_why(folder: Path) -> None:
    """Leading zeros are the classic: the error shows a key beside a file."""
    table = pa.table({"id": ["1", "2"], "label": ["x", "y"]})
    for source in (("photos/{id}.jpg", "pattern"), ("photos", "folder_or_column")):
        with pytest.raises(VistaDataError, match=r"'1'.*a\.jpg") as raised:
            link(folder, source, table=table)
        assert raised.value.code == "VST331"
        assert "key mismatch" in raised.value.hint


def test_wrong_sources_are_coded(folder: Path) -> None:
    """An unknown column in a pattern, no such folder, an empty glob, two files for one key, a column of numbers."""
    (folder / "photos" / "a.png").write_bytes(b"x")
    cases = [
        (("photos/{ids}.jpg", "pattern"), "VST332"),
        (("photo", "folder_or_column"), "VST334"),
        (("photos/*.webp", "glob"), "VST335"),
        (("photos", "folder_or_column"), "VST333"),
        (("size", "folder_or_column"), "VST336"),
    ]
    table = pa.table({"id": ["a", "b"], "label": ["x", "y"], "size": [1, 2]})
    for source, code in cases:
        with pytest.raises(VistaDataError) as raised:
            link(folder, source, table=table)
        assert raised.value.code == code


def test_hostile_and_foreign_names(folder: Path) -> None:
    """Quotes, braces, spaces, accents in either normal form, and a format string that must not be evaluated."""
    names = ["o'neil & co", "{0.__class__}", "caf\u00e9", "  x"]
    for place, name in enumerate(names):
        photo(folder / "photos" / f"{name}.jpg", "green", place + 9)
    table = pa.table({"id": names, "label": ["x", "y", "x", "y"]})
    assert link(folder, ("photos/{id}.jpg", "pattern"), table=table).links.num_rows == 4
    decomposed = pa.table({"id": ["cafe\u0301"], "label": ["x"]})
    assert link(folder, ("photos", "folder_or_column"), table=decomposed).links.num_rows == 1


def test_an_unreadable_file_is_bad(folder: Path) -> None:
    """A folder in a photo's place is named, the rest goes on."""
    (folder / "photos" / "d.jpg").mkdir()
    table = pa.table({"id": ["a", "d"], "label": ["x", "y"], "file": ["photos/a.jpg", "photos/d.jpg"]})
    images = link(folder, ("file", "folder_or_column"), table=table)
    assert [bad.key for bad in images.bad] == ["d"]
