"""How the plan changes as one number of the machine varies.

Reads nothing, returns frozen values and text. May touch: nothing. DESIGN.md section 7, what-if: `%vista explain --vary
memory=2g..64g`. The picture is `views.vary_view`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vista_nb.plan.candidate import Plan
from vista_nb.plan.why import candidate_words
from vista_nb.units import format_bytes, format_seconds

__all__ = ["Segment", "Variation", "plan_words", "value_words", "variation_text"]


@dataclass(frozen=True)
class Segment:
    """low .. high (both tried) have the same plan, `first` at low and `last` at high; None where nothing fits.

    constraint: then the inequality that failed at low.
    """

    low: int
    high: int
    first: Plan | None
    last: Plan | None
    constraint: str = ""


@dataclass(frozen=True)
class Variation:
    """key: memory (bytes), nodes or cores. points: (value, predicted seconds or None) of every plan that was made."""

    key: str
    segments: tuple[Segment, ...]
    points: tuple[tuple[int, float | None], ...]

    @property
    def changes(self) -> int:
        return len(self.segments) - 1


def value_words(key: str, value: int) -> str:
    """`8.0 GB` or `16`."""
    return format_bytes(value) if key == "memory" else str(value)


def plan_words(plan: Plan, varied: str) -> str:
    """The decisions of the chosen plan, in few words; how many nodes only where some are left or others vary."""
    if plan.chosen is None:
        return plan.logical.name
    words = candidate_words(plan.chosen)
    count = plan.physical.nodes
    if plan.nodes == 1 or (varied == "nodes" and count == plan.nodes):
        words = words.replace(f", {count} node{'s' if count > 1 else ''}", "")
    return words


def variation_text(variation: Variation) -> str:
    """A line per plan: from where to where it is chosen, what it decides, what it is predicted to take."""
    key, segments = variation.key, variation.segments
    low, high = value_words(key, segments[0].low), value_words(key, segments[-1].high)
    times = "once" if variation.changes == 1 else f"{variation.changes} times"
    change = f"the plan changes {times}" if variation.changes else "the plan stays the same"
    return "\n".join([f"{key} {low} .. {high}: {change}", *_lines(variation)])


def _lines(variation: Variation) -> Iterator[str]:
    for segment in variation.segments:
        low, high = value_words(variation.key, segment.low), value_words(variation.key, segment.high)
        span = low if low == high else f"{low} .. {high}"
        if segment.first is None or segment.last is None:
            yield f"  {span:<20} no plan fits: {segment.constraint}"
        else:
            words = plan_words(segment.first, variation.key)
            yield f"  {span:<20} {words}{_seconds(segment.first, segment.last)}"


def _seconds(first: Plan, last: Plan) -> str:
    found = [plan.chosen.seconds for plan in (first, last) if plan.chosen and plan.chosen.seconds is not None]
    words = list(dict.fromkeys(format_seconds(seconds) for seconds in found))
    return f": {' .. '.join(words)}" if words else ""
