"""One pass of the CNN in Spark's Python workers, and the pooling of raw layers: `mapInArrow`, persisted, counted.

Reads a DataFrame of images or raw tensors, returns persisted DataFrames and the images that could not be read. May
touch: the Spark session; the artifact cache. DESIGN.md section 10; paper: section 4.2.2 (partial inference).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.executor.backend import Progress
from vista_nb.executor.cnn.usage import Usage, told, watched
from vista_nb.executor.cnn.worker import InferenceTask, PoolTask, infer_batches, output_ddl, pool_batches, pool_ddl
from vista_nb.executor.spark_progress import counted, counting
from vista_nb.plan.physical import Persistence

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["PassResult", "infer_pass", "pool_pass", "storage_level"]

_TENSOR_BATCH = 32  # raw tensors per Arrow batch: a layer's tensor is up to a few MB
_KEPT_ROWS = {True: 32, False: 8}  # by whether they are vectors: rows of a cached batch, some MB of them

Attempt = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class PassResult:
    """frame: persisted (digest, error, worker, f0.. | tensors). reasons: digest -> why it could not be read. usage: by
    worker, where the workers are on this machine.
    """

    frame: DataFrame
    reasons: dict[str, str]
    images: int
    seconds: float
    usage: tuple[Usage, ...] = ()

    @property
    def good(self) -> DataFrame:
        return self.frame.where("error is null")


def infer_pass(
    given: DataFrame,
    task: InferenceTask,
    total: int,
    persistence: Persistence,
    progress: Progress,
    attempt: Attempt = lambda action: action(),
) -> PassResult:
    """Run the CNN over `given` (digest + path | content | tensors), wholly: one job that persists and finds errors.

    attempt: runs that job, perhaps more than once; each time only what is not persisted yet is computed.
    """
    began = time.perf_counter()
    _rows_per_batch(given, _TENSOR_BATCH if task.start else 4 * task.batch_size)
    with counting(total, progress) as folder, tempfile.TemporaryDirectory(prefix="vista_nb-usage-") as usage:
        task = replace(task, slots=str(Path(usage) / "slots"))
        work = partial(watched, usage, partial(counted, folder, partial(infer_batches, task)))
        _kept_in_pieces(given, task.pooled and not task.onward)
        frame = given.mapInArrow(work, output_ddl(task)).persist(storage_level(persistence))
        try:
            reasons = attempt(partial(_errors, frame))
        except BaseException:
            frame.unpersist()
            raise
        return PassResult(frame, reasons, total, time.perf_counter() - began, told(usage))


def pool_pass(
    raw: DataFrame, task: PoolTask, persistence: Persistence, attempt: Attempt = lambda action: action()
) -> DataFrame:
    """g_l pulled up: (digest, vector) of one raw layer, persisted by its own job."""
    _rows_per_batch(raw, _TENSOR_BATCH)
    _kept_in_pieces(raw, vectors=True)
    pooled = raw.select("digest", "tensors").mapInArrow(partial(pool_batches, task), pool_ddl())
    frame = pooled.where("error is null").selectExpr("digest", "f0 as vector").persist(storage_level(persistence))
    attempt(frame.count)
    return frame


def storage_level(persistence: Persistence) -> Any:
    """Both may spill to disk; serialized trades processor time for space (paper: section 4.2.3)."""
    from pyspark import StorageLevel

    serialized = persistence is Persistence.SERIALIZED
    return StorageLevel.MEMORY_AND_DISK if serialized else StorageLevel.MEMORY_AND_DISK_DESER


def _errors(frame: DataFrame) -> dict[str, str]:
    """Every partition is computed and kept by this one job; what comes back is only what went wrong."""
    rows = frame.where("error is not null").select("digest", "error").collect()
    return {row["digest"]: row["error"] for row in rows}


def _kept_in_pieces(frame: DataFrame, vectors: bool) -> None:
    """Spark caches 10 000 rows as one batch: of vectors that is a whole partition, built in a buffer that doubles, and
    read as a whole again. A heap of 750 MB could not hold it (ResNet50's top 5 in 3 GB).
    """
    frame.sparkSession.conf.set("spark.sql.inMemoryColumnarStorage.batchSize", str(_KEPT_ROWS[vectors]))


def _rows_per_batch(frame: DataFrame, rows: int) -> None:
    """Arrow batches by rows, beside Spark's limit by bytes, which a user's session may have set high."""
    frame.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
