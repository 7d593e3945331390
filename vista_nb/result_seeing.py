"""How people look at a result: the photos behind its numbers, every metric, the confusion matrix.

Reads the run behind a result through its handle, returns galleries and frames. May touch: what the handle touches;
pandas, imported on use. A part of `VistaResult`, apart for its length. DESIGN.md sections 5 and 11; docs/adr/0028.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from vista_nb.errors import VistaError, VistaUsageError
from vista_nb.outcome.metrics import best_of
from vista_nb.outcome.scores import TABLE, TABLE_TREE, Confusion, LayerScore, RunOutcome, TestRow
from vista_nb.outcome.seen import disagreement, error, mistakes
from vista_nb.outcome.wording import written
from vista_nb.views.gallery_view import SIDE, Gallery, Group, Said, Tile

if TYPE_CHECKING:
    import pandas as pd

    from vista_nb.executor.thumbnails import Thumbnail
    from vista_nb.result import RunHandle
    from vista_nb.views.outcome_plots import Numbers

__all__ = ["MOST_PHOTOS", "Seeing"]

MOST_PHOTOS: Final = 100
_WAIT = "wait for it: result.wait()"


class Seeing:
    """`.mistakes`, `.compare_layers`, `.metrics` and `.confusion` of a VistaResult."""

    _handle: RunHandle

    if TYPE_CHECKING:

        @property
        def outcome(self) -> RunOutcome: ...

        def _layer_name(self, layer: str | LayerScore) -> str: ...

        def _scores(self) -> list[LayerScore]: ...

    def mistakes(
        self,
        layer: str | LayerScore | None = None,
        n: int = 12,
        *,
        truth: object = None,
        prediction: object = None,
    ) -> Gallery:
        """The held-out photos that a layer gets wrong, the surest mistakes (the largest errors) first.

        layer: the best one by default; `(table)` too. n: photos shown, at most 100. truth, prediction: only rows of
        that class, or taken for that class. Raises VistaUsageError VST030 for a run that was not made by this kernel.
        """
        _check_count(n)
        name = self._scored(layer)
        rows = self._handle.held_out(name)
        chosen = mistakes(rows, None if truth is None else str(truth), None if prediction is None else str(prediction))
        photos = self._handle.photos([row.key for row in chosen[:n]], SIDE)
        tiles = tuple(_tile(row.key, (row,), (name,), photos, self._unit) for row in chosen[:n])
        numbers = self.outcome.task == "regression"
        heading = _heading("largest errors first" if numbers else "wrong, the surest first", truth, prediction)
        caption = f"{name}: {len(rows)} held-out rows"
        return Gallery(caption, (Group(heading, tiles, len(chosen)),), _note(rows))

    def compare_layers(self, a: str | LayerScore, b: str | LayerScore, n: int = 6) -> Gallery:
        """The held-out photos that tell two layers apart: those only `a` gets right, and those only `b` does.

        Of a regression: those where one of them is nearer to the truth, by most. `(table)` is a layer too. n: photos
        of each kind, at most 100.
        """
        _check_count(n)
        names = self._scored(a), self._scored(b)
        if names[0] == names[1]:
            raise VistaUsageError("VST030", f"{names[0]} is compared with itself", "name two layers")
        seen = [self._handle.held_out(name) for name in names]
        found = disagreement(*seen)
        shown = (found.a_right[:n], found.b_right[:n])
        photos = self._handle.photos([pair[0].key for pairs in shown for pair in pairs], SIDE)
        word = "is nearer" if self.outcome.task == "regression" else "is right"
        other = "" if self.outcome.task == "regression" else ", {} wrong"
        groups = tuple(
            Group(
                f"{names[side]} {word}{other.format(names[1 - side])}",
                tuple(_tile(pair[0].key, pair, names, photos, self._unit) for pair in shown[side]),
                len((found.a_right, found.b_right)[side]),
            )
            for side in (0, 1)
        )
        alike = f"both right: {found.both_right}, both wrong: {found.both_wrong}"
        caption = f"{names[0]} and {names[1]}: {len(seen[0])} held-out rows"
        return Gallery(caption, groups, "" if self.outcome.task == "regression" else alike)

    @property
    def metrics(self) -> pd.DataFrame:
        """Every metric of the task for each scored layer, with its 95 % interval: layer, metric, value, ci_low,
        ci_high. Made on demand of the held-out rows.
        """
        import pandas as pd

        columns = ["layer", "metric", "value", "ci_low", "ci_high"]
        scores = [score for known in self._scores() for score in self._handle.metrics(known.layer)]
        return pd.DataFrame([[getattr(score, column) for column in columns] for score in scores], columns=columns)

    def confusion(self, layer: str | LayerScore | None = None) -> pd.DataFrame:
        """Held-out rows by true class (down) and predicted class (across), of the best layer or the one named.

        Raises VistaUsageError VST030 for a regression, or a layer without a score.
        """
        import pandas as pd

        name = self._scored(layer)
        found = next((c for c in self.outcome.confusions if c.layer == name), None)
        if found is None:
            hint = "`.plot()` draws predicted against true values" if self.outcome.task == "regression" else _WAIT
            raise VistaUsageError("VST030", f"there is no confusion matrix of {name}", hint)
        classes = list(found.classes)
        frame = pd.DataFrame(0, index=pd.Index(classes, name="truth"), columns=pd.Index(classes, name="prediction"))
        for truth, prediction, rows in found.cells:
            frame.iloc[truth, prediction] = rows
        return frame

    def _detail(self, layer: str | LayerScore | None) -> Confusion | Numbers | None:
        """What `.plot()` shows of one layer; None where nothing is known beyond its score."""
        from vista_nb.views.outcome_plots import Numbers

        if layer is None and best_of(self.outcome.scores) is None:
            return None
        name = self._scored(layer)
        if self.outcome.task != "regression":
            return next((c for c in self.outcome.confusions if c.layer == name), None)
        try:
            rows = self._handle.held_out(name)
        except VistaError:  # a run that was saved: its rows are gone, its scores are not
            return None
        pairs = tuple((float(row.truth), float(row.prediction)) for row in rows)
        return Numbers(name, self._handle.workload.label, pairs)

    @property
    def _unit(self) -> str:
        """Of a regression: a metric in the label's unit, by which its numbers are written."""
        return "" if self.outcome.task == "classification" else "mae"

    def _scored(self, layer: str | LayerScore | None) -> str:
        """A layer, or the table alone, that has a score. Raises VistaUsageError."""
        scored = [score.layer for score in self.outcome.scores]
        best = best_of(self.outcome.scores)
        if layer is None and best is not None:
            return best.layer
        if layer is None:
            raise VistaUsageError("VST030", "no layer has a score yet", _WAIT)
        wanted = layer.layer if isinstance(layer, LayerScore) else str(layer)
        name = wanted if wanted in (TABLE, TABLE_TREE) else self._layer_name(wanted)
        if name not in scored:
            raise VistaUsageError("VST030", f"{name} has no score in this run", f"there are: {', '.join(scored)}")
        return name


