"""Every notebook executed as a user does it: in a real kernel, with the live panel, in an empty folder.

nbval (tests/notebooks/nbval.sh) holds the static output against the committed one. Here the photos of VISTA_NB_SHARED
are hidden, so that a notebook on them must say what is missing, and run.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf]


@pytest.fixture(params=sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def executed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All cells. Helper modules lie beside the notebooks, so they are there too."""
    for module in NOTEBOOKS.glob("*.py"):
        shutil.copy(module, tmp_path)
    notebook = nbformat.read(request.param, as_version=4)
    monkeypatch.setenv("VISTA_NB_UI", "widget")
    monkeypatch.setenv("VISTA_NB_SHARED", str(tmp_path / "nothing"))
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path / "store"))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    return notebook


def test_it_runs_and_leaves_nothing_live(executed: Any) -> None:
    """No cell fails that is not meant to (nbclient would have raised). The last form of each run holds no widget, so
    GitHub, nbviewer and a reopened notebook show the final numbers; its picture has a text twin. Cells of `--bg` apart:
    their panel is replaced when the run ends, and nbclient hears nothing of a cell once the next one runs.
    """
    for cell in executed.cells:
        for output in [] if "--bg" in cell.source.partition("\n")[0] else cell.get("outputs", []):
            data = output.get("data", {})
            assert not any("widget" in mime for mime in data), cell.source
            assert "image/png" not in data or data["text/plain"], cell.source
