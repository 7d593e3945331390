"""A plan whose features are all stored, run by the kernel alone: no JVM, no worker, no TensorFlow.

Reads RunInputs and a Plan, returns counts and scores. May touch: the store. DESIGN.md sections 9 and 10: the second
cell with the same layers needs an engine only where its model is trained on the cluster (`plan.engines`).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from vista_nb.errors import VistaCancelled, VistaRunError
from vista_nb.executor.backend import Progress, Wave
from vista_nb.executor.base import DriverSide
from vista_nb.executor.cnn.usage import PassUsage
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.records import Rows, Vectors
from vista_nb.outcome.scores import LayerScore
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer, Pool, Release, Save, Step, Train, TrainBaselines
from vista_nb.plan.titles import step_title

__all__ = ["DriverBackend"]


class DriverBackend(DriverSide):
    """One run. What has to do with photos or raw tensors is refused: the session gives such a plan to Spark."""

    def __init__(self, plan: Plan, inputs: RunInputs, cancelled: threading.Event | None = None) -> None:
        super().__init__(plan, inputs)
        self.cancelled = cancelled or threading.Event()
        self.usage: list[PassUsage] = []  # as every backend's: no pass ran

    def infer(self, step: Infer, wave: Wave, progress: Progress) -> int:  # noqa: ARG002 (the protocol)
        raise _no_engine(step)

    def pool(self, step: Pool, wave: Wave) -> int:  # noqa: ARG002 (the protocol)
        raise _no_engine(step)

    def save(self, step: Save, wave: Wave) -> int:  # noqa: ARG002 (the protocol)
        raise _no_engine(step)

    def release(self, step: Release, wave: Wave) -> None:  # noqa: ARG002 (the protocol)
        raise _no_engine(step)

    def train_baselines(self, step: TrainBaselines, wave: Wave) -> Sequence[LayerScore]:  # noqa: ARG002
        self._go_on()
        rows = self.rows.below(wave.high)
        return self.trainer.baselines(rows, lambda part: self.trainer.on_driver(part, part.x), wave)

    def train(self, step: Train, wave: Wave) -> LayerScore:
        self._go_on()
        fit = self.fit_here(step, self.rows.below(wave.high), wave)
        return self.trainer.scored(step.layer, fit, wave, self.source(step.layer))

    def vectors(self, layer: str, rows: Rows) -> Vectors:
        """From the store, in no order."""
        return self.shelf.read(layer, {digest for view in rows.digests for digest in view})

    def cancel(self) -> None:
        """A fit cannot be stopped: the walk ends before the next step."""
        self.cancelled.set()

    def leave(self) -> None:
        """Nothing lies in Storage Memory."""

    def close(self) -> None:
        """Nothing is held but the store's parts."""
        self.reader.close()
        self.shelf.close()

    def _go_on(self) -> None:
        if self.cancelled.is_set():
            raise VistaCancelled("the run was cancelled")


def _no_engine(step: Step) -> VistaRunError:
    return VistaRunError("VST512", f"{step_title(step)}: this plan was to run without Spark", "please report this")
