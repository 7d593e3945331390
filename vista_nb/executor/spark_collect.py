"""Pooled features from Spark to the kernel: several layers of one table by one job.

Reads DataFrames of vectors, returns Arrow tables (digest, vector). May touch: the Spark session. DESIGN.md section 10.
A job costs much the same for a narrow layer as for a wide one: fifteen layers of 1 000 photos, 34 MB, took 2.5 s one by
one and 0.6 s by one job (local[2], 32 rows a cached batch).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Made", "by_one_job", "collect_vectors", "collected"]

_COLLECT_BYTES = 4_000_000  # the JVM writes a batch into a buffer that doubles: of 32 MB it held 64 and 32


@dataclass(frozen=True)
class Made:
    """One wave's (digest, vector) of one layer, and the persisted table it is a view of: None for the memory tier's.

    place: the table's good rows and the vector's column there, where other layers' vectors lie as well.
    """

    vectors: DataFrame
    base: DataFrame | None
    digests: frozenset[str] = frozenset()
    place: tuple[DataFrame, str] | None = None


def collected(parts: Mapping[str, Sequence[Made]], widths: Mapping[str, int], most: int) -> Iterator[dict[str, Any]]:
    """Layer -> (digest, vector) of all its parts, in the given order, as many layers at a time as hold `most` values
    together; a wider one comes alone.
    """
    for layers in by_one_job(parts, widths, most):
        if len(layers) == 1:
            layer = layers[0]
            yield {layer: collect_vectors([part.vectors for part in parts[layer]], widths[layer])}
        else:
            yield _together(layers, parts, sum(widths[layer] for layer in layers))


def by_one_job(parts: Mapping[str, Sequence[Made]], widths: Mapping[str, int], most: int) -> list[tuple[str, ...]]:
    """Neighbours that lie in the same tables, up to `most` values."""
    groups: list[tuple[str, ...]] = []
    values, tables = 0, None
    for layer, made in parts.items():
        more = widths[layer] * sum(len(part.digests) for part in made)
        place = _tables(made)
        if groups and place is not None and place == tables and values + more <= most:
            groups[-1] = (*groups[-1], layer)
            values += more
        else:
            groups.append((layer,))
            values, tables = more, place
    return groups


def _tables(made: Sequence[Made]) -> tuple[int, ...] | None:
    """Which tables they lie in; None where one lies alone."""
    found = tuple(id(part.place[0]) for part in made if part.place is not None)
    return found if found and len(found) == len(made) else None


def _together(layers: Sequence[str], parts: Mapping[str, Sequence[Made]], width: int) -> dict[str, Any]:
    import pyarrow as pa

    from vista_nb.store.parts import schema

    frames = []
    for same in zip(*(parts[layer] for layer in layers), strict=True):
        places = [part.place for part in same if part.place is not None]
        columns = [f"{column} as v{number}" for number, (_, column) in enumerate(places)]
        frames.append(places[0][0].selectExpr("digest", *columns))
    whole = _arrow(frames, width)
    digests = whole.column("digest")
    return {
        layer: pa.table({"digest": digests, "vector": whole.column(f"v{number}")}).cast(schema())
        for number, layer in enumerate(layers)
    }


def collect_vectors(frames: Sequence[DataFrame], width: int) -> Any:
    """(digest, vector) of all frames as one Arrow table on the driver, by one job."""
    from vista_nb.store.parts import schema

    if not frames:
        return schema().empty_table()
    return _arrow([frame.select("digest", "vector") for frame in frames], width).cast(schema())


def _arrow(frames: Sequence[DataFrame], width: int) -> Any:
    """All rows. Arrow batches by rows, beside Spark's limit by bytes, which a user's session may have set high."""
    whole = reduce(lambda left, right: left.unionAll(right), frames)
    rows = max(1, min(10_000, _COLLECT_BYTES // (4 * width + 64)))
    whole.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
    return whole.toArrow()
