"""One layer's features at hand for every fold of its training, and the next layer's read meanwhile.

Reads by the function it is given, returns Vectors. May touch: one thread, which only reads the store. DESIGN.md section
11. Bytes on the driver: 4 per value of the next layer beside a fit, with folds 4 per value of this one too, within what
a training in the kernel is planned for (`optimizer.memory`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from vista_nb.executor.records import Rows, Vectors

__all__ = ["FeatureReader"]

_Place = tuple[str, tuple[tuple[str, ...], ...]]


class FeatureReader:
    """Of one run; all but the reading happens in the run's own thread. keep: the latest layer will be asked again."""

    def __init__(self, read: Callable[[str, Rows], Vectors], keep: bool) -> None:
        self._read = read
        self._keep = keep
        self._held: tuple[_Place, Vectors] | None = None
        self._coming: tuple[_Place, Future[Vectors]] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def vectors(self, layer: str, rows: Rows) -> Vectors:
        """The layer's features for these rows' images; raises what reading raises."""
        place = (layer, rows.digests)
        if self._held is not None and self._held[0] == place:
            return self._held[1]
        self._held = None  # before another comes
        coming, self._coming = self._coming, None
        found = coming[1].result() if coming is not None and coming[0] == place else self._read(layer, rows)
        if self._keep:
            self._held = place, found
        return found

    def ahead(self, layer: str, rows: Rows) -> None:
        """Begin to read what will be asked for next."""
        if self._coming is not None and self._coming[0] == (layer, rows.digests):
            return
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="vista-read")
        self._coming = (layer, rows.digests), self._pool.submit(self._read, layer, rows)

    def close(self) -> None:
        """Nothing is held any more. Callable more than once."""
        self._held = self._coming = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
