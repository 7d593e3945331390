"""One Parquet part of a layer set: `digest: string`, `vector: list<float32>`, one row per image.

Reads and writes Parquet files, returns Arrow tables and `Part` values. May touch: the files it is given.
DESIGN.md sections 9 and 10: vectors travel as `array<float>`, rows are named by the image's content digest.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from vista_nb.errors import VistaStoreError
from vista_nb.store.disk import sha256_of, sync_file
from vista_nb.store.manifest import Part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BrokenPart", "inspect_part", "read_digests", "read_part", "schema", "write_part"]


class BrokenPart(Exception):
    """A part's bytes are not what the manifest says, or are no Parquet of this schema."""


def schema() -> pa.Schema:
    """The columns of every part."""
    import pyarrow as pa

    return pa.schema([("digest", pa.string()), ("vector", pa.list_(pa.float32()))])


def write_part(table: pa.Table, path: Path) -> None:
    """`table` (columns digest, vector) as one Parquet file, checksums per page."""
    import pyarrow.parquet as pq

    pq.write_table(
        table.select(["digest", "vector"]).cast(schema()), path, compression="zstd", write_page_checksum=True
    )


def inspect_part(path: Path, width: int, run: str, seconds_per_image: float) -> Part | None:
    """What the manifest will say of a staged file, its bytes safely on the disk; None where it holds no row.

    Raises VistaStoreError VST606 where the file is no part of this layer: wrong columns, or vectors of another length.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        rows = file.metadata.num_rows
        _check_columns(file.schema_arrow)
        values = _vector_values(file.metadata)
    except (pa.ArrowException, ValueError) as error:
        raise VistaStoreError("VST606", f"{path.name} is no part of a layer set: {error}") from error
    if rows == 0:
        return None
    if values != rows * width:
        message = f"{path.name}: {values} values in {rows} vectors, expected {width} each"
        raise VistaStoreError("VST606", message)
    sync_file(path)
    name = f"{uuid4().hex}.parquet"
    return Part(name, rows, path.stat().st_size, sha256_of(path), run, time.time(), seconds_per_image)


def _check_columns(found: pa.Schema) -> None:
    import pyarrow as pa

    if set(found.names) != {"digest", "vector"}:
        raise ValueError(f"columns {found.names}")
    vector = found.field("vector").type
    if not pa.types.is_list(vector) or not pa.types.is_float32(vector.value_type):
        raise ValueError(f"vector is {vector}")
    if not pa.types.is_string(found.field("digest").type):
        raise ValueError(f"digest is {found.field('digest').type}")


def _vector_values(metadata: object) -> int:
    """Leaf values of the column `vector` over all row groups, from the footer alone."""
    total = 0
    for group in range(metadata.num_row_groups):  # type: ignore[attr-defined]
        chunk = metadata.row_group(group)  # type: ignore[attr-defined]
        columns = [chunk.column(i) for i in range(chunk.num_columns)]
        total += sum(c.num_values for c in columns if c.path_in_schema.split(".")[0] == "vector")
    return total


def read_digests(path: Path) -> list[str]:
    """The digest column alone. Raises BrokenPart."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.ParquetFile(path).read(columns=["digest"]).column("digest").to_pylist())
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BrokenPart(str(error)) from error


def read_part(path: Path, width: int) -> pa.Table:
    """The whole part, in this module's schema; every vector has `width` values. Raises BrokenPart."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read().select(["digest", "vector"]).cast(schema())
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BrokenPart(str(error)) from error
    lengths = pc.min_max(pc.list_value_length(table.column("vector"))).as_py()
    nulls = table.column("digest").null_count + table.column("vector").null_count
    if nulls or (table.num_rows and (lengths["min"], lengths["max"]) != (width, width)):
        found = f"vectors of {lengths['min']} to {lengths['max']} values and {nulls} nulls"
        raise BrokenPart(f"{found}, expected {width} values")
    return table
