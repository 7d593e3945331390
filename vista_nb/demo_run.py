"""`vista-nb demo`: draw the bundled data, execute the quickstart notebook, print its table, write one HTML page.

Reads the quickstart notebook; returns the page's path. May touch: the folder it is given, and a notebook kernel.
DESIGN.md section 2. The page stands alone: no network, no kernel, no widget.
"""

from __future__ import annotations

import html
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError, VistaRunError, VistaUsageError
from vista_nb.units import format_seconds
from vista_nb.views.theme import DOT

__all__ = ["quickstart_path", "run_demo", "step_in"]

Say = Callable[[str], None]

NOTEBOOK = "01_quickstart.ipynb"
LOG = "kernel.log"
CELL_SECONDS = 1800


def quickstart_path() -> Path:
    """The notebook of the repository this package lies in, else the copy that is installed with the package."""
    package = Path(__file__).parent
    for path in (package.parent / "notebooks" / NOTEBOOK, package / "demo" / NOTEBOOK):
        if path.is_file():
            return path
    raise VistaEnvironmentError("VST451", f"{NOTEBOOK} was not installed", "install vista-nb again")


def run_demo(folder: Path, say: Say) -> Path:
    """The whole demo; `say` gets one line of progress at a time. Raises VistaRunError, VistaEnvironmentError."""
    began = time.monotonic()
    notebook = quickstart_path()
    _need("nbclient", "nbconvert", "nbformat")
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VistaUsageError("VST012", f"--folder: {error}", "name a folder that can be written") from error
    say(f"demo: the quickstart notebook, executed in {folder}")
    executed = _execute(notebook, folder, say)
    page = _write_page(executed, folder)
    say(f"demo: done in {format_seconds(time.monotonic() - began)}")
    say(f"demo: the executed notebook as one page: {page}")
    return page


def _need(*packages: str) -> None:
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        hint = f"type: pip install {' '.join(missing)}"
        raise VistaEnvironmentError("VST450", f"the demo needs {', '.join(missing)}", hint)


def _execute(path: Path, folder: Path, say: Say) -> Any:
    """Run every cell in `folder`; a failing cell ends the demo with its own error text."""
    import nbformat
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    client = _client(notebook, folder, say)
    try:
        # Spark and TensorFlow write to the kernel's standard error: kept, but not on the user's screen
        with _full_output(), (folder / LOG).open("wb") as log:
            client.execute(stderr=log)
    except CellExecutionError as error:
        nbformat.write(notebook, folder / NOTEBOOK)
        last = f"{error.ename}: {error.evalue}" if error.ename else str(error)
        hint = f"open {folder / NOTEBOOK} in JupyterLab, or read {folder / LOG}"
        raise VistaRunError("VST510", f"the notebook stopped: {last}", hint) from error
    nbformat.write(notebook, folder / NOTEBOOK)
    return notebook


def _client(notebook: Any, folder: Path, say: Say) -> Any:
    """A client that tells of each cell and each step in it, and prints the text of what `%%vista` cells showed."""
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    cells = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    started: dict[int, float] = {}

    def begin(cell: Any, cell_index: int) -> None:
        started[cell_index] = time.monotonic()
        if cell_index in cells:
            say(f"[{cells.index(cell_index) + 1}/{len(cells)}] {_title(cell.source)}")

    def end(cell: Any, cell_index: int, execute_reply: Any = None) -> None:  # noqa: ARG001
        for text in _vista_texts(cell):
            say("\n".join(f"      {line}" for line in text.splitlines()))
        took = time.monotonic() - started.get(cell_index, time.monotonic())
        if cell_index in cells and took >= 1.0:
            say(f"      {format_seconds(took)}")

    manager: Any = AsyncKernelManager(kernel_name="python3")
    # the kernel must be this Python, whatever kernels the user has installed
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        on_cell_execute=begin,
        on_cell_executed=end,
    )
    _listen(client, say)
    return client


def _listen(client: Any, say: Say) -> None:
    """A long cell is not silent: say each step that the live panel's header names."""
    handle, seen = client.handle_comm_msg, [""]

    def listening(outs: Any, message: dict[str, Any], cell_index: int) -> Any:
        state = message.get("content", {}).get("data", {}).get("state", {})
        step = step_in(str(state.get("value", "")))
        if step and step != seen[0]:
            seen[0] = step
            say(f"      {step}")
        return handle(outs, message, cell_index)

    client.handle_comm_msg = listening


def step_in(header: str) -> str:
    """`step 5 of 11: CNN: image to fc6` out of a panel's header, empty where there is none."""
    text = html.unescape(re.sub(r"<[^>]+>", "", header.partition("</div>")[0]))
    found = re.search(r"step \d+ of \d+: .*", text)
    return found[0].replace(DOT, ", ") if found else ""


@contextmanager
def _full_output() -> Iterator[None]:
    """Neither a test's setting nor CI may take the live panel or the seconds away from the demo."""
    saved = os.environ.get("VISTA_NB_UI")
    os.environ["VISTA_NB_UI"] = "widget"
    try:
        yield
    finally:
        del os.environ["VISTA_NB_UI"]
        if saved is not None:
            os.environ["VISTA_NB_UI"] = saved


def _title(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.startswith("#")]
    return lines[0][:72] if lines else "(comment)"


def _vista_texts(cell: Any) -> list[str]:
    """The text/plain of the results that the cell displays."""
    texts = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        text = data.get("text/plain", "")
        if "text/html" in data and text.startswith("vista_nb: "):
            texts.append(text)
    return texts


def _write_page(notebook: Any, folder: Path) -> Path:
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter().from_notebook_node(notebook)
    # nbconvert's scripts (formulas, diagrams) come from the network, and nothing on this page needs one
    body = re.sub(r"<script\b.*?</script>", "", body, flags=re.DOTALL | re.IGNORECASE)
    page = folder / NOTEBOOK.replace(".ipynb", ".html")
    page.write_text(body, encoding="utf-8")
    return page
