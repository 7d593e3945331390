"""One line on a terminal that moves while a run goes on; finished steps scroll away above it as lines of text.

Reads events, returns nothing. May touch: the terminal it was given. DESIGN.md section 4; docs/adr/0025: `rich` draws
the line (width, colours, `NO_COLOR`), never from a thread of its own: it is refreshed where events are drained.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from vista_nb.outcome.events import Event
from vista_nb.units import format_seconds
from vista_nb.views.live_text import LiveText
from vista_nb.views.protocol import Finished, Viewable
from vista_nb.views.state import PanelState

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["LiveLine", "is_terminal", "line_words"]

_PERIOD = 0.1


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a line can be drawn over: a file, a pipe and a notebook get lines of text."""
    try:
        return (stream or sys.stdout).isatty()
    except (AttributeError, ValueError):  # a closed or replaced stream
        return False


def line_words(state: PanelState) -> str:
    """`[5/11] CNN: image to fc6, 320 of 800 images, 32.0 images/s, about 15 s left`."""
    if not state.title:
        return "starting"
    wave = f", wave {state.wave} of {state.waves}" if state.waves > 1 else ""
    words = [f"[{state.stage}/{state.stages}{wave}] {state.title}"]
    if state.total:
        words.append(f"{state.done} of {state.total} images")
    if state.images_per_second:
        words.append(f"{state.images_per_second:.1f} images/s")
    if state.eta is not None:
        words.append(f"about {format_seconds(float(round(max(1.0, state.eta)))).replace('.0 s', ' s')} left")
    return ", ".join(words)


class LiveLine(LiveText):
    """`LiveText` with a progress line below its lines, which is gone at the end."""

    def __init__(
        self, run: Viewable, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(run, stream)
        self.clock = clock
        self.progress: Progress | None = None
        self._drawn = float("-inf")

    def update(self, events: Sequence[Event]) -> None:
        """The lines of what ended; the moving line at most ten times a second."""
        super().update(events)
        now = self.clock()
        if now - self._drawn < _PERIOD:
            return
        self._drawn = now
        if self.progress is None:
            self.progress = self._start()
        self.progress.update(
            self.progress.task_ids[0], completed=self.state.progress, description=_plain(line_words(self.state))
        )
        self.progress.refresh()

    def finish(self, result: Finished) -> None:
        """The line goes, the table comes."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        super().finish(result)

    def _start(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        progress = Progress(
            BarColumn(bar_width=20),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
            ),
            TimeElapsedColumn(),
            console=Console(file=self.stream or sys.stdout),
            auto_refresh=False,
            transient=True,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        progress.add_task("starting", total=1.0)
        progress.start()
        return progress

    def _write(self, line: str) -> None:
        """Above the moving line, as it is: no markup, no colours, no wrapping."""
        if self.progress is None:
            super()._write(line)
        else:
            self.progress.console.print(_plain(line), markup=False, highlight=False, emoji=False, soft_wrap=True)


def _plain(text: str) -> str:
    """No control characters: a file's name must not move the cursor."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
