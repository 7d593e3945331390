"""Execute the notebooks in place, as they are committed: static output, no widget state, no clocks.

Reads and writes `notebooks/*.ipynb`; run it after a change of a notebook or of what cells show:
`.venv/bin/python notebooks/execute.py`, or with the names of some. May touch: kernels, the store (a fresh one for each
notebook, so that every cell runs as in a new clone).
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def execute(path: Path) -> None:
    """Run every cell; raises CellExecutionError where one fails, and then leaves the file as it was."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=900,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(HERE)}},
    )
    with tempfile.TemporaryDirectory() as store:
        os.environ["VISTA_NB_STORE_DIR"] = store
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:  # what engines write to standard error holds clocks and process numbers
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


def main(names: list[str]) -> int:
    """Those named, or all."""
    os.environ["VISTA_NB_UI"] = "static"
    for path in [Path(n).resolve() for n in names] or sorted(HERE.glob("*.ipynb")):
        execute(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
