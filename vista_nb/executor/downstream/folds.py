"""`folds: k`: every row scored once, by a model that had not seen it; then the model of all rows.

Reads joined rows and a fit of one split, returns one FitResult. May touch: what the fit touches. DESIGN.md section 3:
rows are assigned to folds by a salted hash of the key, so every layer and every baseline has the same folds. The model
that is kept (for `.model`, `.predict`, `.save`) is fitted on all rows, last, as is what prepares its features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.split import fold_of, refuse_untrainable
from vista_nb.executor.records import Rows

__all__ = ["across_folds", "merged"]


def across_folds(
    rows: Rows, seed: int, folds: int, label: str, one: Callable[[Rows], FitResult], *, refit: bool = True
) -> FitResult:
    """one: fits on the rows that `test` leaves, scores the others. refit: also on all rows; else the model and its
    parameters are those of the first fold. Raises VST351 where a fold leaves one class to train on, VST357 for more
    folds than rows.
    """
    place = fold_of(rows.keys, seed, folds)
    filled = [fold for fold in range(folds) if bool(np.any((place == fold) & rows.labels.known))]
    if len(filled) < 2:
        message = f"{len(rows)} rows do not fill two of {folds} folds"
        raise VistaDataError("VST357", message, "use fewer folds, or more rows")
    parts = []
    for fold in filled:
        part = rows.with_test(place == fold)
        refuse_untrainable(part.labels, part.test, label)
        parts.append((fold, one(part)))
    final = one(rows.with_test(np.zeros(len(rows), dtype=np.bool_))) if refit else parts[0][1]
    return merged(parts, final)


def merged(parts: Sequence[tuple[int, FitResult]], final: FitResult) -> FitResult:
    """All rows in key order, each with its fold; model, parameters and search are those of `final`."""
    keys = [key for _, part in parts for key in part.keys]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    fits = [part for _, part in parts]
    place = np.concatenate([np.full(part.rows_test, fold, dtype=np.int16) for fold, part in parts])
    known = [fit.seconds for fit in {id(fit): fit for fit in (*fits, final)}.values()]
    return replace(
        final,
        keys=tuple(keys[i] for i in order),
        truth=np.concatenate([fit.truth for fit in fits])[order],
        predictions=np.concatenate([fit.predictions for fit in fits])[order],
        probabilities=np.concatenate([fit.probabilities for fit in fits])[order],
        folds=place[order],
        seconds=sum(known),
        rows_train=round(sum(fit.rows_train for fit in fits) / len(fits)),
        notes=tuple(dict.fromkeys(note for fit in (*fits, final) for note in fit.notes)),
    )
