"""On a small machine the inference artifacts are made before Spark starts: making one takes more than running it.

Reads a plan and what it runs on; says whether both fit side by side, and makes what is missing. May touch: the
artifact cache, the run's throw-away process. DESIGN.md sections 8 and 10; docs/adr/0018. Elsewhere the JVM and the
workers start while the artifact is made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from vista_nb.catalog.roster import CNNFacts
from vista_nb.executor.cnn.prepare import end_process, prepare_artifact
from vista_nb.executor.spark_raw import onward
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer
from vista_nb.units import MB

if TYPE_CHECKING:
    from vista_nb.executor.inputs import RunInputs

__all__ = ["make_artifacts", "making_bytes", "side_by_side"]

_TENSORFLOW = 650 * MB  # a process that has imported it
_COPIES = 18  # of the weights, at Grappler's worst: ResNet50 (102 MB) was seen at 2.49 GB
_JVM_STARTED = 400 * MB


def making_bytes(cnn: CNNFacts) -> int:
    """What the process that makes an artifact holds at most; too much for CNNs of large dense matrices."""
    return _TENSORFLOW + _COPIES * cnn.serialized


def side_by_side(plan: Plan, cnn: CNNFacts) -> bool:
    """Whether artifacts can be made while Spark starts and, with several passes, while it infers."""
    memory, passes = plan.memory, _passes(plan)
    if plan.driver_node is not None or not passes:
        return True
    beside = _JVM_STARTED + plan.physical.cpu * _TENSORFLOW
    if len(passes) > 1:
        beside = max(beside, memory.dl_execution + memory.user + memory.core)
    return making_bytes(cnn) + beside + memory.driver + memory.os_reserved <= memory.total


def make_artifacts(plan: Plan, inputs: RunInputs, cancelled: threading.Event) -> None:
    """Make, or find in the cache, what every pass will load; then the process that made them ends."""
    work = inputs.workload
    for step in _passes(plan):
        prepare_artifact(
            inputs.model,
            work.cnn,
            step.start,
            step.outputs,
            work.pool if step.pooled else None,
            work.precision.value,
            inputs.cache_dir,
            cancelled,
            onward(plan.logical, step),
        )
    end_process()


def _passes(plan: Plan) -> list[Infer]:
    return [step for step in plan.logical.steps if isinstance(step, Infer) and step.images]
