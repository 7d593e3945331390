"""Interrupt, second interrupt, `--bg`, cancel, wait and early binding in a real kernel, over its protocol.

The engine is stood in for by a run that waits where a test wants it (slow_run.py); magic, session and kernel are the
real ones. test_interrupt.py and test_background_run.py do the same with the real engines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kernel_support import errors_in, kernel_in, outputs, run_cell, said, shown, until_begun, until_said, wait_until

CELL = "%%vista -o rooms {flags}\ncnn: resnet50"
SLOW = "from slow_run import submit_slow; from vista_nb import session; session.submit = submit_slow({how})"


@pytest.fixture(scope="module", params=["with ipywidgets", "without ipywidgets"])
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One kernel for all, and another where ipywidgets cannot be imported; each test says how its runs go."""
    absent = "import sys; sys.modules['ipywidgets'] = None"
    with kernel_in(tmp_path_factory.mktemp("kernel"), *([absent] if "without" in request.param else [])) as pair:
        yield pair


def slow(client: Any, how: str) -> None:
    assert not errors_in(run_cell(client, SLOW.format(how=how)))


def error_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The one error of a cell, which is a VistaCancelled."""
    assert errors_in(found) == ["VistaCancelled"], found
    return next(output for output in found if output["type"] == "error")


def status(client: Any) -> str:
    return said(run_cell(client, "print(rooms.status)")).strip()


def let_go(client: Any) -> None:
    assert not errors_in(run_cell(client, "rooms._handle.let_go()"))


def test_an_interrupt_ends_the_cell_and_the_partial_result_is_bound(kernel: Any) -> None:
    """A true short error; the name was bound when the run began, and holds what was finished."""
    manager, client = kernel
    slow(client, "hold='scored'")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "conv4_6: accuracy")
    manager.interrupt_kernel()
    traceback = error_of(outputs(client, request, 30))["traceback"]
    assert len(traceback) == 1
    assert "VST500" in traceback[0]
    assert "kept: conv4_6" in traceback[0]
    text = said(run_cell(client, "print(rooms.status, _vista is rooms, list(rooms.accuracy.layer))"))
    assert text == "cancelled True ['conv4_6']\n"


def test_a_run_that_cannot_stop_is_left_and_said(kernel: Any) -> None:
    """The kernel does not wait for it; it ends by itself, as cancelled."""
    manager, client = kernel
    slow(client, "hold='start', stubborn=True")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "[1/11]")
    manager.interrupt_kernel()
    assert "may still run" in error_of(outputs(client, request, 30))["evalue"]
    assert status(client) == "running"
    let_go(client)
    wait_until(client, "print(rooms.status)", "cancelled")


def test_a_second_interrupt_returns_at_once(kernel: Any) -> None:
    """Within the time that the first one gives the run to end, here ten minutes."""
    manager, client = kernel
    slow(client, "hold='start', stubborn=True")
    run_cell(client, "from vista_nb.session import driving; grace, driving._GRACE = driving._GRACE, 600")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "[1/11]")
    manager.interrupt_kernel()
    time.sleep(1.0)
    manager.interrupt_kernel()
    assert "may still run" in error_of(outputs(client, request, 30))["evalue"]
    run_cell(client, "driving._GRACE = grace")
    let_go(client)
    wait_until(client, "print(rooms.status)", "cancelled")


def test_bg_binds_at_submit_and_the_next_cells_do_not_wait(kernel: Any) -> None:
    """The result is there, unfinished; wait shows it."""
    client = kernel[1]
    slow(client, "hold='end'")
    found = run_cell(client, CELL.format(flags="--bg --ui static"))
    assert not errors_in(found)
    assert "%vista wait" in shown(found)[0]
    assert status(client) in ("running", "planned")
    let_go(client)
    waited = run_cell(client, "%vista wait")
    assert not errors_in(waited)
    assert "0.856" in shown(waited)[-1]
    assert said(run_cell(client, "print(rooms.status, rooms.best.layer)")) == "done conv5_2\n"


@pytest.mark.parametrize(("how", "words"), [("", "0.856"), ("fails=True", "VST501")])
def test_the_display_of_a_bg_cell_becomes_the_frozen_form(kernel: Any, how: str, words: str) -> None:
    """By an update of the display that its own cell made: the same display id, and that cell as the parent. A failed
    run, which no cell raises, says so there, and whoever waits for it gets the error.
    """
    client = kernel[1]
    slow(client, how)
    request = client.execute(CELL.format(flags="--bg --ui static"))
    made = next(output for output in outputs(client, request) if output["type"] == "display_data")
    message = client.get_iopub_msg(timeout=60)
    while message["msg_type"] != "update_display_data" or message["content"]["transient"] != made["transient"]:
        message = client.get_iopub_msg(timeout=60)
    assert message["parent_header"]["msg_id"] == request
    assert words in message["content"]["data"]["text/plain"]
    assert errors_in(run_cell(client, "%vista wait")) == (["VistaRunError"] if how else [])


@pytest.mark.parametrize("kernel", ["with ipywidgets"], indirect=True)
def test_a_bg_panel_moves_and_its_button_cancels(kernel: Any) -> None:
    """Widgets change while the kernel serves other cells; what the button calls stops the run."""
    client = kernel[1]
    slow(client, "hold='end'")
    watch = (
        "import ipywidgets\nseen = []\nbuttons = []\n"
        "def opened(widget):\n"
        "    if isinstance(widget, ipywidgets.HTML): widget.observe(lambda c: seen.append(c.new), 'value')\n"
        "    if isinstance(widget, ipywidgets.Button): buttons.append(widget)\n"
        "ipywidgets.Widget.on_widget_constructed(opened)"
    )
    assert not errors_in(run_cell(client, watch))
    found = run_cell(client, CELL.format(flags="--bg --ui widget"))
    assert not errors_in(found)
    wait_until(client, "print(len(seen) > 3, rooms.status)", "True running")
    assert said(run_cell(client, "print([(b.description, b.disabled) for b in buttons])")) == "[('Cancel', False)]\n"
    run_cell(client, "ipywidgets.Widget.on_widget_constructed(None); buttons[0].click()")
    wait_until(client, "print(rooms.status)", "cancelled")


def test_cancel_runs_and_a_wait_that_is_interrupted(kernel: Any) -> None:
    """`%vista runs` lists it, an interrupt of wait leaves it alone, `%vista cancel` ends it, a wait then raises."""
    manager, client = kernel
    slow(client, "hold='end'")
    run_cell(client, CELL.format(flags="--bg --ui off"))
    assert "running" in shown(run_cell(client, "%vista runs"))[0]
    request = client.execute("%vista wait")
    until_begun(client, request)
    manager.interrupt_kernel()
    assert "goes on" in error_of(outputs(client, request, 30))["evalue"]
    assert status(client) == "running"
    assert "cancelled" in shown(run_cell(client, "%vista cancel"))[0]
    assert errors_in(run_cell(client, "%vista wait")) == ["VistaCancelled"]
    assert errors_in(run_cell(client, "%vista cancel")) == ["VistaUsageError"]  # nothing goes on


@pytest.mark.parametrize(("ui", "displays", "lines"), [("static", 1, False), ("text", 0, True), ("off", 0, False)])
def test_the_environment_says_how_a_run_is_shown(kernel: Any, ui: str, displays: int, lines: bool) -> None:
    """VISTA_NB_UI: the frozen form, lines of text, nothing; bound all the same."""
    client = kernel[1]
    slow(client, "")
    run_cell(client, f"%env VISTA_NB_UI={ui}")
    found = run_cell(client, CELL.format(flags=""))
    run_cell(client, "import os; del os.environ['VISTA_NB_UI']")
    assert not errors_in(found)
    shown_mimes = [set(output["data"]) for output in found if output["type"] == "display_data"]
    assert shown_mimes == [{"text/plain", "text/html", "image/png"}] * displays
    assert ("conv5_2" in said(found)) is lines
    assert status(client) == "done"


def test_tab_in_a_cell_is_answered_by_the_kernel(kernel: Any) -> None:
    """complete_request, as JupyterLab, Notebook and the console send it: candidates, what they replace, their kinds."""
    client = kernel[1]
    cell = "%%vista\ncnn: resnet50\nlayers: conv5_"
    content = completed(client, cell)
    assert content["matches"][:3] == ["conv5_3", "conv5_2", "conv5_1"]
    assert cell[content["cursor_start"] : content["cursor_end"]] == "conv5_"
    kinds = {each["type"] for each in content["metadata"]["_jupyter_types_experimental"]}
    assert kinds == {"layer"}
    assert "--bg" in completed(client, "%%vista --")["matches"]
    assert completed(client, "%vista sho")["matches"] == ["show"]
    assert not errors_in(run_cell(client, "import pandas as pd; shops = pd.DataFrame({'city': [1], 'sold': [2]})"))
    assert completed(client, "%%vista\nstructured: $shops\nlabel: ci")["matches"] == ["city"]


def completed(client: Any, code: str) -> dict[str, Any]:
    content: dict[str, Any] = client.complete(code, reply=True, timeout=60)["content"]
    assert content["status"] == "ok"
    return content
