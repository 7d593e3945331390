"""The live panel without a browser: trait values, pace, and nothing of it left at the end."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from sample_run import SampleRun, sample_events, sample_plan

from vista_nb.errors import VistaUsageError
from vista_nb.outcome import events as ev
from vista_nb.result import VistaResult
from vista_nb.views import choose, frozen
from vista_nb.views.frozen import Static
from vista_nb.views.live_text import LiveText
from vista_nb.views.panel import Panel
from vista_nb.views.protocol import Hidden


class Clock:
    """Time moves when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def shown() -> list[tuple[Any, str]]:
    return []


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What goes to the front-end, in the place of a kernel's publisher."""
    import IPython.display

    sent: list[dict[str, Any]] = []

    def publish(data: Any, metadata: Any = None, **more: Any) -> None:
        sent.append({"data": data, "metadata": metadata, **more})

    monkeypatch.setattr(IPython.display, "publish_display_data", publish)
    monkeypatch.setattr(IPython.display, "display", lambda data, **more: publish(data, **more))
    return sent


def panel(shown: list[tuple[Any, str]], clock: Clock, stage: int | None = 5) -> tuple[Panel, VistaResult]:
    plan = sample_plan()
    result = VistaResult(SampleRun([sample_events(plan, stage), sample_events(plan)], plan))
    return Panel(result, clock=clock, show=lambda root, key: shown.append((root, key))), result


def test_nothing_is_shown_in_the_first_second(shown: list[Any], published: list[Any]) -> None:
    """A fast cell shows its end only, as a new display."""
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 0.9
    view.update(result.poll())
    assert shown == []
    view.update(result.poll())
    view.finish(result)
    assert len(published) == 1
    assert published[0].get("raw") is True


def page(view: Panel, name: str) -> str:
    assert view.widgets is not None
    return str(view.widgets.html[name].value)


def test_the_panel_has_five_tabs_a_head_and_a_foot(shown: list[Any]) -> None:
    """Core widgets; a disabled Cancel in a blocking cell that says in words what to use instead."""
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 1.1
    view.update(result.poll())
    assert len(shown) == 1
    assert view.widgets is not None
    widgets = view.widgets
    assert tuple(widgets.tab.titles) == ("Layers", "Plan", "Memory", "Store", "Log")
    assert "inferring 44 %" in page(view, "layers")
    assert "CNN: image to conv4_6 .. fc6" in page(view, "plan")
    assert "2.1 GB now, peak 2.1 GB" in page(view, "memory")
    assert "the store has not been looked at yet" in page(view, "store")
    assert "Join table and images: 2.0 s" in page(view, "log")
    assert "32.0 images/s" in page(view, "header")
    assert "352 of 800 images" in page(view, "header")
    assert "s left" in page(view, "header")
    assert 'role="progressbar" aria-label="whole run, 39 %"' in page(view, "header")
    assert 'role="status"' in page(view, "foot")
    assert widgets.cancel.disabled
    assert "use the kernel's interrupt" in widgets.cancel.tooltip
    words = " ".join(str(child.value) for child in widgets.root.children[1].children if hasattr(child, "value"))
    assert "use the kernel" in words


