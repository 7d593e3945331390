"""What a saved notebook holds after a live panel, through a real kernel: the frozen form and nothing of the widgets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

TESTS = Path(__file__).resolve().parents[1]

LIVE = """
import sys
sys.path.insert(0, {tests!r})
from sample_run import SampleRun, sample_events, sample_plan
from vista_nb import session
from vista_nb.result import VistaResult
plan = sample_plan()
whole = sample_events(plan)
run = SampleRun([sample_events(plan, 5), sample_events(plan, 9), whole], plan)
session.submit = lambda source, **options: VistaResult(run)
%load_ext vista_nb
%config VistaMagic.progress_after = 0
"""
FAILING = """
from vista_nb.errors import VistaRunError
run = SampleRun([sample_events(plan, 5), []], plan, status="failed")
run.error = VistaRunError("VST501", "worker lost")
"""


def notebook_of(*sources: str) -> Any:
    notebook = new_notebook(cells=[new_code_cell(source) for source in (LIVE.format(tests=str(TESTS)), *sources)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def execute(*sources: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As JupyterLab runs and saves it: a live panel, and no widget state, which is its default."""
    monkeypatch.delenv("VISTA_NB_UI", raising=False)
    monkeypatch.delenv("CI", raising=False)
    notebook = notebook_of(*sources)
    client = NotebookClient(notebook, timeout=120, store_widget_state=False)
    try:
        client.execute()
    except CellExecutionError:
        assert any(output.output_type == "error" for output in notebook.cells[-1].outputs)
    return notebook


def test_a_live_panel_leaves_only_the_frozen_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel was there (its models were opened) and is gone but for the root (ADR 24): GitHub, nbviewer and
    nbconvert see final numbers.
    """
    source = "opened = []\nimport ipywidgets\nipywidgets.Widget.on_widget_constructed(opened.append)"
    after = "from ipywidgets.widgets.widget import _instances\n(len(opened) > 5, len(_instances) <= 4)"
    notebook = execute(source, "%%vista -o rooms\ncnn: resnet50", after, monkeypatch=monkeypatch)
    shown = notebook.cells[2].outputs
    assert [output.output_type for output in shown] == ["display_data"]
    assert set(shown[0].data) == {"text/plain", "text/html", "image/png"}
    assert "0.856" in shown[0].data["text/html"]
    assert "alt" in shown[0].metadata["image/png"]
    assert notebook.cells[3].outputs[0].data["text/plain"] == "(True, True)"
    assert "widget" not in json.dumps(shown)
    assert "widgets" not in notebook.metadata


def test_a_failing_cell_fails_and_is_not_printed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A true `error` output with the coded name, short, and no panel left above it."""
    notebook = execute(FAILING, "%%vista\ncnn: resnet50", monkeypatch=monkeypatch)
    outputs = notebook.cells[-1].outputs
    assert outputs[-1].ename == "VistaRunError"
    text = "\n".join(outputs[-1].traceback)
    assert "VST501: worker lost" in text
    assert "Traceback" not in text
    assert not any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs)


def test_nbconvert_executes_and_exports_the_numbers(tmp_path: Path) -> None:
    """`nbconvert --execute` stores the state of every widget that it meets: there is none, nobody watches. HTML and
    markdown of it hold plan, memory and accuracy as text.
    """
    from nbconvert import HTMLExporter, MarkdownExporter

    nbformat.write(notebook_of("%%vista\ncnn: resnet50"), tmp_path / "cells.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--output", "out", "cells.ipynb"]
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "VISTA_NB_UI")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(tmp_path / "out.ipynb", 4)
    assert "widgets" not in notebook.metadata
    assert {mime for output in notebook.cells[1].outputs for mime in output.data} == {
        "text/plain",
        "text/html",
        "image/png",
    }
    for exporter in (HTMLExporter(), MarkdownExporter()):
        body, _ = exporter.from_notebook_node(notebook)
        for words in ("conv5_2", "0.856", "eager, inference after join", "CNN workers"):
            assert words in body
        assert "widget-view" not in body
