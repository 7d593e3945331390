"""The process that asks Hadoop's FileSystem: which files a folder or glob holds, and the digest of their bytes.

`serving` answers requests (`executor/remote_files.py` is the kernel's end). May touch: a JVM of its own with a local
Spark, the file systems it is told of (read only). docs/adr/0017. Any scheme that Spark's Hadoop knows, with the user's
`resources.spark` (`spark.jars.packages`, `spark.hadoop.fs.s3a...`).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.throwaway import serving
from vista_nb.executor.uris import escaped

_SAMPLE = 8  # of the photos, for their size in pixels
_PARTITION = 32_000_000
_session: list[Any] = []


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """{"list": [globs]} -> files as [uri, size, mtime in ms]; {"digest": [uris]} -> {uri: digest} and mean pixels."""
    session = _spark(request)
    if "list" in request:
        return {"files": [file for pattern in request["list"] for file in _list(session, pattern)]}
    return _digests(session, request["digest"])


def _spark(request: Mapping[str, Any]) -> Any:
    if not _session:
        from pyspark.sql import SparkSession

        from vista_nb.executor.java import java_home

        os.environ["JAVA_HOME"] = str(java_home(Path(request["cache"])))
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = SparkSession.builder.appName("vista_nb files")
        fixed = {
            "spark.master": "local[2]",
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "600m",
            "spark.sql.files.maxPartitionBytes": str(_PARTITION),
            "spark.log.level": "ERROR",
        }
        for name, value in {**dict(request.get("spark") or {}), **fixed}.items():
            builder = builder.config(name, value)
        _session.append(builder.getOrCreate())
    return _session[0]


def _list(session: Any, pattern: str) -> list[list[Any]]:
    """Files that a glob matches; of a folder those right inside."""
    java = session.sparkContext._jvm
    path = java.org.apache.hadoop.fs.Path(pattern)
    try:
        system = path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration())
        found = system.globStatus(path) or []
        places = [
            status for one in found for status in (system.listStatus(one.getPath()) if one.isDirectory() else [one])
        ]
    except Exception as error:  # py4j wraps what Java raised
        raise _refused(pattern, error) from error
    return [[s.getPath().toString(), s.getLen(), s.getModificationTime()] for s in places if not s.isDirectory()]


def _digests(session: Any, uris: Sequence[str]) -> dict[str, Any]:
    from pyspark.sql import functions as sql

    try:
        files = session.read.format("binaryFile").load([escaped(uri) for uri in uris])
        rows = files.select("path", sql.sha2("content", 256).alias("digest")).collect()
        some = session.read.format("binaryFile").load([escaped(uri) for uri in uris[:: max(1, len(uris) // _SAMPLE)]])
        pixels = [_pixels(bytes(row["content"])) for row in some.select("content").limit(_SAMPLE).collect()]
    except Exception as error:
        raise _refused(uris[0], error) from error
    known = [count for count in pixels if count]
    return {
        "digests": {row["path"]: row["digest"] for row in rows},
        "pixels": sum(known) // len(known) if known else 0,
    }


def _pixels(content: bytes) -> int:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as header:
            return int(header.width * header.height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def _refused(place: str, error: Exception) -> VistaDataError:
    said = next((line for line in str(error).splitlines() if "Exception" in line and "py4j" not in line), str(error))
    hint = (
        "check the address; another file system's jar and keys go into resources: {spark: {spark.jars.packages: ...}}"
    )
    return VistaDataError("VST339", f"images: Hadoop cannot read {place}: {said.strip()[:300]}", hint)


if __name__ == "__main__":
    sys.exit(serving(answer))
