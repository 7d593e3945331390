"""From a row of the table and the vectors of its photos to the row a model sees: all that was learnt of train rows.

Reads an Arrow table and float32 vectors, returns a float32 matrix. May touch: nothing. DESIGN.md sections 3 and 11: the
same preparation serves the fit and `.predict`, so a new row is treated as a held-out one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vista_nb.executor.downstream.encode import StructuredEncoder
from vista_nb.executor.downstream.reduce import Reducer, fit_reducer

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Preparation", "fit_preparation", "reduction_notes", "side_by_side"]


@dataclass(frozen=True)
class Preparation:
    """One layer's. layer: for the names of the columns. width: values of one photo's vector. photos: per record.

    views: concat | mean. reducer: of `reduce: pca K`, None without it.
    """

    layer: str
    encoder: StructuredEncoder
    width: int
    photos: int = 1
    views: str = "concat"
    reducer: Reducer | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """One per column of the matrix: the table's, then the photos' (`layer[0]`, `view 2 layer[0]`, `layer pc1`)."""
        if self.reducer is not None:
            own = [f"{self.layer} pc{place}" for place in range(1, self.reducer.components + 1)]
        elif self.photos == 1 or self.views == "mean":
            own = [f"{self.layer}[{place}]" for place in range(self.width)]
        else:
            views = range(1, self.photos + 1)
            own = [f"view {view} {self.layer}[{place}]" for view in views for place in range(self.width)]
        return (*self.encoder.names, *own)

    def matrix(self, table: pa.Table, vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """New rows. table: has the feature columns; vectors: per view (rows, width), in the order of the rows."""
        return self.reduced(np.hstack([self.encoder.transform(table), side_by_side(vectors, self.views)]))

    def reduced(self, whole: NDArray[np.float32]) -> NDArray[np.float32]:
        """The table's columns as they are, the photos' projected."""
        if self.reducer is None:
            return whole
        own = self.encoder.width
        return np.hstack([whole[:, :own], self.reducer.transform(whole[:, own:])])


def fit_preparation(
    layer: str,
    encoder: StructuredEncoder,
    whole: NDArray[np.float32] | None,
    train: NDArray[np.bool_],
    *,
    width: int,
    photos: int,
    views: str,
    components: int | None,
    seed: int,
) -> Preparation:
    """whole: (rows, d_s + photo columns), views combined; the projection is learnt of the rows where `train` is true.

    It may be None where `components` is: nothing of the photos is learnt then.
    """
    reducer = None
    if components is not None:
        assert whole is not None
        reducer = fit_reducer(whole[:, encoder.width :], train, components, seed)
    return Preparation(layer, encoder, width, photos, views, reducer)


def side_by_side(vectors: Sequence[NDArray[np.float32]], views: str) -> NDArray[np.float32]:
    """The photos of each record as one vector: one after the other, or their mean."""
    if views != "mean" or len(vectors) == 1:
        return np.hstack(list(vectors))
    total = vectors[0].copy()
    for block in vectors[1:]:
        total += block
    return np.asarray(total / np.float32(len(vectors)), dtype=np.float32)


def reduction_notes(prepared: Iterable[Preparation], components: int | None) -> tuple[str, ...]:
    """What `reduce` kept of each layer, for the user; empty without it."""
    if components is None:
        return ()
    made = list(prepared)
    notes = []
    kept = [(one.layer, one.reducer) for one in made if one.reducer is not None]
    if kept:
        shares = ", ".join(f"{reducer.explained:.0%} of {layer}" for layer, reducer in kept)
        notes.append(f"`pca {components}` keeps of the variance of the train rows: {shares}.")
    fewer = sorted({reducer.components for _, reducer in kept if reducer.components < components})
    if fewer:
        notes.append(f"`pca {components}` became `pca {fewer[0]}`: there are no more train rows than that.")
    whole = [
        f"{one.layer} ({one.width * (one.photos if one.views == 'concat' else 1)})"
        for one in made
        if one.reducer is None
    ]
    if whole:
        notes.append(f"No wider than `pca {components}`, so left as it is: {', '.join(whole)}.")
    return tuple(notes)
