"""T_img's rows in Spark as its workers can read them: by path, by Spark's own file reader, or as bytes sent along.

Reads the image table, returns (digest, path | content). May touch: the Spark session; the driver's photos where a
cluster's workers cannot see them. DESIGN.md section 10, docs/adr/0017. A path without a scheme is the driver's own:
on a cluster its bytes travel. A URI means the same everywhere: `file:` a folder that every node has, any other scheme
what Hadoop's FileSystem opens there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.shipping import on_cluster
from vista_nb.executor.uris import escaped, is_remote, is_uri
from vista_nb.units import MB, format_bytes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["check_opened", "photo_frame"]

_CHUNK = 64 * MB  # read and handed over at a time
_BATCH = 8 * MB  # one Spark partition of packed photos; a task's message holds 128 MiB at most
_HEAP_SHARE = 3  # packed photos take a third of the driver's heap at most: a copy each for table, message and slack


def photo_frame(session: SparkSession, images: pa.Table, needed: Collection[str]) -> DataFrame:
    """(digest, path) where every worker opens the paths, else (digest, content). needed: digests that are read."""
    if "content" in images.column_names:
        return session.createDataFrame(images.drop_columns("size"))
    paths = images.column("path").to_pylist()
    away = on_cluster(session)
    if not any(is_remote(path) or (away and not is_uri(path)) for path in paths):
        absolute = [path if is_uri(path) else str(Path(path).absolute()) for path in paths]
        return session.createDataFrame(pa.table({"digest": images.column("digest"), "path": absolute}))
    rows = images.filter(pc.is_in(images.column("digest"), pa.array(sorted(needed), pa.string())))
    shared = pa.array([is_uri(path) for path in rows.column("path").to_pylist()], pa.bool_())
    by_spark, by_driver = rows.filter(shared), rows.filter(pc.invert(shared))
    if not by_driver.num_rows:
        return _by_spark(session, by_spark)
    packed = _packed(session, by_driver)
    return packed.unionByName(_by_spark(session, by_spark)) if by_spark.num_rows else packed


def check_opened(session: SparkSession, images: pa.Table, reasons: dict[str, str]) -> None:
    """On a cluster a photo that the driver read and a worker cannot open is a missing mount, no bad photo: VST407."""
    lost = [digest for digest, reason in reasons.items() if reason.startswith("cannot be opened")]
    if not lost or not on_cluster(session):
        return
    row = images.filter(pc.equal(images.column("digest"), lost[0])).to_pylist()[0]
    message = f"a worker {reasons[lost[0]]}: {row.get('path')} ({len(lost)} photos), which the driver can read"
    hint = "`file:` means a folder that every node has; write the path without it, and the photos are sent"
    raise VistaEnvironmentError("VST407", message, hint)


def _by_spark(session: SparkSession, rows: pa.Table) -> DataFrame:
    """Spark's executors read the files, through Hadoop's FileSystem."""
    from pyspark.sql import functions as sql

    known = session.createDataFrame(rows.select(["digest", "path"]))
    files = session.read.format("binaryFile").load([escaped(path) for path in rows.column("path").to_pylist()])
    return files.select("path", "content").join(sql.broadcast(known), "path").select("digest", "content")


def _packed(session: SparkSession, rows: pa.Table) -> DataFrame:
    """The driver reads its own files and sends their bytes. Raises VST406 where its heap cannot hold them."""
    sizes = rows.column("size").to_pylist()
    heap = int(session.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory())
    if sum(sizes) * _HEAP_SHARE > heap:
        message = (
            f"the photos take {format_bytes(sum(sizes))}, more than the driver (heap {format_bytes(heap)}) can send"
        )
        hint = "put them where every node reads them and write the URI: hdfs://..., s3a://..., or file:///shared/folder"
        raise VistaEnvironmentError("VST406", message, hint)
    mean = max(1, sum(sizes) // len(sizes))
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(max(1, _BATCH // mean)))
    return session.createDataFrame(pa.concat_tables(_chunks(rows, max(1, _CHUNK // mean))))


def _chunks(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, size):
        part = rows.slice(start, size)
        contents = _contents(part.column("path").to_pylist())
        yield pa.table({"digest": part.column("digest").combine_chunks(), "content": contents})


def _contents(paths: Sequence[str]) -> Any:
    return pa.array([_bytes(Path(path)) for path in paths], pa.binary())


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None  # gone since it was listed: the worker names it as a bad photo
