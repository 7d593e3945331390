"""Without ipywidgets everything works, a live panel apart: in a shell, in a kernel, in the background."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from kernel_support import errors_in, kernel_in, run_cell, said, shown, wait_until
from magic_support import FLAG_CASES, SPEC, Submitted, run

WHAT_IF = "cnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}\n"
ABSENT = "import sys; sys.modules['ipywidgets'] = None"
SLOW = "from slow_run import submit_slow; from vista_nb import session; session.submit = submit_slow()"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with kernel_in(tmp_path_factory.mktemp("kernel"), ABSENT, SLOW) as pair:
        yield pair


@pytest.mark.parametrize("ui", ["auto", "widget"])
def test_a_blocking_cell_shows_the_frozen_form(kernel: Any, ui: str) -> None:
    """Once, with the numbers, also where a panel was asked for."""
    found = run_cell(kernel[1], f"%%vista -o rooms --ui {ui}\ncnn: resnet50")
    assert not errors_in(found)
    displays = [output for output in found if output["type"] == "display_data"]
    assert len(displays) == 1
    assert "0.856" in displays[0]["data"]["text/html"]
    assert not any("widget" in mime for mime in displays[0]["data"])


def test_a_bg_cell_says_that_it_runs(kernel: Any) -> None:
    """And wait shows the result."""
    client = kernel[1]
    found = run_cell(client, "%%vista -o rooms --bg\ncnn: resnet50")
    assert "runs in the background" in shown(found)[0]
    wait_until(client, "print(rooms.status)", "done")
    assert "0.856" in shown(run_cell(client, "%vista wait"))[-1]
    assert said(run_cell(client, "print(sys.modules['ipywidgets'])")) == "None\n"


@pytest.mark.parametrize("line", [line for line, *_ in FLAG_CASES])
def test_every_flag_in_a_shell(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Planned or run, each without an error."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    spec = WHAT_IF if "--explain" in line else SPEC
    run(shell, f"%%vista {line}\n{spec}")
    assert ("_vista" in shell.user_ns) is ("--explain" not in line)


@pytest.mark.parametrize("ui", ["static", "text", "off"])
def test_in_a_shell(shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch, ui: str) -> None:
    """Every other kind of view."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    _, found = run(shell, f"%%vista -o rooms --ui {ui}\n{SPEC}")
    assert (len(found.outputs), "conv5_2" in found.stdout) == {
        "static": (1, False),
        "text": (0, True),
        "off": (0, False),
    }[ui]
    assert shell.user_ns["rooms"].best.layer == "conv5_2"
