"""The log of one run: a bounded ring of lines, newest first where it is drawn.

Reads events, returns a frozen ring and its HTML or text. May touch: nothing. DESIGN.md section 6, tab Log.
What the terminal prints is what the log says: one line per finished step and score, and what the engine reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from vista_nb.outcome import events as ev
from vista_nb.views.live_text import line_of
from vista_nb.views.numbers import count
from vista_nb.views.state import LOG_LINES, PanelState
from vista_nb.views.theme import BAD, STAR, css, dot, esc, muted

__all__ = ["LogRing", "log_html", "log_text"]

_SHOWN: Final = 150
_COLOURS = {"warning": STAR, "error": BAD}


@dataclass(frozen=True)
class LogEntry:
    """at: seconds since the run's start; level: info, warning or error; text: one line, not escaped."""

    at: float
    level: str
    text: str


@dataclass(frozen=True)
class LogRing:
    """The last lines; dropped: how many older ones are gone."""

    entries: tuple[LogEntry, ...] = ()
    dropped: int = 0

    def took(self, event: ev.Event, state: PanelState) -> LogRing:
        """The ring after `event`; `state` is the state after it."""
        level, text = "info", line_of(event, state)
        if isinstance(event, ev.LogLine):
            level, text = event.level, event.text
        if isinstance(event, ev.RunFinished):
            level, text = ("error" if event.status == "failed" else "info"), _ended(event)
        if text is None:
            return self
        whole = (*self.entries, LogEntry(event.at, level, " ".join(text.split())))
        kept = whole[-LOG_LINES:]
        return replace(self, entries=kept, dropped=self.dropped + len(whole) - len(kept))

    @property
    def last(self) -> str:
        """The newest line, empty before the first."""
        return self.entries[-1].text if self.entries else ""


def _ended(event: ev.RunFinished) -> str:
    return f"{event.status}: {event.message}" if event.message else event.status


def log_html(ring: LogRing, shown: int = _SHOWN) -> str:
    """Newest first: the page draws the box anew, and a box that is drawn anew stands at its top."""
    if not ring.entries:
        return muted("nothing to report yet")
    rows = "".join(_row(entry) for entry in reversed(ring.entries[-shown:]))
    older = ring.dropped + max(0, len(ring.entries) - shown)
    rest = muted(esc(f"{count(older, 'older line')} not shown")) if older else ""
    style = css(
        max_height="280px",
        overflow_y="auto",
        font_family="var(--jp-code-font-family, monospace)",
        font_size="12px",
        line_height="1.5",
    )
    return f'<div role="log" aria-label="log, newest first" aria-live="off" tabindex="0"{style}>{rows}</div>{rest}'


def _row(entry: LogEntry) -> str:
    time = css(display="inline-block", min_width="5.5em", text_align="right", padding="0 10px 0 0", opacity="0.65")
    level = f"{dot(_COLOURS[entry.level])}<b>{esc(entry.level)}</b> " if entry.level in _COLOURS else ""
    text = f"<bdi>{esc(entry.text)}</bdi>"
    return f"<div{css(overflow_wrap='anywhere')}><span{time}>{entry.at:.1f} s</span>{level}{text}</div>"


def log_text(ring: LogRing) -> str:
    """Oldest first, as a terminal would show it."""
    return "\n".join(f"{entry.at:8.1f} s  {_plain(entry)}" for entry in ring.entries)


def _plain(entry: LogEntry) -> str:
    said = entry.text if entry.level == "info" else f"{entry.level}: {entry.text}"
    return "".join(c if c.isprintable() else "?" for c in said)
