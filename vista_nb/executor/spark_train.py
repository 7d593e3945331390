"""Train where the rows are: records joined with one layer's vectors in Spark, then MLlib.

Reads Rows and a DataFrame of vectors, gives the fits of one split. May touch: the Spark session. DESIGN.md section 11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vista_nb.catalog.workload import Workload
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_cluster import ClusterFit
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.executor.downstream.split import inner_fold_of
from vista_nb.executor.downstream.tuning import FitCalls, Split
from vista_nb.executor.records import Rows
from vista_nb.executor.spark_infer import storage_level
from vista_nb.executor.spark_tables import training_frame
from vista_nb.plan.physical import PhysicalPlan
from vista_nb.spec.model import EstimatorCall

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["fits_on_cluster"]


@contextmanager
def fits_on_cluster(
    session: SparkSession,
    rows: Rows,
    vectors: DataFrame | None,
    workload: Workload,
    physical: PhysicalPlan,
    *,
    layer: str = "",
    own: OwnModel | None = None,
) -> Iterator[FitCalls]:
    """M by pyspark.ml on table + layer, or on the table alone (None). The joined rows live as long as the fits."""
    spec = workload.spec
    inner = None if spec.tune is None else inner_fold_of(rows.keys, spec.seed, spec.tune.folds)
    frame = training_frame(session, rows, vectors, spec.views, physical, inner).persist(
        storage_level(physical.persistence)
    )
    partitions = min(physical.num_partitions, max(1, len(rows)))
    fitting = ClusterFit(frame, rows.labels.classes, partitions, spec.seed, own, layer)

    def fit(split: Split, calls: Sequence[EstimatorCall]) -> Sequence[FitResult]:
        return fitting.fit(split.inner, rows.labels.on(split.train).trained, calls)

    try:
        yield fit
    finally:
        frame.unpersist()
