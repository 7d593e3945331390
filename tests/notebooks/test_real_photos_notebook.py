"""Notebook 04, on real photos: green where they are absent, and what its committed outputs may hold and must say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "04_real_photos.ipynb"


def needing(notebook: Any, photos: str) -> list[Any]:
    """Cells that begin with `%%needs`, the notebook's own word for a cell of a photo set."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith(f"%%needs {photos}")]


def said(cell: Any) -> str:
    """All text of a cell's outputs."""
    data = [{"text/plain": o.get("text", "")} | dict(o.get("data", {})) for o in cell.outputs]
    return "\n".join(str(value) for one in data for value in one.values())


@pytest.fixture(scope="module")
def committed() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_without_the_photos_each_cell_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's clone has none: the notebook runs to its end, and starts no engine on the way."""
    monkeypatch.setenv("VISTA_NB_SHARED", str(tmp_path / "nowhere"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    engines = "import sys; print([name for name in ('pyspark', 'tensorflow') if name in sys.modules])"
    notebook.cells.append(nbformat.v4.new_code_cell(engines))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for photos in ("clothing", "houses"):
        cells = needing(notebook, photos)
        assert cells
        assert all(f"The {photos} photos are not here" in said(cell) for cell in cells)
    assert said(notebook.cells[-1]).strip() == "[]"


def test_every_run_of_the_committed_notebook_was_made(committed: Any) -> None:
    """With the photos: a table, a picture and a report per run."""
    runs = [c for c in committed.cells if c.cell_type == "code" and "%%vista" in c.source]
    assert len(runs) >= 3
    for cell in runs:
        assert "(table)" in said(cell)
        assert any("image/png" in o.get("data", {}) for o in cell.outputs)


def test_pictures_help_for_clothes_and_not_for_houses(committed: Any) -> None:
    """The finding, in the report's words: photos of houses beat a guess, and add nothing to the table."""
    clothes, *_ = [c for c in needing(committed, "clothing") if "%%vista" in c.source]
    assert "Pictures help" in said(clothes)
    alone, *with_table = [c for c in needing(committed, "houses") if "%%vista" in c.source]
    assert "features: []" in alone.source
    assert re.search(r"Pictures help: .* than always guessing the largest class", said(alone))
    assert len(with_table) == 2
    for cell in with_table:
        assert re.search(r"Pictures (do not clearly help|do not help|hurt)", said(cell)), said(cell)


def test_no_photo_of_a_house_is_committed(committed: Any) -> None:
    """They have no licence: no JPEG in their outputs, nor a gallery in their HTML."""
    assert any("image/jpeg" in said(cell) for cell in needing(committed, "clothing")), "galleries can be told apart"
    for cell in needing(committed, "houses"):
        assert not any("image/jpeg" in o.get("data", {}) for o in cell.outputs)
        assert "image/jpeg" not in said(cell)


def test_it_is_small_and_holds_no_place_of_this_machine(committed: Any) -> None:
    """No widget state, no absolute path, under a megabyte."""
    assert NOTEBOOK.stat().st_size < 1_000_000
    assert "widgets" not in committed.metadata
    for cell in committed.cells:
        for output in cell.get("outputs", []):
            words = " ".join(str(output.get("data", {}).get(kind, "")) for kind in ("text/plain", "text/html"))
            assert not re.search(r"(?<![\w.])/(work|tmp|root|home)/", re.sub(r"base64,[^\"']*", "", words))
