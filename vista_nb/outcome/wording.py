"""How scores, differences and p-values are written in a sentence.

Reads scores and tests, returns text. May touch: nothing (standard library only).
"""

from __future__ import annotations

from vista_nb.outcome.scores import LayerScore, NestedScore, PairedTest

__all__ = ["change", "evidence", "interval", "listed", "value_with_interval", "written"]

_SHARES = frozenset({"accuracy", "f1", "auc", "r2", "logloss"})
_POINTS = frozenset({"accuracy", "f1", "auc"})
_NARROW = "\N{NO-BREAK SPACE}"


def written(metric: str, value: float) -> str:
    """Three decimals for shares and losses; a number in the label's unit gets four digits, or all before the point."""
    if metric in _SHARES:
        return f"{value:.3f}"
    return _number(value)


def _number(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return text.replace(",", _NARROW)


def interval(metric: str, low: float, high: float) -> str:
    """`0.791 to 0.886`."""
    return f"{written(metric, low)} to {written(metric, high)}"


def value_with_interval(score: LayerScore | NestedScore) -> str:
    """`accuracy 0.860 (95 % interval 0.830 to 0.890)`."""
    ends = interval(score.metric, score.ci_low, score.ci_high)
    return f"{score.metric} {written(score.metric, score.value)} (95 % interval {ends})"


def change(metric: str, difference: float) -> str:
    """A difference for people: points for shares, the metric's own unit otherwise; plus is always better."""
    if metric in _POINTS:
        return f"{100 * difference:+.1f} points"
    sign = "" if difference < 0 else "+"
    return f"{sign}{written(metric, difference)} {metric} (plus is better)"


def evidence(test: PairedTest) -> str:
    """`p = 0.031 (McNemar, exact; corrected for 5 comparisons)`."""
    p_value = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    corrected = f"; corrected for {test.compared} comparisons" if test.compared > 1 else ""
    return f"{p_value} ({test.method}{corrected})"


def listed(names: list[str], most: int = 5) -> str:
    """`a, b and c`; beyond `most`, how many more."""
    shown = names[:most]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
