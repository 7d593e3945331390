"""Two pictures in one: accuracy by layer, and where one layer goes wrong.

Reads a PanelState and one layer's Confusion (or, of a regression, true and predicted numbers), returns a Picture. May
touch: matplotlib, imported on first use, through its object interface only. DESIGN.md section 5, `.plot()`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from vista_nb.outcome.scores import Confusion
from vista_nb.outcome.wording import written
from vista_nb.views.plots import Picture, accuracy_picture, draw_accuracy, plain_label
from vista_nb.views.state import PanelState
from vista_nb.views.theme import ACCENT, GREY

__all__ = ["MOST_CLASSES", "Numbers", "draw_confusion", "draw_numbers", "outcome_picture"]

MOST_CLASSES: Final = 20
_WITH_COUNTS: Final = 12
_DARK: Final = 0.55  # a share from which on the number in the cell is white


@dataclass(frozen=True)
class Numbers:
    """A layer's held-out rows of a regression: (truth, prediction) each, in the unit of `label`."""

    layer: str
    label: str
    pairs: tuple[tuple[float, float], ...]


def outcome_picture(state: PanelState, metric: str, detail: Confusion | Numbers | None) -> Picture | None:
    """Left the layers, right the detail; the layers alone without one; None before the first score."""
    if detail is None or not any(layer.score for layer in state.layers):
        return accuracy_picture(state, metric)
    from matplotlib.figure import Figure

    scores = sum(layer.score is not None for layer in state.layers)
    classes = min(MOST_CLASSES, len(detail.classes)) if isinstance(detail, Confusion) else 8
    height = max(0.9 + 0.32 * max(3, scores), 1.6 + 0.26 * classes)
    figure = Figure(figsize=(6.0 + height, height), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(6.0, height))
    draw_accuracy(left, state, metric)
    said = draw_confusion(right, detail) if isinstance(detail, Confusion) else draw_numbers(right, detail)
    alone = accuracy_picture(state, metric)
    assert alone is not None
    return Picture(_png(figure), f"{alone.alt}. {said}")


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter the font lacks is drawn as a box: no reason to warn
        figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def draw_confusion(axes: Any, confusion: Confusion) -> str:
    """Draw the matrix on a matplotlib Axes, shaded by the share of each true class; returns it in a sentence.

    Of more than 20 classes those with the most mistakes are drawn.
    """
    shown = _shown(confusion)
    place = {index: row for row, index in enumerate(shown)}
    counts = [[0] * len(shown) for _ in shown]
    for truth, prediction, rows in confusion.cells:
        if truth in place and prediction in place:
            counts[place[truth]][place[prediction]] = rows
    shares = [
        [cell / max(1, total) for cell in row] for row, total in zip(counts, _totals(confusion, shown), strict=True)
    ]
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    if len(shown) <= _WITH_COUNTS:
        _write_counts(axes, counts, shares)
    names = [plain_label(confusion.classes[index]) for index in shown]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    few = f", the {len(shown)} classes with most mistakes" if len(shown) < len(confusion.classes) else ""
    axes.set_title(f"{plain_label(confusion.layer)}{few}", fontsize=9)
    return _sentence(confusion)


def _shown(confusion: Confusion) -> list[int]:
    """The classes to draw, in their own order."""
    total = len(confusion.classes)
    if total <= MOST_CLASSES:
        return list(range(total))
    wrong = [0] * total
    for truth, prediction, rows in confusion.cells:
        if truth != prediction:
            wrong[truth] += rows
            wrong[prediction] += rows
    return sorted(sorted(range(total), key=lambda index: -wrong[index])[:MOST_CLASSES])


def _totals(confusion: Confusion, shown: Sequence[int]) -> list[int]:
    """Held-out rows of each class drawn, those taken for a class that is not drawn too."""
    rows = dict.fromkeys(range(len(confusion.classes)), 0)
    for truth, _, count in confusion.cells:
        rows[truth] += count
    return [rows[index] for index in shown]


def _write_counts(axes: Any, counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float]]) -> None:
    for row, (numbers, parts) in enumerate(zip(counts, shares, strict=True)):
        for column, (number, share) in enumerate(zip(numbers, parts, strict=True)):
            if number:
                colour = "white" if share > _DARK else "black"
                axes.text(column, row, str(number), ha="center", va="center", fontsize=7, color=colour)


def _sentence(confusion: Confusion) -> str:
    wrong = sorted((cell for cell in confusion.cells if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell))
    names = confusion.classes
    worst = ", ".join(f"{names[truth]} taken for {names[taken]} {rows} times" for truth, taken, rows in wrong[:3])
    return f"Most frequent mistakes of {confusion.layer}: {worst or 'none'}"


def draw_numbers(axes: Any, numbers: Numbers) -> str:
    """Draw predicted against true values on a matplotlib Axes, with the line of no error; returns it in a sentence."""
    truths, predictions = zip(*numbers.pairs, strict=True) if numbers.pairs else ((), ())
    axes.plot(truths, predictions, "o", color=ACCENT, markersize=3, alpha=0.5, markeredgewidth=0)
    if numbers.pairs:
        ends = (min(*truths, *predictions), max(*truths, *predictions))
        axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.set_xlabel(f"true {plain_label(numbers.label)}")
    axes.set_ylabel("predicted")
    axes.set_title(plain_label(numbers.layer), fontsize=9)
    worst = max(numbers.pairs, key=lambda pair: abs(pair[1] - pair[0]), default=None)
    if worst is None:
        return f"Predicted against true {numbers.label}: no rows"
    said = f"largest error: {written('mae', worst[1])} for {written('mae', worst[0])}"
    return f"Predicted against true {numbers.label} of {numbers.layer}; {said}"
