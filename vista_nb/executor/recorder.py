"""The recorder: what a run has found out so far, readable while it runs and after it broke off.

Reads scores and counts as `walk` reports them, returns a RunOutcome. May touch: nothing. DESIGN.md sections 5, 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vista_nb.outcome.scores import BadImage, Comparison, LayerScore, RowCounts, RunOutcome

__all__ = ["Recorder"]


@dataclass
class Recorder:
    """Mutable on purpose: the walk fills it, an error leaves it as it is.

    reused: layers that came from the store. timeline: (title, start, end) in seconds of the run.
    """

    comparison: Comparison = field(default_factory=Comparison)
    bad_images: tuple[BadImage, ...] = ()
    rows: RowCounts = field(default_factory=RowCounts)
    seconds: float = 0.0
    task: str = "classification"
    metric: str = "accuracy"
    majority: float | None = None
    peak_bytes: tuple[tuple[str, int], ...] = ()
    timeline: list[tuple[str, float, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reused: set[str] = field(default_factory=set)
    _scores: dict[str, LayerScore] = field(default_factory=dict)
    _inferred: dict[str, int] = field(default_factory=dict)

    def score(self, score: LayerScore) -> None:
        """A final score; a later one of the same layer replaces it in its place."""
        self._scores[score.layer] = score

    def count_inferred(self, layers: tuple[str, ...], images: int) -> None:
        """`images` went from the photo to `layers`; several waves add up, several layers of one photo do not."""
        for layer in layers:
            self._inferred[layer] = self._inferred.get(layer, 0) + images

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @property
    def finished(self) -> tuple[str, ...]:
        """The layers with a final score, in the order they were trained; baselines left out."""
        return tuple(name for name, score in self._scores.items() if not score.is_baseline)

    def outcome(self) -> RunOutcome:
        """A frozen copy of everything so far."""
        return RunOutcome(
            scores=tuple(self._scores.values()),
            tests=self.comparison.tests,
            bad_images=self.bad_images,
            rows=self.rows,
            notes=tuple(self.notes),
            timeline=tuple(self.timeline),
            peak_bytes=self.peak_bytes,
            seconds=self.seconds,
            inferred_images=max(self._inferred.values(), default=0),
            task=self.task,
            metric=self.metric,
            majority=self.majority,
            confusions=self.comparison.confusions,
            nested=self.comparison.nested,
            folds=self.comparison.folds,
            tuning=self.comparison.tuning,
        )
