"""Pooled features from Spark into the store: collected layer by layer, one written while the next comes.

Reads DataFrames of (digest, vector), returns whether the store has them all. May touch: the Spark session, the
materialization store. DESIGN.md section 9. No more than two layers are on the driver at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from vista_nb.executor.shelf import Shelf
from vista_nb.executor.spark_infer import collect_vectors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["save_beside", "save_vectors"]


def save_vectors(shelf: Shelf, frames: Mapping[str, DataFrame], seconds: Mapping[str, float]) -> bool:
    """Keep what the store lacks of each layer's frame. seconds: layer -> inference per image, for later reports."""
    whole, writing = [], None
    with ThreadPoolExecutor(1, thread_name_prefix="vista-save") as writer:
        for layer, frame in frames.items():
            table = collect_vectors([frame], shelf.facts(layer).width)
            if writing is not None:
                whole.append(writing.result())
            writing = writer.submit(_write, shelf, layer, table, seconds.get(layer, 0.0))
        if writing is not None:
            whole.append(writing.result())
    table = writing = None
    _release()  # the kernel's region is planned for one layer at a time
    return all(whole)


def save_beside(shelf: Shelf, frames: Mapping[str, Sequence[DataFrame]], seconds: Mapping[str, float]) -> None:
    """The same of layers that nobody asked for, of all waves; what finds no room is dropped without a word."""
    began, writing = time.monotonic(), None
    with ThreadPoolExecutor(1, thread_name_prefix="vista-save") as writer:
        for layer, parts in frames.items():
            table = collect_vectors(parts, shelf.facts(layer).width)
            if writing is not None:
                writing.result()
            writing = writer.submit(shelf.save_beside, layer, table, seconds.get(layer, 0.0))
    table = writing = None
    shelf.beside_seconds += time.monotonic() - began
    _release()


def _release() -> None:
    """Arrow keeps freed memory for later use."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _write(shelf: Shelf, layer: str, table: Any, seconds: float) -> bool:
    """Whether the store has these rows now."""
    import pyarrow as pa

    digests = table.column("digest").to_pylist()
    fresh = shelf.lacking(layer, digests)
    if len(fresh) < len(digests):
        table = table.filter(pa.array([digest in fresh for digest in digests]))
    shelf.save(layer, table, seconds)
    return not shelf.lacking(layer, digests)