def _check_count(n: int) -> None:
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MOST_PHOTOS:
        raise VistaUsageError("VST030", f"n={n!r}: how many photos to show", f"a whole number from 1 to {MOST_PHOTOS}")


def _heading(words: str, truth: object, prediction: object) -> str:
    only = [f"{what} {value}" for what, value in (("truth", truth), ("predicted", prediction)) if value is not None]
    return f"{words} ({', '.join(only)})" if only else words


def _note(rows: Sequence[TestRow]) -> str:
    """A word on the probability, where there is one."""
    if any(row.probability is not None for row in rows):
        return "the percentage is the model's probability of its prediction"
    return ""


def _tile(key: str, rows: Sequence[TestRow], layers: Sequence[str], photos: Mapping[str, Thumbnail], unit: str) -> Tile:
    """One record as the layers saw it."""
    photo = photos[key]
    said = tuple(
        Said(layer, _words(row, unit), None if unit else row.truth == row.prediction)
        for layer, row in zip(layers, rows, strict=True)
    )
    truth = written(unit, float(rows[0].truth)) if unit else str(rows[0].truth)
    return Tile(key, truth, said, photo.jpeg, photo.why)


def _words(row: TestRow, unit: str) -> str:
    if unit:
        sign = "+" if float(row.prediction) >= float(row.truth) else "\N{MINUS SIGN}"
        return f"{written(unit, float(row.prediction))} ({sign}{written(unit, error(row))})"
    sure = "" if row.probability is None else f" {row.probability:.0%}"
    return f"{row.prediction}{sure}"
