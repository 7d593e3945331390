"""Base tables in Spark: records, links, images; joined so that only photos of labelled, matched rows are inferred.

Reads driver-side Rows and ImageTables, returns DataFrames. May touch: the Spark session. DESIGN.md sections 7.4
(semi-join push-down; identical images once) and 10. Paper: section 4.2.2, inference after join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.photo_tables import photo_frame
from vista_nb.executor.records import Rows
from vista_nb.executor.shipping import on_cluster
from vista_nb.plan.physical import JoinOperator, PhysicalPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "all_images",
    "digest_frame",
    "every_vector",
    "needed_images",
    "split_rows",
    "stored_frame",
    "training_frame",
]


def needed_images(session: SparkSession, rows: Rows, images: ImageTables, physical: PhysicalPlan) -> DataFrame:
    """(digest, path | content, wave): each distinct photo of a joined record, with the wave that first needs it.

    Which photo belongs to whom the driver has found already (`records.join_rows`); Spark joins the photos themselves.
    """
    waves = rows.first_waves()
    return hinted_join(photo_frame(session, images.images, waves), _known(session, waves), "digest", physical.join)


def all_images(session: SparkSession, waves: Mapping[str, float], images: ImageTables) -> DataFrame:
    """(digest, path | content, wave): every photo of T_img, for plans that join after the CNN."""
    from pyspark.sql import functions as sql

    return photo_frame(session, images.images, waves.keys()).join(sql.broadcast(_known(session, waves)), "digest")


def _known(session: SparkSession, waves: Mapping[str, float]) -> DataFrame:
    """(digest, wave)."""
    columns = {"digest": pa.array(list(waves), pa.string()), "wave": pa.array(waves.values(), pa.float64())}
    return session.createDataFrame(pa.table(columns))


def hinted_join(large: DataFrame, small: DataFrame, on: str, operator: JoinOperator) -> DataFrame:
    """Inner join by the plan's operator: `small` is sent everywhere, or both sides are shuffled and merged."""
    from pyspark.sql import functions as sql

    if operator is JoinOperator.BROADCAST:
        return large.join(sql.broadcast(small), on)
    return large.join(small.hint("merge"), on)


def digest_frame(session: SparkSession, digests: set[str]) -> DataFrame:
    """(digest), one row each."""
    return session.createDataFrame(pa.table({"digest": pa.array(sorted(digests), pa.string())}))


def split_rows(frame: DataFrame, physical: PhysicalPlan, slots: int) -> DataFrame:
    """Even partitions, np of them; where the plan wants fewer workers than the engine has slots, that many instead.

    Tasks are the only workers, so this is the semaphore: a process that waits for its turn would keep its CNN loaded.
    """
    count = physical.num_partitions if physical.cpu * physical.nodes >= slots else physical.cpu * physical.nodes
    return frame.repartition(count)


def stored_frame(session: SparkSession, files: Sequence[str]) -> DataFrame:
    """The store's (digest, vector) rows; on a cluster the driver reads them, as its disk is nobody else's."""
    if not on_cluster(session):
        return session.read.parquet(*files)
    from pyarrow import parquet

    return session.createDataFrame(pa.concat_tables([parquet.read_table(file) for file in files]))


def every_vector(session: SparkSession, files: Sequence[str], made: Sequence[DataFrame]) -> DataFrame:
    """(digest, vector): the frames of this run and, for photos that none of them has, the rows of the store's files."""
    frames = list(made)
    if files:
        stored = stored_frame(session, files).dropDuplicates(["digest"])
        for frame in made:
            stored = stored.join(frame.select("digest"), "digest", "left_anti")
        frames.append(stored)
    whole = frames[0].select("digest", "vector")
    for frame in frames[1:]:
        whole = whole.unionByName(frame.select("digest", "vector"))
    return whole


def training_frame(
    session: SparkSession,
    rows: Rows,
    vectors: DataFrame | None,
    views: str,
    physical: PhysicalPlan,
    inner: NDArray[np.int16] | None = None,
) -> DataFrame:
    """(key, label_index, is_test, features: array<float>): records joined with one layer's (digest, vector), if any.

    inner: per row the fold of a grid search, which becomes a column of that name.
    """
    from pyspark.sql import functions as sql

    records = session.createDataFrame(_records(rows, inner))
    own = ["key", "label_index", "is_test", *(["inner"] if inner is not None else [])]
    if vectors is None:
        return records.select(*own, sql.col("x").alias("features"))
    names = [f"d{view}" for view in range(len(rows.digests))]
    for name in names:
        side = vectors.select(sql.col("digest").alias(name), sql.col("vector").alias(f"v_{name}"))
        records = hinted_join(side, records, name, physical.join)
    photos = [sql.col(f"v_{name}") for name in names]
    if views == "mean" and len(photos) > 1:
        photos = [_mean(photos)]
    return records.select(*own, sql.concat(sql.col("x"), *photos).alias("features"))


def _mean(photos: list[Any]) -> Any:
    from pyspark.sql import functions as sql

    total = photos[0]
    for photo in photos[1:]:
        total = sql.zip_with(total, photo, lambda a, b: a + b)
    count = len(photos)
    return sql.transform(total, lambda value: (value / count).cast("float"))


def _records(rows: Rows, inner: NDArray[np.int16] | None) -> pa.Table:
    """Rows with a label; of a regression it is the number itself."""
    width = rows.x.shape[1]
    offsets = pa.array(range(0, (len(rows) + 1) * width, width) if width else [0] * (len(rows) + 1), pa.int32())
    columns = {
        "key": pa.array(rows.keys, pa.string()),
        "label_index": pa.array(rows.labels.truth.astype("float64")),
        "is_test": pa.array(rows.test),
        "x": pa.ListArray.from_arrays(offsets, pa.array(rows.x.ravel(), pa.float32())),
    }
    if inner is not None:
        columns["inner"] = pa.array(inner.astype("int32"))
    table = pa.table(columns | {f"d{n}": pa.array(view, pa.string()) for n, view in enumerate(rows.digests)})
    return table if rows.labels.known.all() else table.filter(pa.array(rows.labels.known))
