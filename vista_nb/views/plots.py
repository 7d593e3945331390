"""The one picture: accuracy by layer with 95 % intervals, the table alone as a line.

Reads a PanelState, returns PNG bytes with a text for those who cannot see it. May touch: matplotlib, imported on
first use, through its object interface only: no global figure, no change of the user's backend.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from vista_nb.outcome.metrics import best_of
from vista_nb.outcome.scores import TABLE, LayerScore
from vista_nb.views.numbers import format_interval, format_score
from vista_nb.views.state import PanelState
from vista_nb.views.theme import ACCENT, GREY, STAR

__all__ = ["Picture", "accuracy_picture", "draw_accuracy", "plain_label"]


@dataclass(frozen=True)
class Picture:
    """A PNG with its alternative text; a notebook shows it, `save` writes it."""

    png: bytes
    alt: str

    def save(self, path: str) -> None:
        """Write the PNG to `path`."""
        from pathlib import Path

        Path(path).write_bytes(self.png)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ARG002
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def accuracy_picture(state: PanelState, metric: str) -> Picture | None:
    """The picture of all scores there are, or None where there is none."""
    scores = [layer.score for layer in state.layers if layer.score]
    if not scores:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.9 + 0.32 * max(3, len(scores))), dpi=110, layout="constrained")
    draw_accuracy(figure.add_subplot(), state, metric)
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter the font lacks is drawn as a box: no reason to warn
        # no date, no version: equal runs give equal bytes
        figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return Picture(buffer.getvalue(), _alt(scores, state, metric))


def draw_accuracy(axes: Any, state: PanelState, metric: str) -> None:
    """Draw on a matplotlib Axes: a row per layer from low (bottom) to high, hollow points for interim scores."""
    shown = [(layer, layer.score) for layer in state.layers if layer.score]
    best = best_of(score for _, score in shown)
    for row, (layer, score) in enumerate(shown):
        colour = STAR if best is score else ACCENT
        axes.plot([score.ci_low, score.ci_high], [row, row], color=colour, alpha=0.45, linewidth=5)
        axes.plot(score.value, row, "o", color=colour, markerfacecolor=colour if layer.final else "white")
    table = next((s for s in state.baselines if s.layer == TABLE), None)
    if table is not None:
        axes.axvline(table.value, color=GREY, linestyle="--", linewidth=1.5, label="table alone")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=9)
    axes.set_yticks(range(len(shown)), [plain_label(layer.name) for layer, _ in shown])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(f"{metric}, 95 % interval")
    axes.grid(axis="x", alpha=0.25)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def plain_label(text: str) -> str:
    """Safe for matplotlib, which reads `$` as the start of a formula."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).replace("$", r"\$")


def _alt(scores: list[LayerScore], state: PanelState, metric: str) -> str:
    parts = [f"{s.layer} {format_score(s.metric, s.value)} ({format_interval(s)})" for s in scores]
    table = next((s for s in state.baselines if s.layer == TABLE), None)
    alone = f"; table alone {format_score(table.metric, table.value)}" if table else ""
    return f"{metric} by layer with 95 % intervals: {', '.join(parts)}{alone}"
