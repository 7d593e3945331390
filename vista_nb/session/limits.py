"""`--max-mem`, `--max-time`: a plan beyond the user's own limits is refused before anything starts, and shown.

Reads a plan and the options of the run; returns nothing. May touch: nothing. DESIGN.md section 4. The limits judge what
the optimizer predicts: they do not make it plan otherwise (`resources: {memory: ...}` does), and do not stop a run.
"""

from __future__ import annotations

from vista_nb.errors import PlanRefused
from vista_nb.plan.candidate import Plan
from vista_nb.session.options import Options
from vista_nb.units import format_bytes, format_seconds

__all__ = ["refuse_beyond_limits"]


def refuse_beyond_limits(plan: Plan, options: Options) -> None:
    """Raises PlanRefused VST211 (memory of a worker node), VST212 (seconds), VST213 (no seconds are predicted)."""
    if options.max_memory is not None:
        _memory(plan, options.max_memory)
    if options.max_seconds is not None:
        _seconds(plan, options.max_seconds)


def _memory(plan: Plan, most: int) -> None:
    peak = plan.chosen.peak_bytes if plan.chosen is not None else plan.memory.total - plan.memory.storage
    if peak > most:
        allowed = format_bytes(most)
        message = f"the best plan holds up to {format_bytes(peak)} per worker node, --max-mem allows {allowed}"
        hint = f"plan for less memory: --set resources.memory={allowed.replace(' ', '')}"
        raise PlanRefused("VST211", message, hint, plan)


def _seconds(plan: Plan, most: float) -> None:
    chosen = plan.chosen
    if chosen is None or chosen.seconds is None:
        message = f"--max-time needs predicted seconds, and the profile {plan.profile} predicts none"
        raise PlanRefused("VST213", message, "leave --max-time or the profile out", plan)
    seconds = chosen.seconds + chosen.interim_seconds
    if seconds > most:
        allowed = format_seconds(most)
        message = f"the best plan is predicted to take {format_seconds(seconds)}, --max-time allows {allowed}"
        raise PlanRefused("VST212", message, "compare fewer layers, or a smaller CNN", plan)
