"""Two runs side by side: accuracy per layer, where features came from, seconds, memory and the two plans.

Reads two `Side`s, returns a Table. May touch: nothing. DESIGN.md section 4, `%vista compare`; section 5, `.compare`.
Two runs are seldom scored on the same rows by the same model, so nothing is said about chance: differences are given,
and what the runs did otherwise is named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vista_nb.outcome.scores import LayerScore, RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.numbers import count, format_score
from vista_nb.views.plan_view import plan_summary
from vista_nb.views.table_view import Table

__all__ = ["Side", "compare_table"]


@dataclass(frozen=True)
class Side:
    """One run. name: as `%vista show` takes it."""

    name: str
    status: str
    plan: Plan
    outcome: RunOutcome


def compare_table(first: Side, second: Side) -> Table:
    """A row per layer of either run, low to high, then the table alone; below it what else differs."""
    heads = ("", f"{first.name} {first.outcome.metric}", f"{second.name} {second.outcome.metric}", "difference", "from")
    rows = tuple(_row(layer, first, second) for layer in _layers(first, second))
    facts = tuple(_fact(*fact, first, second) for fact in _FACTS)
    note = "; ".join(_differences(first, second)) or "the two runs had the same CNN, model, pooling and plan"
    return Table(heads, (*rows, *facts), frozenset({1, 2, 3}), caption=f"{first.name} and {second.name}", note=note)


def _layers(first: Side, second: Side) -> list[str]:
    named = [*first.plan.layers, *(layer for layer in second.plan.layers if layer not in first.plan.layers)]
    scored = [score.layer for side in (first, second) for score in side.outcome.scores if score.is_baseline]
    return [*named, *dict.fromkeys(sorted(scored))]


def _row(layer: str, first: Side, second: Side) -> tuple[str, ...]:
    a, b = _score(layer, first), _score(layer, second)
    values = tuple(format_score(score.metric, score.value) if score else "" for score in (a, b))
    difference = ""
    if a is not None and b is not None and a.metric == b.metric:
        sign = "+" if b.value > a.value else ""
        difference = sign + format_score(a.metric, b.value - a.value)
    return layer, *values, difference, _sources(a, b)


def _score(layer: str, side: Side) -> LayerScore | None:
    return next((score for score in side.outcome.scores if score.layer == layer), None)


def _sources(a: LayerScore | None, b: LayerScore | None) -> str:
    found = [score.source if score else "not run" for score in (a, b)]
    return found[0] if found[0] == found[1] else f"{found[0]}, {found[1]}"


_Fact = Callable[[Side], str]
_FACTS: tuple[tuple[str, _Fact], ...] = (
    ("seconds", lambda side: format_seconds(side.outcome.seconds)),
    ("images through the CNN", lambda side: str(side.outcome.inferred_images)),
    ("rows", lambda side: str(side.outcome.rows.joined)),
    ("measured memory", lambda side: format_bytes(sum(size for _, size in side.outcome.peak_bytes))),
)


def _fact(title: str, fact: _Fact, first: Side, second: Side) -> tuple[str, ...]:
    return title, fact(first), fact(second), "", ""


def _differences(first: Side, second: Side) -> list[str]:
    """What was asked for, and how it was done, where that is not the same."""
    facts: tuple[tuple[str, _Fact], ...] = (
        ("status", lambda side: side.status),
        ("CNN", lambda side: side.plan.cnn),
        ("model", lambda side: side.plan.model),
        ("pooling", lambda side: side.plan.pool),
        ("held-out", lambda side: count(side.outcome.rows.test, "row")),
        ("plan", lambda side: plan_summary(side.plan).replace(";", ",")),
    )
    return [f"{name}: {fact(first)} against {fact(second)}" for name, fact in facts if fact(first) != fact(second)]
