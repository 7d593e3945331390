"""Names of the metrics, which way is better, and the best of several scores.

Reads scores, returns names. May touch: nothing (standard library only). DESIGN.md section 3, key `metric`.
"""

from __future__ import annotations

from collections.abc import Iterable

from vista_nb.outcome.scores import LayerScore

__all__ = ["CLASSIFICATION_METRICS", "REGRESSION_METRICS", "best_of", "gain", "higher_is_better", "ranked"]

CLASSIFICATION_METRICS = ("accuracy", "f1", "auc", "logloss")
REGRESSION_METRICS = ("rmse", "mae", "r2")
_LOWER = ("logloss", "rmse", "mae")


def higher_is_better(metric: str) -> bool:
    return metric not in _LOWER


def gain(metric: str, a: float, b: float) -> float:
    """How much better `a` is than `b`, in the metric's unit; negative where it is worse."""
    return a - b if higher_is_better(metric) else b - a


def ranked(scores: Iterable[LayerScore]) -> tuple[LayerScore, ...]:
    """Best first; equal scores stay in the given order (layers low to high), NaN last."""
    return tuple(sorted(scores, key=_order))


def _order(score: LayerScore) -> float:
    value = -score.value if higher_is_better(score.metric) else score.value
    return float("inf") if value != value else value


def best_of(scores: Iterable[LayerScore]) -> LayerScore | None:
    """The best layer, baselines left out; the lower one of two equal layers. None without any."""
    return next(iter(ranked(s for s in scores if not s.is_baseline)), None)