def test_in_the_background_the_panel_comes_at_once_and_its_button_cancels(shown: list[Any]) -> None:
    """One click: the callback is called once, and the button says that it was heard."""
    calls: list[str] = []
    plan = sample_plan()
    result = VistaResult(SampleRun([[], sample_events(plan)], plan))
    view = Panel(result, clock=Clock(), show=lambda root, key: shown.append(root), cancel=lambda: calls.append("c"))
    view.update(result.poll())
    assert len(shown) == 1
    assert view.widgets is not None
    button = view.widgets.cancel
    assert not button.disabled
    button.click()
    assert calls == ["c"]
    assert (button.disabled, button.description) == (True, "Cancelling")


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every message of every widget, recorded where ipywidgets hands it to the kernel."""
    import comm
    from comm.base_comm import BaseComm

    sent: list[str] = []

    class Recorder(BaseComm):
        def publish_msg(self, msg_type: str, *more: Any, **keys: Any) -> None:
            sent.append(msg_type)

    monkeypatch.setattr(comm, "create_comm", Recorder)
    return sent


def test_at_most_ten_messages_in_any_second(shown: list[Any], messages: list[str]) -> None:
    """A run that changes everything all the time, looked at 100 times a second for ten seconds."""
    clock = Clock()
    view, _ = panel(shown, clock)
    clock.now += 1.0
    view.update([])
    assert messages.count("comm_open") > 15, "the panel was opened through the recorder"
    times: list[float] = []
    for k in range(1, 1001):
        clock.now += 0.01
        messages.clear()
        more = ev.MemorySampled(5, 1, k * 0.01, k, k, k), ev.LogLine(5, 1, k * 0.01, "info", f"line {k}")
        view.update([ev.BatchDone(5, 1, k * 0.01, k, 1000), *more])
        times += [clock.now] * len(messages)
    assert view.state.done == 1000
    assert len(times) > 40, "a panel that says nothing is no panel"
    assert max(sum(at <= other < at + 1.0 for other in times) for at in times) <= 10


def test_an_unchanged_state_sends_nothing_but_the_clock(shown: list[Any]) -> None:
    """Pages are drawn anew only where the values they read changed."""
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 2
    view.update(result.poll())
    assert view.widgets is not None
    changed: list[str] = []
    for label, widget in view.widgets.html.items():
        widget.observe(lambda _, label=label: changed.append(label), "value")
    for _ in range(30):
        clock.now += 0.1
        view.update([])
    assert set(changed) == {"header"}
    assert len(changed) == 3


def models() -> set[Any]:
    from ipywidgets.widgets.widget import _instances

    return set(_instances)


def test_at_the_end_the_frozen_form_takes_the_place_of_the_panel(shown: list[Any], published: list[Any]) -> None:
    """The same display is updated, without a widget mime type; of the models only the root's stay, with the result in
    it, for a page that was loaded again during the run.
    """
    before = models()
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 2
    view.update(result.poll())
    assert len(models() - before) > 15
    view.update(result.poll())
    view.finish(result)
    root = shown[0][0]
    assert len(models() - before) <= 4
    assert "0.856" in root.children[0].value
    assert published[-1]["update"] is True
    assert published[-1]["transient"] == {"display_id": shown[0][1]}
    assert set(published[-1]["data"]) == {"text/plain", "text/html", "image/png"}


def test_of_many_finished_panels_a_few_models_stay(shown: list[Any], published: list[Any]) -> None:
    """A kernel that runs cells all day does not grow by each."""
    before = models()
    for _ in range(12):
        clock = Clock()
        view, result = panel(shown, clock)
        clock.now += 2
        view.update(result.poll())
        view.finish(result)
    assert len(models() - before) <= 16


def test_a_background_run_that_failed_shows_its_error(shown: list[Any], published: list[Any]) -> None:
    """Its cell has ended long ago: no traceback will stand below it. Escaped like everything else."""
    run = SampleRun([[]], status="failed")
    run.error = RuntimeError("no <script>Java</script>")
    result = VistaResult(run)
    view = Panel(result, clock=Clock(), show=lambda root, key: shown.append(root), cancel=result.cancel)
    view.update(result.poll())
    view.finish(result)
    assert "no <script>" in published[-1]["data"]["text/plain"]
    assert "&lt;script&gt;" in published[-1]["data"]["text/html"]
    assert "<script>" not in published[-1]["data"]["text/html"]


def test_a_run_that_found_nothing_leaves_nothing_but_its_error(published: list[Any]) -> None:
    """The error that follows says all; an empty table above it would not help."""
    run = SampleRun([], status="failed")
    run.error = RuntimeError("no Java")
    frozen.show_frozen(VistaResult(run))
    assert published == []
    frozen.show_frozen(VistaResult(run), replacing="abc")
    assert published[0]["data"] == {"text/plain": ""}


def test_text_lines_come_one_per_finished_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """Terminals see steps, scores and the final table."""
    plan = sample_plan()
    result = VistaResult(SampleRun([sample_events(plan)], plan))
    view = LiveText(result)
    view.update(result.poll())
    view.finish(result)
    lines = capsys.readouterr().out.splitlines()
    assert "[5/11] CNN: image to conv4_6 .. fc6: 25.0 s, 800 images, 32.0 images/s" in lines
    assert "  conv5_2: accuracy 0.856, 0.805 to 0.902, 1.8 s" in lines
    assert lines[-1].startswith("1 image could not be read")


@pytest.mark.parametrize(
    ("flag", "environ", "kernel", "kind"),
    [
        ("auto", {}, True, "widget"),
        ("auto", {}, False, "text"),
        ("auto", {"CI": "1"}, True, "static"),
        ("auto", {"VISTA_NB_UI": "static"}, True, "static"),
        ("auto", {"VISTA_NB_UI": "static"}, False, "static"),
        ("widget", {"VISTA_NB_UI": "static"}, True, "widget"),
        ("off", {}, True, "off"),
        ("auto", {"JPY_PARENT_PID": "papermill"}, True, "static"),
        ("auto", {"JPY_PARENT_PID": "jupyter-lab"}, True, "widget"),
        ("widget", {"JPY_PARENT_PID": "papermill"}, True, "widget"),
    ],
)
def test_the_kind_of_view(
    flag: str, environ: dict[str, str], kernel: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag wins, then VISTA_NB_UI, then what this process can show and who started it."""
    monkeypatch.setattr(choose, "has_kernel", lambda: kernel)
    monkeypatch.setattr(choose, "_starter", lambda process: process)
    assert choose.resolve(flag, environ) == kind


