"""Which engines a plan needs: Spark and the CNN only where something is inferred, or trained on the cluster.

Reads a logical plan and the training site, returns booleans. May touch: nothing. DESIGN.md section 9: a second cell
whose layers are stored starts no TensorFlow, and no Spark either where the kernel trains.
"""

from __future__ import annotations

from vista_nb.plan.logical import Infer, Load, LogicalPlan, Pool, Save
from vista_nb.plan.physical import TrainingSite

__all__ = ["needs_spark", "works_on_photos"]


def works_on_photos(logical: LogicalPlan) -> bool:
    """Whether photos or raw tensors are worked on: else the store answers every layer with pooled features."""
    return any(isinstance(step, Infer | Pool) or (isinstance(step, Load | Save) and step.raw) for step in logical.steps)


def needs_spark(logical: LogicalPlan, site: TrainingSite) -> bool:
    """Whether the plan has anything for Spark to do."""
    kept = any(isinstance(step, Load) and step.memory for step in logical.steps)
    return site is TrainingSite.CLUSTER or kept or works_on_photos(logical)
