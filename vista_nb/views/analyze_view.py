"""EXPLAIN ANALYZE for people: the plan tree with predicted and measured seconds, memory planned and reached.

Reads a Plan and a RunOutcome, returns text or HTML. May touch: nothing. DESIGN.md section 4, `--analyze`. The numbers
are `outcome.analysis`; the text depends on nothing else, so it is golden-tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vista_nb.outcome.analysis import Analysis, StepTimes, analysis
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import head_lines, tree_lines
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.theme import ACCENT, GREY, card, css, details, esc, muted, name, table

__all__ = ["Analyzed", "analyze_html", "analyze_json", "analyze_text"]

_WIDTH = 70
_WORDS = {"driver": "driver", "workers": "CNN workers", "jvm": "JVM"}
_CELL = {"text_align": "left", "padding": "2px 12px 2px 0", "vertical_align": "top"}
_NUMBER = _CELL | {"text_align": "right", "white_space": "nowrap"}


def analyze_text(plan: Plan, outcome: RunOutcome) -> str:
    """The whole text, lines without trailing blanks."""
    found = analysis(plan, outcome)
    lines = [*head_lines(plan), *_tree(plan, found), *_memory(found), *_summary(found)]
    return "\n".join(line.rstrip() for line in lines)


def _tree(plan: Plan, found: Analysis) -> Iterator[str]:
    """Roots first as in EXPLAIN; releases, which no tree shows, count as between the steps."""
    by_number = {step.number: step for step in found.steps if step.number}
    yield f"{'':<{_WIDTH}} {'predicted':>11} {'measured':>11} {'ratio':>6}"
    for text, number in tree_lines(plan):
        yield _line(text, by_number[number], found)
    yield _line(f" {found.steps[0].title}", found.steps[0], found)
    yield _line(f" {found.steps[-1].title}", found.steps[-1], found)


def _line(text: str, step: StepTimes, found: Analysis) -> str:
    numbers = f"{_seconds(step.predicted):>11} {_measured(step):>11} {_ratio(step):>6}"
    return f"{text + _times(step, found):<{_WIDTH}} {numbers}  {step.work if step.times else ''}"


def _times(step: StepTimes, found: Analysis) -> str:
    """` x3`: how many waves ran it, where that is not once."""
    if not step.number or found.waves == 1 or not step.times:
        return ""
    if not found.ran(step):
        return f" x{step.times} of {found.waves}"
    return f" x{step.times}" if step.times > 1 else ""


def _seconds(value: float | None) -> str:
    return "" if value is None else format_seconds(value)


def _measured(step: StepTimes) -> str:
    return "did not run" if step.measured is None else format_seconds(step.measured)


def _ratio(step: StepTimes) -> str:
    """Measured over predicted; what is below what a line can show has none."""
    if step.predicted is None or step.measured is None or step.predicted < 0.05 or step.measured < 0.05:
        return ""
    return f"x{step.measured / step.predicted:.2g}"


def _memory(found: Analysis) -> Iterator[str]:
    for group, planned, peak in found.memory:
        share = f"{peak / planned:.0%} of" if planned else "nothing"
        yield f"memory of {_WORDS[group]}: peak {format_bytes(peak)}, {share} {format_bytes(planned)} planned"


def _summary(found: Analysis) -> Iterator[str]:
    """The totals, how far off they are, and where."""
    took = f"measured {format_seconds(found.measured)}"
    if found.predicted is None:
        yield f"{took}; this profile predicts no time"
        return
    told = f"predicted {format_seconds(found.predicted)}, {took}"
    if not found.whole:
        missing = sum(not found.ran(step) for step in found.steps)
        yield f"{told}: the run broke off, {missing} of {len(found.steps) - 2} steps did not run to their end"
        return
    error = "" if found.error is None else f": the prediction is {abs(found.error):.0%} {_side(found.error)}"
    yield told + error
    worst = found.furthest
    if worst is not None:
        took, thought = format_seconds(worst.measured or 0.0), format_seconds(worst.predicted or 0.0)
        yield f"furthest off: {worst.title}, which took {took} and was thought to take {thought}"


def _side(error: float) -> str:
    return "too high" if error > 0 else "too low"


def analyze_html(plan: Plan, outcome: RunOutcome) -> str:
    """The same as a table in execution order; a bar under each step shows its share of the time."""
    found = analysis(plan, outcome)
    longest = max((step.measured or 0.0 for step in found.steps), default=0.0)
    heads = (("step", False), ("predicted", True), ("measured", True), ("ratio", True), ("", False))
    rows = [
        f"<tr{css(background='transparent')}>"
        + "".join(
            f'<th scope="col"{css(**(_NUMBER if right else _CELL), border_bottom=f"1px solid {GREY}")}>{text}</th>'
            for text, right in heads
        )
        + "</tr>"
    ]
    rows += [_row(step, found, longest) for step in found.steps]
    said = "".join(muted(esc(line)) for line in (*_memory(found), *_summary(found)))
    return table("".join(rows)) + said


def _row(step: StepTimes, found: Analysis, longest: float) -> str:
    share = 100 * (step.measured or 0.0) / longest if longest else 0.0
    bar = f"<div{css(background=ACCENT, height='3px', width=f'{share:.1f}%', opacity='0.7')}></div>"
    cells = (
        f"<td{css(**_CELL)}>{name(step.title)}{esc(_times(step, found))}{bar}</td>",
        f"<td{css(**_NUMBER)}>{esc(_seconds(step.predicted))}</td>",
        f"<td{css(**_NUMBER)}>{esc(_measured(step))}</td>",
        f"<td{css(**_NUMBER)}>{esc(_ratio(step))}</td>",
        f"<td{css(**(_CELL | {'opacity': '0.8'}))}>{esc(step.work)}</td>",
    )
    return f"<tr{css(background='transparent')}>{''.join(cells)}</tr>"


def analyze_json(plan: Plan, outcome: RunOutcome) -> dict[str, Any]:
    """The numbers behind the text, as plain values."""
    found = analysis(plan, outcome)
    return {
        "predicted_seconds": found.predicted,
        "measured_seconds": found.measured,
        "error": found.error,
        "steps": [
            {
                "step": step.title,
                "number": step.number,
                "predicted_seconds": step.predicted,
                "measured_seconds": step.measured,
                "times": step.times,
            }
            for step in found.steps
        ],
        "memory": [{"group": group, "planned": planned, "peak": peak} for group, planned, peak in found.memory],
    }


@dataclass(frozen=True)
class Analyzed:
    """What `--analyze` and `.explain(analyze=True)` show."""

    plan: Plan
    outcome: RunOutcome

    def __str__(self) -> str:
        return analyze_text(self.plan, self.outcome)

    def to_json(self) -> dict[str, Any]:
        """Seconds and bytes as plain values."""
        return analyze_json(self.plan, self.outcome)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        text = str(self)
        head = f"<div><b>predicted against measured</b> for {name(self.plan.cnn)}, model {name(self.plan.model)}</div>"
        raw = f"<pre{css(font_size='12px', margin='0', overflow_x='auto')}>{esc(text)}</pre>"
        body = [head, analyze_html(self.plan, self.outcome), details("EXPLAIN ANALYZE as text", raw)]
        return {"text/plain": text, "text/html": card("".join(body))}