def test_who_started_this_kernel_is_read_from_the_process_table() -> None:
    """A real process whose script is called nbconvert; one that is not there; one that is no number."""
    import subprocess

    code = "import sys; sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code, "/somewhere/bin/jupyter-nbconvert"], stdin=subprocess.PIPE)
    try:
        assert choose.is_headless({"JPY_PARENT_PID": str(child.pid)})
    finally:
        child.communicate()
    for process in (str(child.pid), "", "x"):
        assert not choose.is_headless({"JPY_PARENT_PID": process})


def test_an_unknown_kind_is_a_usage_error() -> None:
    """Also when it comes from the environment."""
    with pytest.raises(VistaUsageError, match="VISTA_NB_UI: unknown kind 'fancy'"):
        choose.resolve("auto", {"VISTA_NB_UI": "fancy"})


def test_without_ipywidgets_a_kernel_gets_the_static_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package must work where widgets are not installed, also when they are asked for."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(choose, "has_kernel", lambda: True)
    monkeypatch.delenv("VISTA_NB_UI", raising=False)
    monkeypatch.delenv("CI", raising=False)
    result = VistaResult(SampleRun([]))
    assert not choose.has_widgets()
    assert isinstance(choose.view_for("auto", result), Static)
    assert isinstance(choose.view_for("widget", result), Static)
    assert isinstance(choose.view_for("off", result), Hidden)


def test_a_plan_replaced_by_one_that_reuses_is_drawn_from_the_start(shown: list[Any]) -> None:
    """The first look into the store may come after submit: steps, bar and layers are the new plan's."""
    clock = Clock()
    view, result = panel(shown, clock)
    shorter = sample_plan(("conv5_3", "fc6"))
    result._handle.plan = shorter
    result._handle.portions = [sample_events(shorter, 7)]
    clock.now += 2
    view.update(result.poll())
    assert "step 7 of 8: Train on conv5_3" in page(view, "header")
    assert "conv4_6" not in page(view, "layers")
    assert view.state.progress > 0.8


def test_the_first_second_counts_from_the_start_of_the_cell(shown: list[Any]) -> None:
    """Planning is part of it: after a long one the panel comes at once."""
    clock = Clock()
    result = VistaResult(SampleRun([[], []]))
    view = Panel(result, began=clock() - 1.2, clock=clock, show=lambda root, key: shown.append((root, key)))
    view.update(result.poll())
    assert len(shown) == 1
