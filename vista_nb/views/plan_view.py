"""The chosen plan as a tree, with the run's place in it, and the runners-up with their price.

Reads a Plan and optionally a PanelState, returns HTML or text. May touch: nothing.
DESIGN.md section 6, tab Plan. The text twin is EXPLAIN (`plan.explain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import explain, prediction_lines
from vista_nb.plan.why import difference_words, runners_up
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.memory_view import memory_html
from vista_nb.views.numbers import count
from vista_nb.views.plan_tree import tree_html
from vista_nb.views.state import PanelState
from vista_nb.views.theme import GREY, card, css, details, esc, muted, name, scroll, table

__all__ = ["Explanation", "plan_html", "plan_summary", "plan_text"]

_CELL = {"text_align": "left", "padding": "2px 12px 2px 0", "vertical_align": "top"}
_NUMBER = _CELL | {"text_align": "right", "white_space": "nowrap"}


def plan_summary(plan: Plan) -> str:
    """`eager, inference after join, pooling pushed down; 2 workers x 1 thread, 4 partitions, batch 32`."""
    physical = plan.physical
    work = f"{count(physical.cpu, 'worker')} x {count(physical.threads_per_task, 'thread')}"
    return f"{plan.logical.name}; {work}, {count(physical.num_partitions, 'partition')}, batch {physical.batch_size}"


def plan_text(plan: Plan) -> str:
    """EXPLAIN: stable text, no ids, no clock."""
    return explain(plan)


def plan_html(plan: Plan, state: PanelState | None = None) -> str:
    """The tree (steps marked done or running where a run is given), then what was not chosen and why."""
    title = f"<div{css(margin='2px 0 6px 0')}><b>{esc(plan.logical.name)}</b></div>"
    parts = (_physical(plan), _predicted(plan), tree_html(plan, state), _store(plan), _others(plan), _notes(plan))
    return title + "".join(parts)


def _physical(plan: Plan) -> str:
    physical = plan.physical
    words = [f"{physical.join.value} join", f"{physical.persistence.value} storage"]
    words.append(f"training on the {physical.training.value}")
    if plan.nodes > 1:
        words.append(f"{physical.nodes} of {plan.nodes} nodes")
    tail = plan_summary(plan).partition("; ")[2]
    return muted(esc("; ".join([tail, ", ".join(words), f"profile {plan.profile}"])))


def _predicted(plan: Plan) -> str:
    return "".join(muted(esc(line)) for line in prediction_lines(plan))


def _store(plan: Plan) -> str:
    return "".join(muted(f"store: {esc(sentence)}") for sentence in plan.store)


def _notes(plan: Plan) -> str:
    return "".join(muted(f"note: {esc(note)}") for note in plan.notes)


def _seconds(value: float | None) -> str:
    return "" if value is None else esc(format_seconds(value))


def _others(plan: Plan) -> str:
    found = runners_up(plan)
    if not found:
        return ""
    heads = "".join(
        f'<th scope="col"{css(**style, border_bottom=f"1px solid {GREY}")}>{text}</th>'
        for text, style in (("not chosen", _CELL), ("predicted", _NUMBER), ("peak", _NUMBER), ("why", _CELL))
    )
    rows = [f"<tr{css(background='transparent')}>{heads}</tr>"]
    for candidate in found:
        words = difference_words(candidate, plan.chosen or candidate)
        rows.append(
            f"<tr{css(background='transparent')}><td{css(**_CELL)}>{name(words)}</td>"
            f"<td{css(**_NUMBER)}>{_seconds(candidate.seconds)}</td>"
            f"<td{css(**_NUMBER)}>{format_bytes(candidate.peak_bytes)}</td>"
            f"<td{css(**(_CELL | {'opacity': '0.8'}))}>{esc(candidate.why)}</td></tr>"
        )
    looked = max(plan.looked_at, len(plan.candidates)) - 1
    words = f"runners-up, of {count(looked, 'other plan')} looked at"
    return f"<div{css(margin='10px 0 2px 0', font_weight='600')}>{esc(words)}</div>" + scroll(table("".join(rows)))


@dataclass(frozen=True)
class Explanation:
    """What `--explain` and `.explain()` show: EXPLAIN as text, with the memory bar in a notebook."""

    plan: Plan

    def __str__(self) -> str:
        return plan_text(self.plan)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        text = plan_text(self.plan)
        head = f"<div><b>plan</b> for {name(self.plan.cnn)}, model {name(self.plan.model)}</div>"
        raw = f"<pre{css(font_size='12px', margin='0', overflow_x='auto')}>{esc(text)}</pre>"
        bars = memory_html(self.plan.memory)
        if self.plan.driver_node is not None:
            bars += memory_html(self.plan.driver_node, who="the driver's machine")
        body = [head, plan_html(self.plan), bars, details("EXPLAIN as text", raw)]
        return {"text/plain": text, "text/html": card("".join(body))}
