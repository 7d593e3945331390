"""How scores, intervals, counts and ages are written for people.

Reads outcome values, returns text. May touch: nothing.
"""

from __future__ import annotations

from vista_nb.outcome.scores import LayerScore
from vista_nb.outcome.wording import written

__all__ = ["count", "format_age", "format_interval", "format_score"]


def format_score(metric: str, value: float) -> str:
    """Three decimals for shares and losses; a number in the label's unit as the report's sentences write it."""
    return written(metric, value)


def format_interval(score: LayerScore) -> str:
    """`0.791 to 0.886`."""
    return f"{format_score(score.metric, score.ci_low)} to {format_score(score.metric, score.ci_high)}"


def format_age(seconds: float) -> str:
    """`4 min`: one unit is enough for the age of a stored layer."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def count(number: int, noun: str) -> str:
    """`1 layer`, `5 layers`, `20 129 images`."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}") + f" {noun}{'' if number == 1 else 's'}"
