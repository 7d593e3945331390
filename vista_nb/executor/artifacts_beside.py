"""The inference artifacts of one run, made or found while the tables are read and joined.

Reads a plan and what it runs on, returns futures of artifact folders. May touch: the artifact cache, the run's
throw-away process. DESIGN.md sections 8 and 10. On a small machine they are made first (`artifacts_first`).
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from vista_nb.executor.cnn.prepare import end_process, prepare_artifact
from vista_nb.executor.inputs import RunInputs
from vista_nb.executor.spark_raw import onward
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer

__all__ = ["Artifacts"]


class Artifacts:
    """Of the passes of a plan, each made at most once; held until `close`, as lost partitions are computed anew."""

    def __init__(self, plan: Plan, inputs: RunInputs, cancelled: threading.Event) -> None:
        self.plan, self.inputs, self.cancelled = plan, inputs, cancelled
        self._made: dict[int, Future[Path]] = {}
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="vista-artifact")
        self._holding = ExitStack()

    @property
    def busy(self) -> list[Infer]:
        """Passes that photos go through."""
        return [step for step in self.plan.logical.steps if isinstance(step, Infer) and step.images]

    def of(self, step: Infer) -> Future[Path]:
        """The step's inference artifact; made in a throw-away process while the JVM joins."""
        if step.number not in self._made:
            work, pooling = self.inputs.workload, self.inputs.workload.pool if step.pooled else None
            self._made[step.number] = self._preparing.submit(
                prepare_artifact,
                self.inputs.model,
                work.cnn,
                step.start,
                step.outputs,
                pooling,
                work.precision.value,
                self.inputs.cache_dir,
                self.cancelled,
                onward(self.plan.logical, step),
                self._holding,
            )
        return self._made[step.number]

    def begin(self) -> bool:
        """Starts making what the passes will load; whether any of them looks at photos."""
        for later in self.busy:
            self.of(later)
        self._preparing.submit(end_process)
        return any(later.start is None for later in self.busy)

    def close(self) -> None:
        """Callable more than once."""
        self._preparing.shutdown(wait=False, cancel_futures=True)
        self._holding.close()
