"""The quickstart, executed in a real kernel as `./run demo` does it, and what a saved notebook then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf]


@pytest.fixture(scope="module", params=["static", "widget"])
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All cells, in a folder of its own, with the static output and with the live panel."""
    folder = tmp_path_factory.mktemp(f"quickstart-{request.param}")
    notebook = nbformat.read(QUICKSTART, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISTA_NB_UI", request.param)
        patch.setenv("VISTA_NB_STORE_DIR", str(folder / "store"))
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
        client.execute()
    return notebook


def vista_cells(notebook: Any) -> list[Any]:
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("%%vista")]


def test_every_run_shows_its_table(executed: Any) -> None:
    """Text, HTML and a picture, with the layers in them."""
    for cell in vista_cells(executed):
        shown = [o for o in cell.outputs if o.output_type in ("display_data", "execute_result")]
        data = shown[-1].data
        assert {"text/plain", "text/html", "image/png"} <= set(data)
        assert "conv3" in data["text/plain"]
        assert "(table)" in data["text/html"]


def test_nothing_live_is_left(executed: Any) -> None:
    """No output holds a widget: GitHub, nbviewer and a reopened notebook show the final numbers."""
    for cell in vista_cells(executed):
        assert not any("widget" in mime for o in cell.outputs for mime in o.get("data", {}))


def test_the_second_cell_says_what_it_reused(executed: Any) -> None:
    """One line per reuse."""
    second = vista_cells(executed)[1]
    assert "reused" in second.outputs[-1].data["text/plain"]


def test_the_committed_notebook_is_executed_and_small() -> None:
    """Outputs present, no widget state, no clock, under 300 KB."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    assert all(c.outputs for c in vista_cells(notebook))
    assert "widgets" not in notebook.metadata
    assert QUICKSTART.stat().st_size < 300_000
