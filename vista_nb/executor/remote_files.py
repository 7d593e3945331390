"""Photos under URIs of other file systems: their names, sizes and digests, asked of a process with Hadoop in it.

Reads URIs, returns listings and FileDigests. May touch: one throw-away process with a JVM of its own, the cache of
digests. docs/adr/0017: the kernel never starts a JVM to plan; what was listed is asked anew by every cell, digests of
files with unchanged size and time are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vista_nb.executor.cnn.throwaway import Lasting
from vista_nb.executor.uris import escaped
from vista_nb.store.digests import FileDigest, digest_known

__all__ = ["RemoteFiles", "remote_files"]

_PROCESS = "vista_nb.executor.hadoop_list"


class RemoteFiles:
    """Listings of this cell. stamps: uri -> (size, mtime in ns) of every file seen. pixels: of a mean photo, or 0."""

    def __init__(self, ask: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._ask = ask
        self.stamps: dict[str, tuple[int, int]] = {}
        self.pixels = 0

    def glob(self, pattern: str) -> list[str]:
        """URIs as Hadoop writes them, sorted; a folder stands for the files right inside."""
        files = self._ask({"list": [pattern]})["files"]
        self.stamps |= {uri: (int(size), int(mtime) * 1_000_000) for uri, size, mtime in files}
        return sorted(uri for uri, _, _ in files)

    def present(self, uris: Sequence[str | None]) -> tuple[str | None, ...]:
        """Those that are files, as Hadoop writes them; one listing per folder."""
        folders = sorted({uri.rpartition("/")[0] for uri in uris if uri is not None})
        there = {_same(uri): uri for folder in folders for uri in self.glob(escaped(folder))}
        return tuple(None if uri is None else there.get(_same(uri)) for uri in uris)

    def digests(self, uris: Sequence[str], cache: Path, *, reread: bool) -> dict[str, FileDigest]:
        """The content digest of each; bytes are read where size or time have changed since they were read last."""

        def read(wanted: Sequence[str]) -> Mapping[str, str]:
            answer = self._ask({"digest": list(wanted)})
            self.pixels = int(answer["pixels"])
            return dict(answer["digests"])

        there = {uri: self.stamps[uri] for uri in uris if uri in self.stamps}
        absent = {uri: FileDigest("", 0, "no such file") for uri in uris if uri not in there}
        return digest_known(there, cache, read, reread=reread) | absent


@contextmanager
def remote_files(cache: Path, spark: Mapping[str, str]) -> Iterator[RemoteFiles]:
    """The process starts with the first question and ends with the block."""
    process = Lasting(_PROCESS, "listing photos", "list")
    try:
        yield RemoteFiles(lambda request: process.ask({**request, "cache": str(cache), "spark": dict(spark)}))
    finally:
        process.close()


def _same(uri: str) -> str:
    """`hdfs:///a`, `hdfs:/a` are one file; a named host is kept."""
    scheme, _, rest = uri.partition(":")
    return f"{scheme.lower()}:/{rest.lstrip('/')}" if rest.startswith("///") or not rest.startswith("//") else uri
