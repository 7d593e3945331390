"""A failing cell fails everywhere: nbclient, nbval and papermill must see it, and a good one must pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kernel_support import TESTS
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook, new_output

LOAD = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n%load_ext vista_nb"
BAD_SPEC = "%%vista --ui static\ncnn: resnet5O\nstatistics: {rows: 10}"
BAD_FLAG = "%%vista --uii static\ncnn: resnet50"
BAD_LINE = "%vista shwo"
FAILING_RUN = """from slow_run import submit_slow
from vista_nb import session
session.submit = submit_slow(fails=True)"""
CELL = "%%vista --ui static\ncnn: resnet50"
GOOD = "%%vista --explain\ncnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}"


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "cells.ipynb"
    made = [new_code_cell(cell) for cell in (LOAD, *cells)]
    for cell in made[1:]:  # what nbval would take for right: the very text that the error prints
        cell.execution_count = 1
        cell.outputs = [new_output("stream", name="stderr", text="VST0")]
    book = new_notebook(cells=made)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


def status(*command: str, folder: Path) -> tuple[int, str]:
    environ = {**os.environ, "VISTA_NB_UI": "static"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_nbval_fails_exactly_the_failing_cells(tmp_path: Path) -> None:
    """`--nbval-lax` compares nothing: only true errors can fail it. The good cells pass, so it looks at each."""
    name = notebook(tmp_path, GOOD, BAD_SPEC, BAD_FLAG, BAD_LINE, FAILING_RUN, CELL).name
    code, text = status(
        "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "-q", name, folder=tmp_path
    )
    assert code == 1, text
    assert "4 failed, 3 passed" in text


def test_nbclient_stops_at_each_of_them(tmp_path: Path) -> None:
    """As `jupyter execute` and nbconvert run them: a true error output, short and coded, for every kind. Cells that
    say `raises-exception` let it go on, the last one does not.
    """
    book = nbformat.read(notebook(tmp_path, BAD_SPEC, BAD_LINE, FAILING_RUN, CELL, BAD_FLAG), 4)
    for cell in book.cells[1:-1]:
        cell.metadata["tags"] = ["raises-exception"]
    with pytest.raises(CellExecutionError, match="VST001"):
        NotebookClient(book, timeout=120).execute()
    found = [output for cell in book.cells for output in cell.outputs if output.output_type == "error"]
    names = ["VistaSpecError", "VistaUsageError", "VistaRunError", "VistaUsageError"]
    assert [error.ename for error in found] == names
    assert all("VST" in "\n".join(error.traceback) and len(error.traceback) < 10 for error in found)


def test_papermill_fails_and_its_parameters_reach_the_braces(tmp_path: Path) -> None:
    """rc 1 with the coded error in the written notebook; `-p` fills `{{name}}`."""
    book = nbformat.read(notebook(tmp_path, "name = 'resnet50'", GOOD.replace("cnn: resnet50", "cnn: {{name}}")), 4)
    book.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(book, tmp_path / "cells.ipynb")
    good, text = status("papermill", "cells.ipynb", "out.ipynb", "-p", "name", "vgg16", folder=tmp_path)
    assert good == 0, text
    assert "vgg16" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")
    bad, _ = status("papermill", "cells.ipynb", "out.ipynb", "-p", "name", "vgg99", folder=tmp_path)
    assert bad == 1
    found = nbformat.read(tmp_path / "out.ipynb", 4)
    errors = [o for cell in found.cells for o in cell.get("outputs", ()) if o.output_type == "error"]
    assert errors[-1].ename == "VistaSpecError"
    assert "did you mean" in "\n".join(errors[-1].traceback)
