"""Pooled features from Spark into the store: some layers are written while the next are collected.

Reads DataFrames of (digest, vector), returns whether the store has them all. May touch: the Spark session, the
materialization store. DESIGN.md section 9. The driver holds no more than the widest layer's training matrix twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vista_nb.executor.shelf import Shelf
from vista_nb.executor.spark_collect import Made, collected

__all__ = ["save_beside", "save_vectors"]


def save_vectors(shelf: Shelf, parts: Mapping[str, Sequence[Made]], seconds: Mapping[str, float], most: int) -> bool:
    """Keep what the store lacks of each layer's parts. seconds: layer -> inference per image, for later reports. most:
    values that are collected at once.
    """
    whole: list[bool] = []
    _each(shelf, parts, most, lambda layer, table: whole.append(_write(shelf, layer, table, seconds.get(layer, 0.0))))
    return all(whole)


def save_beside(shelf: Shelf, parts: Mapping[str, Sequence[Made]], seconds: Mapping[str, float], most: int) -> None:
    """The same of layers that nobody asked for, of all waves; what finds no room is dropped without a word."""
    began = time.monotonic()
    _each(shelf, parts, most, lambda layer, table: shelf.save_beside(layer, table, seconds.get(layer, 0.0)))
    shelf.beside_seconds += time.monotonic() - began


def _each(shelf: Shelf, parts: Mapping[str, Sequence[Made]], most: int, write: Callable[[str, Any], None]) -> None:
    """Some layers are written while the next come."""
    widths, writing = {layer: shelf.facts(layer).width for layer in parts}, None
    with ThreadPoolExecutor(1, thread_name_prefix="vista-save") as writer:
        for tables in collected(parts, widths, most):
            if writing is not None:
                writing.result()
            writing = writer.submit(_all, tables, write)
        if writing is not None:
            writing.result()
    _release()


def _all(tables: dict[str, Any], write: Callable[[str, Any], None]) -> None:
    """Takes each table out: what is written is held by nobody."""
    for layer in list(tables):
        write(layer, tables.pop(layer))


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
