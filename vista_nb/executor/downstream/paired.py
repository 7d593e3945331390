"""Layers compared on the same held-out rows: against the table alone, and the best against every other.

Reads fits, returns PairedTests. May touch: nothing. DESIGN.md section 11: paired, with correction for many layers.
Two families, each with its own Holm correction: every layer against the better table-only model; and, because the
best layer is picked by looking at the scores, every pair of layers, of which those of the best are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.executor.downstream.metrics import point, replicates
from vista_nb.outcome.intervals import bootstrap_p_value, holm, mcnemar_exact
from vista_nb.outcome.metrics import gain
from vista_nb.outcome.scores import TABLE, TABLE_TREE, PairedTest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FitResult

__all__ = ["paired_tests"]

MCNEMAR = "McNemar, exact"
BOOTSTRAP = "paired bootstrap"


def paired_tests(fits: Mapping[str, FitResult], metric: str, seed: int = 0) -> tuple[PairedTest, ...]:
    """`fits`: layer name (or `(table)`, `(table, tree)`) -> fit, layers low to high. Raises ValueError where two fits
    were not scored on the same rows.
    """
    _same_rows(fits)
    values = {name: point(metric, fit) for name, fit in fits.items()}
    layers = [name for name in fits if name not in (TABLE, TABLE_TREE)]
    p_values = _PValues(fits, metric, seed)
    return (*_against_table(layers, values, metric, p_values), *_among_layers(layers, values, metric, p_values))


class _PValues:
    """Two-sided p-value of two fits; resampled scores are drawn once per fit."""

    def __init__(self, fits: Mapping[str, FitResult], metric: str, seed: int) -> None:
        self.fits, self.metric, self.seed = fits, metric, seed
        self.method = MCNEMAR if metric == "accuracy" else BOOTSTRAP
        self._drawn: dict[str, NDArray[np.float64]] = {}

    def __call__(self, a: str, b: str) -> float:
        if self.method == MCNEMAR:
            right_a, right_b = (self.fits[n].truth == self.fits[n].predictions for n in (a, b))
            return mcnemar_exact(int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a)))
        differences = self._replicates(a) - self._replicates(b)
        return bootstrap_p_value(differences[~np.isnan(differences)].tolist())

    def _replicates(self, name: str) -> NDArray[np.float64]:
        if name not in self._drawn:
            self._drawn[name] = replicates(self.metric, self.fits[name], self.seed)
        return self._drawn[name]


def _against_table(
    layers: Sequence[str], values: Mapping[str, float], metric: str, p_values: _PValues
) -> list[PairedTest]:
    """Every layer against the better of the table-only models that were scored."""
    baselines = [name for name in (TABLE, TABLE_TREE) if name in values]
    if not baselines or not layers:
        return []
    table = _best(baselines, values, metric)
    corrected = holm([p_values(layer, table) for layer in layers])
    return [
        PairedTest(layer, table, p_values.method, gain(metric, values[layer], values[table]), p, len(layers))
        for layer, p in zip(layers, corrected, strict=True)
    ]


def _among_layers(
    layers: Sequence[str], values: Mapping[str, float], metric: str, p_values: _PValues
) -> list[PairedTest]:
    """Best against every other, the runner-up first, corrected for every pair that could have been picked."""
    if len(layers) < 2:
        return []
    best = _best(layers, values, metric)
    pairs = list(combinations(layers, 2))
    corrected = dict(zip(map(frozenset, pairs), holm([p_values(a, b) for a, b in pairs]), strict=True))
    others = [name for name in layers if name != best]
    others.sort(key=lambda name: _worse_by(metric, values[best], values[name]))
    return [
        PairedTest(
            best,
            other,
            p_values.method,
            gain(metric, values[best], values[other]),
            corrected[frozenset((best, other))],
            len(pairs),
        )
        for other in others
    ]


def _worse_by(metric: str, best: float, other: float) -> float:
    difference = gain(metric, best, other)
    return difference if difference == difference else np.inf  # NaN last


def _best(names: Sequence[str], values: Mapping[str, float], metric: str) -> str:
    """The first of the best, as `outcome.metrics.ranked` orders them; NaN last."""
    return max(names, key=lambda name: gain(metric, values[name], 0.0) if values[name] == values[name] else -np.inf)


def _same_rows(fits: Mapping[str, FitResult]) -> None:
    """A paired test over different rows would be a lie: refuse it."""
    names = list(fits)
    for name in names[1:]:
        first, other = fits[names[0]], fits[name]
        same = first.keys == other.keys and np.array_equal(first.truth, other.truth)
        if not same or not _same_folds(first, other):
            raise ValueError(f"{names[0]} and {name} were not scored on the same rows")


def _same_folds(a: FitResult, b: FitResult) -> bool:
    if a.folds is None or b.folds is None:
        return a.folds is b.folds
    return bool(np.array_equal(a.folds, b.folds))
