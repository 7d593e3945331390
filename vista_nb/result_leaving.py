"""How a result leaves its notebook: predictions for new rows, a folder for another process, a log elsewhere.

Reads the run behind a result through its handle, returns frames, folders, names. May touch: what the handle touches;
pandas and mlflow, imported on use. A part of `VistaResult`, apart for its length. DESIGN.md section 5; docs/adr/0029.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaUsageError
from vista_nb.outcome.scores import TABLE, TABLE_TREE, LayerScore

if TYPE_CHECKING:
    import pandas as pd

    from vista_nb.result import RunHandle, VistaResult

__all__ = ["Leaving"]

_WAIT = "wait for it: result.wait()"


class Leaving:
    """`.predict`, `.save`, `.load` and `.log_mlflow` of a VistaResult."""

    _handle: RunHandle

    if TYPE_CHECKING:

        @property
        def best(self) -> LayerScore | None: ...

        def _layer_name(self, layer: str | LayerScore) -> str: ...

    def predict(self, table: Any, images: Any = None, layer: str | LayerScore | None = None) -> pd.DataFrame:
        """Score new rows through the whole pipeline: decode, CNN prefix, pooling, structured preparation, model.

        table: a frame, a path, or what `structured:` takes; images: as the spec's `images:` (a list where the run has
        several views), None for the run's own; layer: the best one by default, `(table)` looks at no photo. One row per
        row given: prediction, probabilities, and `problem` where it could not be scored. Raises VistaDataError for the
        table, and for a bad photo under `bad_images: fail`.
        """
        from vista_nb.executor.leaving.frame import predictions_frame
        from vista_nb.executor.leaving.scoring import score

        pipeline = self._handle.pipeline(self._trained(layer))
        return predictions_frame(score(pipeline, table, images), pipeline)

    def save(self, path: Any, layers: Sequence[str] | str | None = None, *, overwrite: bool = False) -> Path:
        """Write scores, report and whole pipelines into a folder that `vista_nb.load` reads in another process.

        layers: all that were trained, with the table alone, or those named (`best`). No pickle: scikit-learn through
        skops, Spark's models by Spark, CNN and Keras models as `.keras`. Raises VistaStoreError VST631 (the folder is
        taken), VST633 (a model that only code describes); VistaUsageError VST013 while the run goes on.
        """
        if self._handle.status in ("planned", "running"):
            raise VistaUsageError("VST013", "the run has not ended: there is nothing to save yet", _WAIT)
        named = [layers] if isinstance(layers, str) else layers
        wanted = self._handle.saveable if named is None else [self._trained(n if n != "best" else None) for n in named]
        if not wanted:
            raise VistaUsageError("VST026", "nothing was trained in this run yet", _WAIT)
        return self._handle.save(self._whole, Path(path), tuple(dict.fromkeys(wanted)), overwrite=overwrite)

    @classmethod
    def load(cls, path: Any, trusted: Sequence[str] = ()) -> VistaResult:
        """What `save` wrote. trusted: see `vista_nb.load`."""
        # the facade is there whenever this module is; importing it from here would point upwards
        loaded: VistaResult = sys.modules["vista_nb"].load(path, trusted=trusted)
        return loaded

    def log_mlflow(self, run_name: str | None = None, *, save: bool = False) -> str:
        """Log spec, scores and report to MLflow, into its active run or a new one; save: the saved result beside.

        The id of MLflow's run. Raises VistaEnvironmentError VST452 where mlflow is not installed.
        """
        from vista_nb.mlflow_log import log_result

        return log_result(self._whole, run_name, save=save)

    @property
    def _whole(self) -> VistaResult:
        return self  # type: ignore[return-value]  # this class is a part of no other

    def _trained(self, layer: str | LayerScore | None) -> str:
        """The layer's name; the best one's for None; the table alone goes by its own. Raises VistaUsageError."""
        if layer is None:
            if self.best is None:
                raise VistaUsageError("VST026", "nothing was trained in this run yet", _WAIT)
            return self.best.layer
        name = layer.layer if isinstance(layer, LayerScore) else str(layer)
        return name if name in (TABLE, TABLE_TREE) else self._layer_name(name)
