"""Progress as lines of text, one per finished stage: for terminals and the command line.

Reads events, returns nothing. May touch: the stream it was given (standard output).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from vista_nb.outcome import events as ev
from vista_nb.units import format_seconds
from vista_nb.views.numbers import count, format_interval, format_score
from vista_nb.views.protocol import Finished, Viewable
from vista_nb.views.report_view import reuse_line
from vista_nb.views.state import ONCE, PanelState, apply

__all__ = ["LiveText", "line_of"]

_SILENT = ("release", "save", "train", "train_baselines")  # a score has a line of its own


def line_of(event: ev.Event, state: PanelState) -> str | None:
    """The line for one event, None where it says nothing new; `state` is the state after it."""
    if isinstance(event, ev.LayerReused):
        return reuse_line([event])
    if isinstance(event, ev.LayerScored) and event.score is not None:
        score = event.score
        interim = "" if event.final else f" (wave {event.wave} of {state.waves})"
        value = format_score(score.metric, score.value)
        took = f", {format_seconds(score.seconds)}" if score.seconds else ""
        return f"  {score.layer}: {score.metric} {value}, {format_interval(score)}{took}{interim}"
    if isinstance(event, ev.LogLine):
        return event.text if event.level == "info" else f"{event.level}: {event.text}"
    if isinstance(event, ev.StageFinished) and event.kind not in _SILENT:
        return _stage_line(event, state)
    return None


def _stage_line(event: ev.StageFinished, state: PanelState) -> str:
    title = state.title or event.kind
    rows = f", {count(event.rows, 'image' if event.kind == 'infer' else 'row')}" if event.rows else ""
    speed = f", {event.rows / event.seconds:.1f} images/s" if event.kind == "infer" and event.seconds > 0 else ""
    wave = f", wave {event.wave} of {state.waves}" if state.waves > 1 and event.kind not in ONCE else ""
    return f"[{event.stage}/{state.stages}{wave}] {title}: {format_seconds(event.seconds)}{rows}{speed}"


class LiveText:
    """Writes one line per stage end and the result at the end."""

    def __init__(self, run: Viewable, stream: TextIO | None = None) -> None:
        self.stream = stream
        self.state = PanelState.of(run.plan)

    def update(self, events: Sequence[ev.Event]) -> None:
        """Write what ended since the last call."""
        for event in events:
            self.state = apply(self.state, event)
            line = line_of(event, self.state)
            if line is not None:
                self._write(line)

    def finish(self, result: Finished) -> None:
        """Write the finished table and the report."""
        if result.worth_showing:
            self._write("\n" + str(result._repr_mimebundle_(include={"text/plain"})[0]["text/plain"]))

    def _write(self, line: str) -> None:
        stream = self.stream or sys.stdout
        plain = "".join(c if c.isprintable() or c == "\n" else "?" for c in line)
        try:
            stream.write(plain + "\n")
        except UnicodeEncodeError:  # a terminal that is not UTF-8 must not end a run
            stream.write(plain.encode("ascii", "replace").decode() + "\n")
        stream.flush()
