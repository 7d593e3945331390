"""Interrupt, second interrupt, `--bg`, cancel, wait and early binding in a real kernel, over its protocol.

The engine is stood in for by a run that takes its time (slow_run.py); magic, session and kernel are the real ones.
test_background_run.py does the same with the real engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_support import errors_in, kernel_in, outputs, run_cell, said, shown, until_said, wait_until

CELL = "%%vista -o rooms {flags}\ncnn: resnet50"
SLOW = "from slow_run import submit_slow; from vista_nb import session; session.submit = submit_slow({how})"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A kernel whose runs last about four seconds."""
    for name in ("VISTA_NB_UI", "CI"):
        monkeypatch.delenv(name, raising=False)
    with kernel_in(tmp_path, SLOW.format(how="pace=0.06")) as pair:
        yield pair


def slow(client: Any, how: str) -> None:
    assert not errors_in(run_cell(client, SLOW.format(how=how)))


def test_an_interrupt_ends_the_cell_and_the_partial_result_is_bound(kernel: Any) -> None:
    """A true short error; the name was bound when the run began, and holds what was finished."""
    manager, client = kernel
    slow(client, "pace=0.02, last=0.5")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "conv4_6: accuracy")
    manager.interrupt_kernel()
    found = outputs(client, request, 30)
    assert errors_in(found) == ["VistaCancelled"]
    traceback = next(output for output in found if output["type"] == "error")["traceback"]
    assert len(traceback) == 1
    assert "VST500" in traceback[0]
    text = said(run_cell(client, "print(rooms.status, _vista is rooms, type(rooms.error).__name__)"))
    assert text == "cancelled True VistaCancelled\n"


def test_a_run_that_cannot_stop_is_left_and_said(kernel: Any) -> None:
    """The kernel does not wait for it; it ends by itself, as cancelled."""
    manager, client = kernel
    slow(client, "pace=0.05, stubborn=5.0")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "[1/11]")
    manager.interrupt_kernel()
    found = outputs(client, request, 30)
    assert errors_in(found) == ["VistaCancelled"]
    assert "may still run" in next(output for output in found if output["type"] == "error")["evalue"]
    assert said(run_cell(client, "print(rooms.status)")) == "running\n"
    wait_until(client, "print(rooms.status)", "cancelled")


def test_a_second_interrupt_returns_at_once(kernel: Any) -> None:
    """Within the time that the first one gives the run to end."""
    manager, client = kernel
    slow(client, "pace=0.05, stubborn=30.0")
    request = client.execute(CELL.format(flags="--ui text"))
    until_said(client, request, "[1/11]")
    manager.interrupt_kernel()
    time.sleep(0.3)
    manager.interrupt_kernel()
    found = outputs(client, request, 30)
    assert errors_in(found) == ["VistaCancelled"]
    assert "may still run" in next(output for output in found if output["type"] == "error")["evalue"]


def test_bg_binds_at_submit_and_the_next_cells_do_not_wait(kernel: Any) -> None:
    """The result is there, unfinished; wait shows it."""
    _, client = kernel
    found = run_cell(client, CELL.format(flags="--bg --ui static"))
    assert not errors_in(found)
    assert "%vista wait" in shown(found)[0]
    assert said(run_cell(client, "print(rooms.status)")) in ("running\n", "planned\n")
    waited = run_cell(client, "%vista wait")
    assert not errors_in(waited)
    assert "0.856" in shown(waited)[-1]
    assert said(run_cell(client, "print(rooms.status, rooms.best.layer)")) == "done conv5_2\n"


def test_the_display_of_a_bg_cell_becomes_the_frozen_form(kernel: Any) -> None:
    """By an update of the display that its own cell made: the same display id, and that cell as the parent."""
    _, client = kernel
    slow(client, "pace=0.01")
    request = client.execute(CELL.format(flags="--bg --ui static"))
    made = next(output for output in outputs(client, request) if output["type"] == "display_data")
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["msg_type"] == "update_display_data":
            break
    assert message["content"]["transient"] == made["transient"]
    assert message["parent_header"]["msg_id"] == request
    assert "0.856" in message["content"]["data"]["text/html"]


def test_a_bg_panel_moves_and_its_button_cancels(kernel: Any) -> None:
    """Widget messages come while the kernel serves other cells; what the button calls stops the run."""
    _, client = kernel
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
    run_cell(client, "buttons[0].click()")
    wait_until(client, "print(rooms.status)", "cancelled")


def test_cancel_runs_and_a_wait_that_is_interrupted(kernel: Any) -> None:
    """`%vista runs` lists it, an interrupt of wait leaves it alone, `%vista cancel` ends it, a wait then raises."""
    manager, client = kernel
    run_cell(client, CELL.format(flags="--bg --ui off"))
    assert "running" in shown(run_cell(client, "%vista runs"))[0]
    request = client.execute("%vista wait")
    time.sleep(0.7)
    manager.interrupt_kernel()
    found = outputs(client, request, 30)
    assert errors_in(found) == ["VistaCancelled"]
    assert "goes on" in next(output for output in found if output["type"] == "error")["evalue"]
    assert said(run_cell(client, "print(rooms.status)")) == "running\n"
    assert "cancelled" in shown(run_cell(client, "%vista cancel"))[0]
    assert errors_in(run_cell(client, "%vista wait")) == ["VistaCancelled"]
    assert errors_in(run_cell(client, "%vista cancel")) == ["VistaUsageError"]  # nothing goes on


def test_a_failed_bg_run_is_told_by_its_display_and_fails_the_wait(kernel: Any) -> None:
    """No cell raises it, so the display says it; whoever waits gets the error."""
    _, client = kernel
    slow(client, "pace=0.01, fails=True")
    request = client.execute(CELL.format(flags="--bg --ui static"))
    outputs(client, request)
    while (message := client.get_iopub_msg(timeout=60))["msg_type"] != "update_display_data":
        pass
    assert "VST501" in message["content"]["data"]["text/plain"]
    assert errors_in(run_cell(client, "%vista wait")) == ["VistaRunError"]
    assert said(run_cell(client, "print(rooms.status, list(rooms.accuracy.layer))")) == "failed ['conv4_6']\n"
