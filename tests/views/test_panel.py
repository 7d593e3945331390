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


def test_the_panel_draws_layers_plan_and_memory(shown: list[Any]) -> None:
    """Core widgets, three tabs, a disabled Cancel that says what to use instead."""
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 1.1
    view.update(result.poll())
    assert len(shown) == 1
    assert view.widgets is not None
    widgets = view.widgets
    assert tuple(widgets.tab.titles) == ("Layers", "Plan", "Memory")
    assert "inferring 44 %" in widgets.pages[0].value
    assert "CNN: image to conv4_6 .. fc6" in widgets.pages[1].value
    assert "measured peak: " in widgets.pages[2].value
    assert "32.0 images/s" in widgets.header.value
    assert "352 of 800 images" in widgets.header.value
    assert 0.2 < widgets.bar.value < 0.6
    assert widgets.cancel.disabled
    assert "use the kernel's interrupt" in widgets.cancel.tooltip
    words = " ".join(str(child.value) for child in widgets.root.children[0].children if hasattr(child, "value"))
    assert "use the kernel" in words


def test_it_draws_at_most_ten_times_a_second(shown: list[Any]) -> None:
    """Events by the hundred are folded, not drawn one by one."""
    clock = Clock()
    view, _ = panel(shown, clock)
    clock.now += 1.0
    drawings = []
    real = view._draw
    view._draw = lambda now: (drawings.append(now), real(now))[1]  # type: ignore[method-assign,func-returns-value]
    for k in range(1, 1001):
        clock.now += 0.002
        view.update([ev.BatchDone(5, 1, k * 0.002, k, 1000)])
    assert 15 <= len(drawings) <= 20  # two seconds
    assert view.state.done == 1000


def test_an_unchanged_state_sends_nothing(shown: list[Any]) -> None:
    """Only the clock in the header moves between two events."""
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 2
    view.update(result.poll())
    assert view.widgets is not None
    changed: list[str] = []
    for label, widget in (("layers", view.widgets.pages[0]), ("plan", view.widgets.pages[1])):
        widget.observe(lambda _, label=label: changed.append(label), "value")
    clock.now += 0.2
    view.update([])
    assert changed == []


def test_at_the_end_the_frozen_form_takes_the_place_of_the_panel(shown: list[Any], published: list[Any]) -> None:
    """The same display is updated, without a widget mime type, and every model is closed."""
    from ipywidgets import Widget
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    clock = Clock()
    view, result = panel(shown, clock)
    clock.now += 2
    view.update(result.poll())
    assert set(_instances) - before
    view.update(result.poll())
    view.finish(result)
    assert set(_instances) == before, "models left behind would be saved with the notebook"
    assert isinstance(shown[0][0], Widget)
    assert published[-1]["update"] is True
    assert published[-1]["transient"] == {"display_id": shown[0][1]}
    assert set(published[-1]["data"]) == {"text/plain", "text/html", "image/png"}


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
    ],
)
def test_the_kind_of_view(
    flag: str, environ: dict[str, str], kernel: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag wins, then VISTA_NB_UI, then what this process can show."""
    monkeypatch.setattr(choose, "has_kernel", lambda: kernel)
    assert choose.resolve(flag, environ) == kind


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
    assert view.widgets is not None
    assert "step 7 of 8: <bdi>Train on conv5_3</bdi>" in view.widgets.header.value
    assert "conv4_6" not in view.widgets.pages[0].value
    assert view.widgets.bar.value > 0.8


def test_the_first_second_counts_from_the_start_of_the_cell(shown: list[Any]) -> None:
    """Planning is part of it: after a long one the panel comes at once."""
    clock = Clock()
    result = VistaResult(SampleRun([[], []]))
    view = Panel(result, began=clock() - 1.2, clock=clock, show=lambda root, key: shown.append((root, key)))
    view.update(result.poll())
    assert len(shown) == 1
