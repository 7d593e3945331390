"""How a fitted model is read: which column of its input is which feature, and what it holds of each.

Reads the run behind a result through its handle, returns names and a frame. May touch: what the handle touches;
pandas, imported on use. A part of `VistaResult`, apart for its length. DESIGN.md sections 3 and 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista_nb.errors import VistaUsageError
from vista_nb.outcome.scores import TABLE, TABLE_TREE, LayerScore

if TYPE_CHECKING:
    import pandas as pd

    from vista_nb.result import RunHandle

__all__ = ["Reading"]


class Reading:
    """`.feature_names` and `.coefficients` of a VistaResult."""

    _handle: RunHandle

    if TYPE_CHECKING:

        def _layer_name(self, layer: str | LayerScore) -> str: ...

    def feature_names(self, layer: str | LayerScore) -> tuple[str, ...]:
        """One name per column of what the layer's model was trained on: the table's, then the photos'.

        A category is `kind=shoe`, `kind=(other)`, `kind=(null)`; a date `sold (days)`, `sold (year sin)`, ...; a value
        of the layer `conv5[17]`, `view 2 conv5[17]`, or `conv5 pc3` after `reduce`. `(table)` has the table's alone.
        """
        return self._handle.pipeline(self._trained_name(layer)).preparation.names

    def coefficients(self, layer: str | LayerScore) -> pd.DataFrame:
        """A row per feature: the coefficients of a linear model, or the importances of a tree model.

        Coefficients are those of the encoded feature: a number or date was standardized, a category is 0 or 1, a
        layer's value is as the CNN gives it. Raises VistaUsageError VST028 where the model has no number per feature.
        """
        import pandas as pd

        from vista_nb.executor.downstream.weights import feature_weights

        pipeline = self._handle.pipeline(self._trained_name(layer))
        found = feature_weights(pipeline.model, pipeline.classes)
        if found is None:
            message = f"the model of {pipeline.layer} has no coefficient or importance per feature"
            raise VistaUsageError("VST028", message, "`.model(layer)` is the fitted model itself")
        columns, values = found
        index = pd.Index(pipeline.preparation.names, name="feature")
        return pd.DataFrame(values, index=index, columns=list(columns))

    def _trained_name(self, layer: str | LayerScore) -> str:
        """The layer by its own name, or one of the baselines."""
        wanted = layer.layer if isinstance(layer, LayerScore) else layer
        return wanted if wanted in (TABLE, TABLE_TREE) else self._layer_name(wanted)
