"""One moving line on a terminal: what it says, that it goes away, and that a file gets plain lines instead."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Sequence

import pytest
from sample_run import SampleRun, sample_events, sample_plan

from vista_nb.outcome import events as ev
from vista_nb.result import VistaResult
from vista_nb.views import choose
from vista_nb.views.live_line import LiveLine, line_words
from vista_nb.views.live_text import LiveText
from vista_nb.views.state import PanelState, apply_all


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def drawn(portions: Sequence[list[ev.Event]], monkeypatch: pytest.MonkeyPatch, columns: int = 110) -> str:
    """Everything that a run in these portions writes to a terminal of this width."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    result = VistaResult(SampleRun(list(portions)))
    view = LiveLine(result, terminal, Clock())
    for _ in portions:
        view.update(result.poll())
    view.finish(result)
    return terminal.getvalue()


def screen(written: str, columns: int = 110) -> list[str]:
    """What stands on the terminal in the end: the few control sequences that a moving line needs, obeyed."""
    import re

    lines, row = [""], 0
    for token in re.split(r"(\x1b\[[\d;?]*[a-zA-Z]|\r|\n)", written):
        up = re.fullmatch(r"\x1b\[(\d*)A", token)
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif up:
            row -= int(up[1] or 1)
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token and not token.startswith("\x1b") and token != "\r":
            lines[row] += token
    return [line.rstrip() for line in lines]


def test_the_line_says_step_speed_and_time_left() -> None:
    """And nothing before the first step."""
    plan = sample_plan()
    state = PanelState.of(plan)
    assert line_words(state) == "starting"
    words = line_words(apply_all(state, sample_events(plan, 5)))
    assert words.startswith("[5/11] CNN: image to conv4_6 .. fc6, 352 of 800 images, 32.0 images/s, about ")
    assert words.endswith(" s left")


def test_at_the_end_the_lines_stay_and_the_moving_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was drawn while the run went on."""
    plan = sample_plan()
    written = drawn([sample_events(plan, 5), sample_events(plan)], monkeypatch)
    assert "352 of 800 images" in written
    left = screen(written)
    assert "[5/11] CNN: image to conv4_6 .. fc6: 25.0 s, 800 images, 32.0 images/s" in left
    assert not any("352 of 800" in line for line in left)
    assert any(line.startswith("*  conv5_2") for line in left)


def test_a_narrow_terminal_never_gets_a_second_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapped line could not be drawn over."""
    plan = sample_plan()
    written = drawn([sample_events(plan, 5), sample_events(plan)], monkeypatch, columns=40)
    assert not any("352 of" in line for line in screen(written, 40))


def test_names_cannot_move_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control characters and markup of rich are text."""
    hostile = "[red]\x1b[2J<b>"
    log = [ev.LogLine(text=f"column {hostile}"), ev.StageStarted(1, 1, 0.0, "infer", (), hostile)]
    written = drawn([[*log], []], monkeypatch)
    assert "\x1b[2J" not in written
    assert "column [red]?[2J<b>" in written


def test_it_draws_from_no_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich's own refresh thread would print between two cells."""
    before = threading.active_count()
    result = VistaResult(SampleRun([sample_events(sample_plan(), 5), []]))
    view = LiveLine(result, Terminal(), Clock())
    view.update(result.poll())
    assert threading.active_count() == before
    view.finish(result)


def test_a_run_faster_than_the_first_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only lines and the table."""
    result = VistaResult(SampleRun([sample_events(sample_plan())]))
    terminal = Terminal()
    view = LiveLine(result, terminal, lambda: float("-inf"))
    view.update(result.poll())
    view.finish(result)
    assert "conv5_2" in terminal.getvalue()


def test_only_a_terminal_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, a file, a closed stream: lines of text."""
    result = VistaResult(SampleRun([]))
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert isinstance(choose.view_for("text", result), LiveLine)
    closed = io.StringIO()
    closed.close()
    for stream in (io.StringIO(), closed):
        monkeypatch.setattr(sys, "stdout", stream)
        assert type(choose.view_for("text", result)) is LiveText
