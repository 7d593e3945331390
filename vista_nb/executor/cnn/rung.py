"""What going down the plan's ladder changes for an inference worker, told by a local property of the Spark job.

The kernel writes it (`on_rung`), every task started afterwards reads it (`under_rung`). May touch: the thread's Spark
local properties. DESIGN.md section 10, docs/adr/0018: the persisted table and its partitions stay the same object, so
that what is finished is kept, and only how the missing partitions are made changes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vista_nb.executor.cnn.worker import InferenceTask
    from vista_nb.plan.physical import PhysicalPlan

__all__ = ["PROPERTY", "on_rung", "under_rung"]

PROPERTY = "vista_nb.rung"


def on_rung(context: Any, planned: PhysicalPlan, physical: PhysicalPlan) -> None:
    """Jobs that this thread starts from now on run under `physical`; the plan's own decisions need no property."""
    if physical == planned:
        context.setLocalProperty(PROPERTY, None)
        return
    limit = physical.cpu if physical.cpu < planned.cpu else 0
    changed = {"batch_size": physical.batch_size, "threads": physical.threads_per_task, "limit": limit}
    context.setLocalProperty(PROPERTY, json.dumps(changed))


def under_rung(task: InferenceTask) -> InferenceTask:
    """In a worker: the task as this job's rung wants it; as it is outside Spark."""
    from pyspark import TaskContext

    context = TaskContext.get()
    text = context.getLocalProperty(PROPERTY) if context is not None else None
    return replace(task, **json.loads(text)) if text else task
