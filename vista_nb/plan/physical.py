"""The physical plan: parallelism, join operator, storage format, batch, training site.

Reads nothing, returns frozen values. May touch: nothing. Paper: Table 1(B), variables the optimizer sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["JoinOperator", "Persistence", "PhysicalPlan", "TrainingSite"]


class JoinOperator(StrEnum):
    SHUFFLE = "shuffle"
    BROADCAST = "broadcast"


class Persistence(StrEnum):
    SERIALIZED = "serialized"
    DESERIALIZED = "deserialized"


class TrainingSite(StrEnum):
    CLUSTER = "cluster"
    DRIVER = "driver"


@dataclass(frozen=True)
class PhysicalPlan:
    """cpu: inference workers per node (the paper's cpu). batch_size: images per call of the CNN.

    num_partitions: np of the paper. nodes: worker nodes used.
    """

    cpu: int
    threads_per_task: int
    num_partitions: int
    batch_size: int
    join: JoinOperator
    persistence: Persistence
    training: TrainingSite
    nodes: int = 1
