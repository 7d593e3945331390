"""One layer's whole way from a row and its photo to a prediction, as one value.

Reads nothing, returns a frozen value. May touch: nothing. DESIGN.md section 5: what `.predict` runs and `.save` writes:
decode, CNN prefix, pooling, structured preparation, model. docs/adr/0029.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from vista_nb.catalog.workload import Workload
from vista_nb.outcome.scores import TABLE, TABLE_TREE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from vista_nb.executor.downstream.fit import FittedModel
    from vista_nb.executor.downstream.preparation import Preparation
    from vista_nb.executor.inputs import ModelSource

__all__ = ["Pipeline", "label_kind"]


@dataclass(frozen=True)
class Pipeline:
    """layer: of the CNN, or `(table)`, `(table, tree)`, which look at no photo. classes: () for a regression.

    preparation: makes the model's matrix of a table and the photos' vectors. native: the engine's own fitted object
    where it is another than the model. label_kind: of the label's values (`text`, `integer`, `number`, `boolean`).
    source: the CNN's weights. cache_dir: where its artifact is kept.
    """

    layer: str
    workload: Workload
    preparation: Preparation
    model: FittedModel
    classes: tuple[str, ...]
    label_kind: str
    source: ModelSource
    cache_dir: Path
    native: Any = None

    @property
    def looks_at_photos(self) -> bool:
        return self.layer not in (TABLE, TABLE_TREE)

    def matrix(self, table: pa.Table, vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """What the model sees of new rows. vectors: per view, in the order of the rows; none for the table alone."""
        if not self.looks_at_photos:
            return self.preparation.encoder.transform(table)
        return self.preparation.matrix(table, vectors)


def label_kind(kind: Any) -> str:
    """Of an Arrow type: how the text of a class becomes a value of the label again."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_floating(kind):
        return "number"
    return "integer" if pa.types.is_integer(kind) else "text"
