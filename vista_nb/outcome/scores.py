"""How well each layer did, as plain values: scores, the paired comparisons, what was wrong with the data.

Reads nothing, returns frozen values. May touch: nothing (standard library only).
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.outcome.tuning import TunedPoint

__all__ = [
    "TABLE",
    "TABLE_TREE",
    "BadImage",
    "Comparison",
    "Confusion",
    "LayerScore",
    "NestedScore",
    "PairedTest",
    "RowCounts",
    "RunOutcome",
    "TestRow",
]

TABLE = "(table)"
TABLE_TREE = "(table, tree)"


@dataclass(frozen=True)
class LayerScore:
    """The score of one layer (or of `(table)`, `(table, tree)`) on the held-out rows.

    value, ci_low, ci_high: in the metric's own unit; seconds: training and scoring; source: computed | reused.
    wave counts from 1; rows_train and rows_test are the rows this score saw. parameters: what tuning chose for this
    layer, as `regParam=0.1`; empty where nothing was tuned.
    """

    layer: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    seconds: float = 0.0
    source: str = "computed"
    rows_train: int = 0
    rows_test: int = 0
    wave: int = 1
    parameters: str = ""

    @property
    def is_baseline(self) -> bool:
        return self.layer in (TABLE, TABLE_TREE)


@dataclass(frozen=True)
class PairedTest:
    """Two scores compared on the same held-out rows.

    method names the test (`McNemar, exact` or `paired bootstrap`), p_value is corrected (Holm) over `compared`
    comparisons; difference is a minus b in the metric's unit, positive where a is the better one.
    """

    a: str
    b: str
    method: str
    difference: float
    p_value: float
    compared: int = 1

    @property
    def clear(self) -> bool:
        """Whether a is better than b beyond chance, at 5 %."""
        return self.p_value < 0.05 and self.difference > 0


@dataclass(frozen=True)
class NestedScore:
    """What choosing the best layer is worth: chosen on half of the held-out rows, scored on the other half, many times.

    chosen: the layers that were best on some half, most often first.
    """

    metric: str
    value: float
    ci_low: float
    ci_high: float
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Confusion:
    """Held-out rows of one layer by true and predicted class: (truth, prediction, rows), indices into `classes`.

    Cells without rows are left out, so that many classes stay small.
    """

    layer: str
    classes: tuple[str, ...]
    cells: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Comparison:
    """What is known of the layers once all are scored. tests: best against runner-up, and each against the table.

    folds: of `folds: k`, 0 for one split; nested: with folds and two layers or more. tuning: what each layer's grid
    search looked at.
    """

    tests: tuple[PairedTest, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    nested: NestedScore | None = None
    folds: int = 0
    tuning: tuple[TunedPoint, ...] = ()


@dataclass(frozen=True)
class TestRow:
    """One held-out row as one layer saw it: the key, the truth, the prediction (as text or number).

    probability: of the prediction; None for a regression, or a model that gives none.
    """

    key: str
    truth: str | float
    prediction: str | float
    probability: float | None = None


@dataclass(frozen=True)
class BadImage:
    """One quarantined picture: whose it was, where it lies, which stage refused it and why."""

    key: str
    path: str
    stage: str
    reason: str


@dataclass(frozen=True)
class RowCounts:
    """What happened to the rows of both tables on the way into training."""

    structured: int = 0
    images: int = 0
    joined: int = 0
    no_image: int = 0
    unmatched_images: int = 0
    null_label: int = 0
    null_key: int = 0
    bad_images: int = 0
    distinct_images: int = 0
    train: int = 0
    test: int = 0


@dataclass(frozen=True)
class RunOutcome:
    """Everything a run found out that is not an array: what `result.py` wraps and what `%vista show` repaints."""

    scores: tuple[LayerScore, ...] = ()
    tests: tuple[PairedTest, ...] = ()
    bad_images: tuple[BadImage, ...] = ()
    rows: RowCounts = RowCounts()
    notes: tuple[str, ...] = ()
    timeline: tuple[tuple[str, float, float], ...] = ()  # (title, start, end) in seconds of the run
    peak_bytes: tuple[tuple[str, int], ...] = ()  # measured, per region
    seconds: float = 0.0
    inferred_images: int = 0
    task: str = "classification"
    metric: str = "accuracy"
    majority: float | None = None
    confusions: tuple[Confusion, ...] = ()
    nested: NestedScore | None = None
    folds: int = 0
    tuning: tuple[TunedPoint, ...] = ()
