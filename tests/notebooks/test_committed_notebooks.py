"""Every notebook as it is committed: executed, small, written for a reader, with nothing of this machine in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_000_000
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(tmp|root|home|work|Users)/\w")
FAILS = "raises-exception"

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def test_they_are_found() -> None:
    """The glob looks into the right folder, and they are numbered without a gap."""
    assert [int(path.name[:2]) for path in NOTEBOOKS] == list(range(1, len(NOTEBOOKS) + 1))
    assert NOTEBOOKS[0].name == "01_quickstart.ipynb"


@every_notebook
def test_every_cell_was_executed_in_order(path: Path) -> None:
    """From a fresh kernel, once, without a clock."""
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any("execution" in cell.metadata for cell in cells)


@every_notebook
def test_cells_of_vista_show_something(path: Path) -> None:
    """A run shows its table as text, HTML and picture; a plan as text and HTML; `--bg` a sentence."""
    for cell in code_cells(path):
        if cell.source.startswith("%%vista") and FAILS not in cell.metadata.get("tags", []):
            shown = [output.data for output in cell.outputs if "data" in output]
            assert shown, cell.source
            assert "--bg" in cell.source or "text/html" in shown[-1], cell.source
            assert {"--bg", "--explain"} & set(cell.source.split()) or "image/png" in shown[-1], cell.source


def test_the_quickstart_tells_its_story() -> None:
    """Every layer and the table alone, a verdict, photos, and what the second cell reused; light enough to send on."""
    runs = [cell for cell in code_cells(NOTEBOOKS[0]) if cell.source.startswith("%%vista")]
    first, second = (cell.outputs[-1].data for cell in runs)
    assert "conv3" in first["text/plain"]
    assert "(table)" in first["text/html"]
    assert "Pictures help" in first["text/plain"]
    assert "reused" in second["text/plain"]
    assert any("compare_layers(" in cell.source for cell in code_cells(NOTEBOOKS[0]))
    assert NOTEBOOKS[0].stat().st_size < 400_000


@every_notebook
def test_errors_are_meant(path: Path) -> None:
    """A cell that shows an error says so to nbclient and to nbval, the error is coded, and the reader is warned."""
    for cell in code_cells(path):
        tags = cell.metadata.get("tags", [])
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert bool(errors) == (FAILS in tags), cell.source
        assert all(error.ename.startswith(("Vista", "NoFeasible", "PlanRefused")) for error in errors)
    assert "meant to fail" in prose(path) or not any(FAILS in c.metadata.get("tags", []) for c in code_cells(path))


@every_notebook
def test_no_widget_state_and_small(path: Path) -> None:
    """GitHub shows it as it is."""
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    assert not any("widget" in mime for cell in code_cells(path) for o in cell.outputs for mime in o.get("data", {}))
    assert path.stat().st_size < MOST_BYTES


@every_notebook
def test_no_path_of_a_machine(path: Path) -> None:
    """Neither in the cells nor in what they show (pictures apart: base64 may spell anything)."""
    for cell in read(path).cells:
        outputs = json.dumps(
            [
                {mime: text for mime, text in o.get("data", {}).items() if not mime.startswith("image/")} or o
                for o in cell.get("outputs", [])
            ]
        )
        without_pictures = re.sub(r"data:image/\w+;base64,[\w+/=]+", "", outputs)
        assert not MACHINE_PATH.search(cell.source), cell.source
        assert (found := MACHINE_PATH.search(without_pictures)) is None, found


@every_notebook
def test_written_for_a_reader(path: Path) -> None:
    """A title, a word before every few cells of code, and what to try (or to do with one's own data) at the end."""
    cells = read(path).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    kinds = "".join("m" if cell.cell_type == "markdown" else "c" for cell in cells)
    assert "ccccc" not in kinds
    assert re.search(r"^## (What to try|Now yours)", prose(path), re.MULTILINE)


@every_notebook
def test_links_lead_to_files(path: Path) -> None:
    """Relative links of the prose, from the notebooks' folder."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", prose(path))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []
