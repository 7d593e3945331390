"""What is known of the data and of the machine before planning, as plain numbers.

Reads nothing, returns frozen values; the probes outside the pure rooms fill them. May touch: nothing.
Paper: Table 1(A), the statistics and the system environment.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.masters import is_local_master

__all__ = ["ColumnFacts", "SystemFacts", "WorkloadStatistics"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column of T_str as the probe saw it.

    kind: integer | number | string | boolean | date | datetime (a date with a time) | other. distinct and nulls are
    counted over `rows` rows; path_like: its strings look like file names; values: up to 20 distinct non-null values as
    text, sorted.
    frequent: how many distinct values have at least 10 rows (the width a one-hot would get, without the merged rest).
    """

    name: str
    kind: str
    rows: int = 0
    distinct: int = 0
    nulls: int = 0
    path_like: bool = False
    frequent: int = 0
    values: tuple[str, ...] = ()

    @property
    def near_unique(self) -> bool:
        """A string column whose values hardly repeat: a name or an identifier, no category."""
        return self.kind == "string" and self.rows > 20 and self.distinct > 0.5 * (self.rows - self.nulls)


@dataclass(frozen=True)
class WorkloadStatistics:
    """n, d_s, |image| and what overrides the roster's sizes. Bytes unless named otherwise.

    rows: n, records of T_str with label and image. images: distinct images (<= rows x views).
    structured_features: the encoded width d_s. image_bytes: mean encoded bytes of one image. views: v.
    decoded_image_values: where decoded images form a table, the float32 values of one (None: they never do).
    classes: of the label (0 for regression). test: the share of rows held out.
    """

    rows: int
    structured_features: int
    image_bytes: int
    views: int = 1
    images: int | None = None
    decoded_image_values: int | None = None
    cnn_serialized: int | None = None
    cnn_resident: int | None = None
    cnn_gpu: int | None = None
    model_resident: int | None = None
    model_gpu: int | None = None
    classes: int = 2
    test: float = 0.2
    mean_pixels: int = 50_176  # of the original photo, for the decoding cost; 224 x 224 where unknown


@dataclass(frozen=True)
class SystemFacts:
    """The machine or cluster. memory, cores, gpu_memory are per worker node; disk_free of the spill folder.

    master: Spark's. driver_memory: bytes of the driver's own machine on a cluster, None where driver and worker
    share one (local mode). source: where the memory limit was read (`cgroup`, `host`, `spec`). bfloat16: the
    processor multiplies in it; None where unknown (a what-if's machine).
    """

    memory: int
    cores: int
    nodes: int = 1
    gpu_memory: int = 0
    disk_free: int | None = None
    master: str = "local"
    driver_memory: int | None = None
    source: str = "spec"
    bfloat16: bool | None = None

    @property
    def is_local(self) -> bool:
        return is_local_master(self.master)
