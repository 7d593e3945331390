"""The plan as a tree: the last training on top, what it reads below it, as a database shows a plan.

Reads a Plan and optionally a PanelState, returns HTML. May touch: nothing. DESIGN.md section 6, tab Plan.
The text twin is EXPLAIN (`plan.explain.tree_lines`), whose order and depth this is.
"""

from __future__ import annotations

from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import tree_lines
from vista_nb.plan.titles import START, step_title
from vista_nb.units import format_seconds
from vista_nb.views.state import PanelState
from vista_nb.views.theme import ACCENT, GOOD, GREY, css, esc, name, scroll, table

__all__ = ["tree_html"]

_CELL = {"text_align": "left", "padding": "2px 12px 2px 0", "vertical_align": "top"}
_NUMBER = _CELL | {"text_align": "right", "white_space": "nowrap"}
_HEADS = (("", True), ("", False), ("step", False), ("predicted", True), ("measured", True))


def tree_html(plan: Plan, state: PanelState | None = None) -> str:
    """A row per step: done, running or waiting; predicted and measured seconds."""
    heads = "".join(
        f'<th scope="col"{css(**(_NUMBER if right else _CELL), border_bottom=f"1px solid {GREY}")}>{text}</th>'
        for text, right in _HEADS
    )
    rows = [_tr(heads), *(_row(plan, state, line, number) for line, number in tree_lines(plan)), _start(plan, state)]
    return scroll(table("".join(rows)))


def _tr(cells: str) -> str:
    return f"<tr{css(background='transparent')}>{cells}</tr>"


def _row(plan: Plan, state: PanelState | None, line: str, number: int) -> str:
    step = plan.logical.steps[number - 1]
    depth = len(line) - len(line.lstrip()) - 1
    operator, _, reads = line.strip().partition("] ")[2].partition(" <- ")
    predicted = plan.seconds_by_step[number - 1][1] if number <= len(plan.seconds_by_step) else None
    running = _is_running(state, number)
    done = state is not None and number in state.measured and not running
    weight = {"font_weight": "600"} if running else {}
    indent = css(**(_CELL | {"padding": f"2px 12px 2px {16 * depth}px"}), **weight)
    branch = f'<span aria-hidden="true"{css(color=GREY)}>\N{BOX DRAWINGS LIGHT UP AND RIGHT} </span>' if depth else ""
    words = f'<span title="{esc(operator)}">{name(step_title(step))}</span>{_aside(state, running, reads)}'
    measured = state.measured.get(number) if state else None
    cells = f"{_mark(number, running, done)}<td{indent}>{branch}{words}</td>"
    return _tr(f"{cells}<td{css(**_NUMBER)}>{_seconds(predicted)}</td><td{css(**_NUMBER)}>{_seconds(measured)}</td>")


def _is_running(state: PanelState | None, number: int) -> bool:
    if state is None or state.status != "running" or state.stage != number:
        return False
    return all((stage, wave) != (state.stage, state.wave) for stage, wave, _ in state.finished)


def _mark(number: int | None, running: bool, done: bool) -> str:
    """The step's number (the engines' start has none), and a sign of how far it is."""
    sign = "\N{BLACK RIGHT-POINTING TRIANGLE}" if running else "\N{CHECK MARK}" if done else ""
    words = "running" if running else "done"
    colour = css(color=ACCENT if running else GOOD)
    shown = f'<span role="img" aria-label="{words}"{colour}>{sign}</span>' if sign else ""
    digits = css(**(_NUMBER | {"padding": "2px 6px 2px 0"}), opacity="0.65")
    return f"<td{digits}>{'' if number is None else number}</td><td{css(**_CELL, width='1em')}>{shown}</td>"


def _aside(state: PanelState | None, running: bool, reads: str) -> str:
    """How far the running step is, and which other steps this one reads that stand elsewhere in the tree."""
    share = f" {100 * state.stage_share:.0f} %" if running and state is not None and state.total else ""
    words = f" reads {reads.replace('[', '').replace(']', '')}" if reads else ""
    return f"{share}<span{css(opacity='0.65', font_size='0.92em', font_weight='400')}>{esc(words)}</span>"


def _start(plan: Plan, state: PanelState | None) -> str:
    """The engines' start is no step, but it takes its time."""
    if plan.start_seconds is None:
        return ""
    running = state is not None and state.status == "planned"
    mark = _mark(None, running, state is not None and not running)
    cells = f"{mark}<td{css(**_CELL)}>{esc(START)}</td><td{css(**_NUMBER)}>{_seconds(plan.start_seconds)}</td>"
    return _tr(f"{cells}<td{css(**_NUMBER)}></td>")


def _seconds(value: float | None) -> str:
    return "" if value is None else esc(format_seconds(value))
