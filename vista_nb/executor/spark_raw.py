"""Raw tensors of a stored cut in Spark: written by the workers into the store's staging folder, read as Parquet.

Reads and returns DataFrames of (digest, tensors). May touch: the Spark session; the folder it is given. A layer's
tensors can be gigabytes: none of them is ever collected on the driver. The folder must be one that every worker can
write. DESIGN.md section 9; paper: the Pre-mat baseline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

from vista_nb.errors import VistaStoreError
from vista_nb.executor.shelf import Shelf
from vista_nb.executor.spark_tables import digest_frame
from vista_nb.plan.logical import Infer, LogicalPlan
from vista_nb.plan.physical import PhysicalPlan
from vista_nb.store.parts import GROUP_BYTES, PartWriter

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from vista_nb.executor.spark_memory import Borrowed

__all__ = ["Raw", "only", "onward", "read_tensors", "save_tensors", "with_stored", "write_tensors"]

_WRITTEN_DDL = "file string, error string"
_WRITTEN = pa.schema([("file", pa.string()), ("error", pa.string())])
_BATCH_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_MOST_ROWS = 10_000


@dataclass
class Raw:
    """Raw tensors (digest, error, tensors) of the photos `digests`, until all layers in `waiting` are released.

    with_stored: rows of the store are among them; made: then the persisted table of the others, if there is one.
    layers: all whose tensors it holds.
    """

    frame: DataFrame
    digests: set[str]
    waiting: set[str]
    with_stored: bool = False
    made: DataFrame | None = None
    layers: tuple[str, ...] = ()

    @property
    def kept(self) -> DataFrame:
        """What takes Storage Memory."""
        return self.frame if self.made is None else self.made


def onward(logical: LogicalPlan, step: Infer) -> tuple[str, ...]:
    """Layers of which this pass gives the whole cut: a later pass starts from them, or the store keeps them."""
    starts = {other.start for other in logical.steps if isinstance(other, Infer)} | {logical.cut}
    return tuple(sorted(name for name in starts if name is not None and name != step.start))


def with_stored(
    raw: Raw | None,
    layer: str,
    new: set[str],
    shelf: Shelf,
    session: SparkSession,
    physical: PhysicalPlan,
    borrowed: Sequence[Borrowed] = (),
) -> Raw | None:
    """The cut of a wave: what was made of it, and what the store holds for the photos `new`, on disk and in memory."""
    made = raw.digests if raw else set()
    frames, stored = [], shelf.raw_held.get(layer, set()) & new - made
    if stored:
        paths, twice = shelf.raw_paths(layer)
        frames.append(only(read_tensors(session, paths, physical, twice=twice), stored))
    for part in borrowed:
        wanted = new & part.digests if part.layer == layer else set[str]()
        if wanted:
            frames.append(only(part.view, wanted))
            stored = stored | wanted
    if not frames:
        return raw
    if raw is not None:
        frames.append(raw.frame.where("error is null").select("digest", "error", "tensors"))
    frame = reduce(lambda one, other: one.unionByName(other), frames)
    if raw is None:
        return Raw(frame, stored, {layer}, with_stored=True)
    return Raw(frame, stored | made, raw.waiting, with_stored=True, made=raw.frame)


def save_tensors(shelf: Shelf, layer: str, raw: Raw | None, seconds_per_image: float) -> int:
    """What a wave made of the cut and the store lacks, into the store; how many photos."""
    fresh = shelf.raw_lacking(layer, raw.digests) if raw is not None else set()
    if raw is None or not fresh:
        return 0
    frame = raw.frame.where("error is null")
    frame = only(frame, fresh) if len(fresh) < len(raw.digests) else frame
    per_batch = GROUP_BYTES // (4 * shelf.raw_facts(layer).width)
    write = partial(write_tensors, frame, rows=max(1, min(_MOST_ROWS, per_batch)))
    return shelf.save_raw(layer, fresh, write, seconds_per_image)


def write_tensors(frame: DataFrame, stage: Path, rows: int) -> list[Path]:
    """One part file per partition, in row groups of so many rows. A task that is run again writes a new file; the one
    that nobody names is dropped. Raises VST604 where a worker cannot write.
    """
    frame.sparkSession.conf.set(_BATCH_ROWS, str(rows))
    written = frame.select("digest", "tensors").mapInArrow(partial(_write, str(stage)), _WRITTEN_DDL).collect()
    failed = next((row["error"] for row in written if row["error"]), None)
    if failed:
        raise VistaStoreError("VST604", f"writing raw tensors under {stage.parent}: {failed}")
    return sorted(Path(row["file"]) for row in written)


def read_tensors(session: SparkSession, paths: Sequence[str], physical: PhysicalPlan, *, twice: bool) -> DataFrame:
    """(digest, error, tensors) of the store's parts, not kept in Storage Memory. twice: whether digests repeat.

    No shuffle moves the tensors: Spark splits the files by their row groups, and no more workers are used than planned.
    """
    frame = session.read.parquet(*paths).selectExpr("digest", "cast(null as string) as error", "tensors")
    if twice:
        frame = frame.dropDuplicates(["digest"])
    slots = int(session.sparkContext.defaultParallelism)
    workers = physical.cpu * physical.nodes
    return frame.coalesce(workers) if workers < slots else frame


def only(frame: DataFrame, digests: Collection[str]) -> DataFrame:
    """The rows of these photos; the names are sent to the tensors, not the tensors to the names."""
    from pyspark.sql.functions import broadcast

    return frame.join(broadcast(digest_frame(frame.sparkSession, set(digests))), "digest", "left_semi")


def _write(folder: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The body of `mapInArrow`: a whole partition into one file, batch by batch; its name comes back, or why not.

    A full disk must not fail the task: the run goes on without keeping the tensors.
    """
    rows = (batch for batch in batches if batch.num_rows)
    first = next(rows, None)
    if first is None:
        return
    path = Path(folder) / f"{uuid4().hex}.parquet"
    error = None
    try:
        with PartWriter(path, raw=True) as part:
            for batch in chain([first], rows):
                part.write(pa.Table.from_batches([batch]))
    except OSError as failure:
        error = failure.strerror or str(failure)
    yield pa.RecordBatch.from_pydict({"file": [str(path)], "error": [error]}, schema=_WRITTEN)
