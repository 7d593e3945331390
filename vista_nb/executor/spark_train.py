"""Train where the rows are: records joined with one layer's vectors in Spark, then MLlib.

Reads Rows and a DataFrame of vectors, returns a FitResult. May touch: the Spark session. DESIGN.md section 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vista_nb.catalog.workload import Workload
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_cluster import fit_cluster
from vista_nb.executor.records import Rows
from vista_nb.executor.spark_infer import storage_level
from vista_nb.executor.spark_tables import training_frame
from vista_nb.plan.physical import PhysicalPlan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["fit_on_cluster"]


def fit_on_cluster(
    session: SparkSession, rows: Rows, vectors: DataFrame | None, workload: Workload, physical: PhysicalPlan
) -> FitResult:
    """M by pyspark.ml on table + layer, or on the table alone (None). The joined rows live as long as the fit."""
    frame = training_frame(session, rows, vectors, workload.spec.views, physical).persist(
        storage_level(physical.persistence)
    )
    try:
        partitions = min(physical.num_partitions, max(1, len(rows)))
        return fit_cluster(frame, workload.call, rows.labels.classes, rows.labels.trained, partitions)
    finally:
        frame.unpersist()
