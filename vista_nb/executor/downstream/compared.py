"""All that is said of the scored layers together, made once when the last one is scored.

Reads fits by layer, returns a Comparison. May touch: nothing. DESIGN.md section 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.executor.downstream.nested import nested_score
from vista_nb.executor.downstream.paired import paired_tests
from vista_nb.outcome.scores import TABLE, TABLE_TREE, Comparison, Confusion

if TYPE_CHECKING:
    from vista_nb.executor.downstream.fit import FitResult

__all__ = ["compared", "confusion"]


def compared(fits: Mapping[str, FitResult], metric: str, seed: int = 0) -> Comparison:
    """`fits`: layers low to high, and the baselines. Raises ValueError where two were not scored on the same rows."""
    if not fits:
        return Comparison()
    first = next(iter(fits.values()))
    layers = {name: fit for name, fit in fits.items() if name not in (TABLE, TABLE_TREE)}
    return Comparison(
        tests=paired_tests(fits, metric, seed),
        confusions=tuple(confusion(name, fit) for name, fit in fits.items() if not fit.is_regression),
        nested=nested_score(layers, metric, seed),
        folds=0 if first.folds is None else len(np.unique(first.folds)),
    )


def confusion(layer: str, fit: FitResult) -> Confusion:
    """How often each class was taken for which; cells by true, then predicted class."""
    pairs, rows = np.unique(np.stack([fit.truth, fit.predictions], axis=1), axis=0, return_counts=True)
    cells = tuple((int(t), int(p), int(n)) for (t, p), n in zip(pairs.tolist(), rows.tolist(), strict=True))
    return Confusion(layer, fit.classes, cells)
