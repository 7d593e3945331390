"""A run in its frozen form: text, HTML and one picture, with nothing live in it.

Reads a RunSummary, returns text or HTML. May touch: nothing. DESIGN.md sections 5 and 6.
The text holds no id and no clock, so two equal runs print the same. `exact=False` (VISTA_NB_UI=static) leaves
seconds, ages, bytes and whatever else depends on the machine out of the HTML too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vista_nb.outcome.events import LayerReused
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.units import format_seconds
from vista_nb.views.layers_view import layers_html, layers_text
from vista_nb.views.memory_view import measured_peaks, memory_html
from vista_nb.views.numbers import count
from vista_nb.views.plan_view import plan_html, plan_summary
from vista_nb.views.report_view import bad_image_line, key_sentences, report_html, reuse_lines, small_lines
from vista_nb.views.state import PanelState
from vista_nb.views.theme import BAD, DOT, GOOD, GREY, STAR, card, css, details, dot, esc, name

__all__ = ["TEXT_LINES", "RunSummary", "result_html", "result_text"]

TEXT_LINES: Final = 12

_COLOURS = {"done": GOOD, "failed": BAD, "cancelled": STAR}


@dataclass(frozen=True)
class RunSummary:
    """All that a drawn result needs. `state` is settled by the outcome; error is one line, empty where none."""

    plan: Plan
    metric: str
    state: PanelState
    outcome: RunOutcome
    sentences: tuple[str, ...] = ()
    error: str = ""

    @property
    def reused(self) -> tuple[LayerReused, ...]:
        return self.state.reused

    @property
    def title(self) -> str:
        """`resnet50, 5 layers, LogisticRegression(regParam=0.01)`."""
        return f"{self.plan.cnn}, {count(len(self.state.layers), 'layer')}, {self.plan.model}"


def result_text(summary: RunSummary) -> str:
    """At most twelve lines; where they do not suffice, the less useful layers are left to `.accuracy`."""
    state = summary.state
    head = f"vista_nb: {summary.title}: {state.status}"
    lines = [summary.error, *reuse_lines(summary.reused, exact=False), bad_image_line(summary.outcome)]
    tail = [_one_line(line) for line in lines if line]
    rows = len(state.layers) + len(state.baselines)
    room = TEXT_LINES - 2 - len(tail)  # without head and table header
    most = min(3, max(2, room - rows)) if state.status == "done" else 1
    said = [_one_line(s) for s in key_sentences(summary.sentences, most)]
    room -= len(said) + len(state.baselines)
    limit = len(state.layers) if len(state.layers) <= room else max(1, room - 1)
    shown = state.scores or not state.is_over
    table = layers_text(state, summary.metric, limit=limit).splitlines() if shown else []
    return "\n".join([head, *table, *said, *tail])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def result_html(summary: RunSummary, exact: bool = True) -> str:
    """The whole result: table, report, what was reused and left out, and the plan with its memory, folded."""
    parts = [_head(summary, exact)]
    if summary.state.scores or summary.state.status in ("running", "planned"):
        live = summary.state.status in ("running", "planned")
        parts.append(layers_html(summary.state, summary.metric, live=live, seconds=exact))
    parts.append(report_html(summary.sentences))
    lines = [*reuse_lines(summary.reused, exact), bad_image_line(summary.outcome), *summary.outcome.notes]
    parts.append(small_lines(lines))
    if exact:
        parts.append(_plan_and_memory(summary))
    return card("".join(parts))


def _head(summary: RunSummary, exact: bool) -> str:
    state = summary.state
    status = f"{dot(_COLOURS.get(state.status, GREY))}<b>{esc(state.status)}</b>"
    took = f" in {format_seconds(state.seconds)}" if exact and state.is_over and state.seconds else ""
    plan = summary.plan
    parts = [f"<b>{name(plan.cnn)}</b>", esc(count(len(state.layers), "layer")), name(plan.model), status + esc(took)]
    error = f"<div>{dot(BAD)}{esc(summary.error)}</div>" if summary.error else ""
    return f"<div{css(margin='2px 0')}>{DOT.join(parts)}</div>{error}"


def _plan_and_memory(summary: RunSummary) -> str:
    plan = summary.plan
    peaks = summary.outcome.peak_bytes or measured_peaks(summary.state.peak)
    inner = plan_html(plan, summary.state) + f"<div{css(margin='10px 0 0 0')}></div>" + memory_html(plan.memory, peaks)
    return details(f"plan: {esc(plan_summary(plan))}", inner)
