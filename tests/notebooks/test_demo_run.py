"""`vista-nb demo`, the machinery: a notebook executed in a real kernel with visible progress, and its page."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sample_run import sample_events, sample_plan

from vista_nb import demo_run
from vista_nb.errors import VistaRunError
from vista_nb.views.header_view import header_html
from vista_nb.views.state import PanelState, apply_all
from vista_nb.views.theme import card

SHOW = """
class Shown:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "vista_nb: a table", "text/html": "<b>a table</b>"}
Shown()
"""


def notebook(folder: Path, *sources: str) -> Path:
    path = folder / "small.ipynb"
    cells = [new_markdown_cell("# A small notebook"), *(new_code_cell(source) for source in sources)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_progress_table_and_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell lines, the text of what vista_nb showed, a page that needs no network."""
    monkeypatch.setattr(demo_run, "quickstart_path", lambda: notebook(tmp_path, "# say it\nx = 1", SHOW))
    monkeypatch.setenv("VISTA_NB_UI", "static")
    lines: list[str] = []
    page = demo_run.run_demo(tmp_path / "out", lines.append)
    assert "[1/2] x = 1" in lines
    assert "      vista_nb: a table" in lines
    body = page.read_text(encoding="utf-8")
    assert "<b>a table</b>" in body
    assert "A small notebook" in body
    assert not re.search(r"<script|src=\"http|<link[^>]+http", body)
    assert (tmp_path / "out" / "01_quickstart.ipynb").is_file()


def test_a_failing_cell_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coded error with the cell's own words; what was executed is kept to look at."""
    monkeypatch.setattr(demo_run, "quickstart_path", lambda: notebook(tmp_path, "raise RuntimeError('no luck')"))
    with pytest.raises(VistaRunError, match=r"VST510.*RuntimeError: no luck"):
        demo_run.run_demo(tmp_path / "out", lambda line: None)
    assert (tmp_path / "out" / "01_quickstart.ipynb").is_file()


def test_the_quickstart_is_found() -> None:
    """In the repository it is the notebook that users open."""
    assert demo_run.quickstart_path().name == "01_quickstart.ipynb"


def test_the_step_is_read_from_the_real_header() -> None:
    """The demo listens to the panel: a change of its header must not silence it."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=5))
    assert demo_run.step_in(card(header_html(state, "a <b> cnn", 3.0))) == "step 5 of 11: CNN: image to conv4_6 .. fc6"
    assert demo_run.step_in("<p>step</p>") == ""
