"""A Keras model as M: trained on the features by a process of its own, one for every layer and fold.

Reads scaled train rows, returns a model that scores new rows. May touch: a folder of the cache, a process that imports
TensorFlow (never this one; DESIGN.md section 8). The paper's M in DL Execution Memory (section 4.1). docs/adr/0026: the
weights begin anew for every fit, the width of the input is the layer's, the loss is the task's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.executor.cnn.throwaway import ask
from vista_nb.executor.downstream.fit import spread
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.standardize import Scaling
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vista_nb.executor.downstream.split import Labels

__all__ = ["KerasModel", "fit_keras"]

_PROCESS = "vista_nb.executor.downstream.keras_process"
_EPOCHS, _BATCH = 20, 32
_KEPT_SECONDS = 7 * 86_400  # since it was last used
_last: dict[str, NDArray[np.float64]] = {}  # the answer to the last rows that were asked about


@dataclass(frozen=True)
class KerasModel:
    """file: the fitted model. mean, scale: of the features' columns; trained: its classes among `classes` (both empty
    for a regression, whose label was shifted by `middle` and divided by `unit`). threads: of its process.
    """

    file: Path
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    trained: tuple[int, ...]
    classes: tuple[str, ...]
    middle: float = 0.0
    unit: float = 1.0
    threads: int = 1

    def probabilities(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if not self.classes:
            return np.zeros((len(matrix), 0))
        return spread(self._answer(matrix), self.trained, len(self.classes))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[Any]:
        if not self.classes:
            return self._answer(matrix)[:, 0] * self.unit + self.middle
        return np.asarray(self.probabilities(matrix).argmax(axis=1), dtype=np.int32)

    def _answer(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(rows, classes with train rows), or (rows, 1) of a regression; one process for rows asked about twice."""
        if not len(matrix):
            return np.zeros((0, max(1, len(self.trained))))
        asked = hashlib.sha256(f"{self.file}:{matrix.shape}".encode())
        asked.update(np.ascontiguousarray(matrix).tobytes())
        if asked.hexdigest() not in _last:
            found = self._asked(matrix)
            _last.clear()
            _last[asked.hexdigest()] = found
        return _last[asked.hexdigest()]

    def _asked(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        with tempfile.TemporaryDirectory(prefix="vista_nb-scoring-") as folder:
            room = Path(folder)
            with suppress(OSError):  # of a saved result it may be read-only
                os.utime(self.file)
            scaled = Scaling(self.mean, self.scale).apply(matrix, np.arange(len(matrix)), np.float32)
            np.save(room / "x.npy", scaled)
            request = {"do": "score", "room": str(room), "file": str(self.file), "threads": self.threads}
            request["classes"] = len(self.trained)
            ask(_PROCESS, request, room, doing="scoring with", step="train", what="the Keras model")
            return np.asarray(np.load(room / "p.npy", allow_pickle=False), dtype=np.float64)


def fit_keras(
    own: OwnModel,
    call: EstimatorCall,
    scaled: NDArray[Any],
    truth: NDArray[Any],
    labels: Labels,
    scaling: Scaling,
    *,
    threads: int = 1,
    seed: int = 0,
) -> tuple[KerasModel, Any, tuple[str, ...]]:
    """The model, twice: it is its own native object. Raises VST527 where it does not fit the features or the label."""
    assert own.room is not None
    own.room.mkdir(parents=True, exist_ok=True)
    _forget_unused(own.room)
    given = dict(call.parameters)
    middle, unit = _of_label(truth) if labels.is_regression else (0.0, 1.0)
    with tempfile.TemporaryDirectory(dir=own.room, prefix=".fitting-") as folder:
        room = Path(folder)
        (room / "model.json").write_text(str(own.value), encoding="utf-8")
        np.save(room / "x.npy", scaled)
        np.save(room / "y.npy", _target(truth, labels, middle, unit))
        request = {
            "do": "fit",
            "room": str(room),
            "name": own.name,
            "classes": len(labels.trained),
            "epochs": given.get("epochs", _EPOCHS),
            "batch_size": given.get("batch_size", _BATCH),
            "seed": seed,
            "threads": threads,
        }
        ask(_PROCESS, request, room, doing="training", step="train", what="the Keras model")
        content = (room / "fitted.keras").read_bytes()
        file = own.room / f"{hashlib.sha256(content).hexdigest()[:32]}.keras"
        (room / "fitted.keras").replace(file)
    model = KerasModel(file, scaling.mean, scaling.scale, labels.trained, labels.classes, middle, unit, threads)
    return model, None, ()


def _forget_unused(room: Path) -> None:
    """Every fit leaves a small file, which a result of this kernel may score with for days."""
    with suppress(OSError):
        for file in room.glob("*.keras"):
            if time.time() - file.stat().st_mtime > _KEPT_SECONDS:
                file.unlink(missing_ok=True)


def _of_label(truth: NDArray[np.float64]) -> tuple[float, float]:
    """Gradient descent wants a label around 0: mean and deviation of the train rows."""
    return float(truth.mean()), float(truth.std()) or 1.0


def _target(truth: NDArray[Any], labels: Labels, middle: float, unit: float) -> NDArray[Any]:
    """Positions among the classes with train rows, or the scaled number."""
    if labels.is_regression:
        return ((truth - middle) / unit).astype(np.float32)
    return np.searchsorted(np.array(labels.trained), truth).astype(np.int32)
