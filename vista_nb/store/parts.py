"""One Parquet part of a layer set, one row per image: `digest: string` and `vector: list<float32>`, or, of a raw layer
set, `tensors`: a list of (name, dtype, shape, data).

Reads and writes Parquet files, returns Arrow tables and `Part` values. May touch: the files it is given.
DESIGN.md sections 9 and 10: vectors travel as `array<float>`, raw layers as lists of named tensors, rows are named by
the image's content digest.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from vista_nb.errors import VistaStoreError
from vista_nb.store.disk import sha256_of, sync_file
from vista_nb.store.manifest import LayerSetFacts, Part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GROUP_BYTES",
    "BrokenPart",
    "PartWriter",
    "inspect_part",
    "read_digests",
    "read_part",
    "schema",
    "write_part",
]

GROUP_BYTES = 16_000_000  # of a part's row groups: whoever writes or reads holds one whole


class BrokenPart(Exception):
    """A part's bytes are not what the manifest says, or are no Parquet of this schema."""


def schema(raw: bool = False) -> pa.Schema:
    """The columns of every part."""
    import pyarrow as pa

    if not raw:
        return pa.schema([("digest", pa.string()), ("vector", pa.list_(pa.float32()))])
    fields = [("name", pa.string()), ("dtype", pa.string()), ("shape", pa.list_(pa.int32())), ("data", pa.binary())]
    return pa.schema([("digest", pa.string()), ("tensors", pa.list_(pa.struct(fields)))])


def write_part(table: pa.Table, path: Path, raw: bool = False) -> None:
    """`table` (columns digest, vector | tensors) as one Parquet file, checksums per page."""
    with PartWriter(path, raw) as part:
        part.write(table)


class PartWriter:
    """Writes a part batch by batch; never holds more than a batch. A dictionary of floats only costs: of few vectors
    a third more bytes, of many seconds.
    """

    def __init__(self, path: Path, raw: bool = False) -> None:
        import pyarrow.parquet as pq

        self.path, self.raw, self.rows = path, raw, 0
        self._file = pq.ParquetWriter(
            path, schema(raw), compression="zstd", write_page_checksum=True, use_dictionary=False
        )

    def write(self, table: pa.Table) -> None:
        given = table.select(schema(self.raw).names).cast(schema(self.raw))
        per_group = GROUP_BYTES * given.num_rows // max(1, given.nbytes)
        self._file.write_table(given, row_group_size=max(1, per_group))
        self.rows += given.num_rows

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def inspect_part(path: Path, facts: LayerSetFacts, run: str, seconds_per_image: float) -> Part | None:
    """What the manifest will say of a staged file, its bytes safely on the disk; None where it holds no row.

    Raises VistaStoreError VST606 where the file is no part of this layer: wrong columns, or vectors of another length.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    width = facts.width
    try:
        file = pq.ParquetFile(path)
        rows = file.metadata.num_rows
        _check_columns(file.schema_arrow, facts.raw)
        # the bytes of raw tensors are checked against their shapes by whoever reads them
        values = rows * width if facts.raw else _vector_values(file.metadata)
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


def _check_columns(found: pa.Schema, raw: bool) -> None:
    """The right columns of the right types. Raises ValueError."""
    wanted = schema(raw)
    if set(found.names) != set(wanted.names):
        raise ValueError(f"columns {found.names}")
    for field in wanted:
        if not _alike(found.field(field.name).type, field.type):
            raise ValueError(f"{field.name} is {found.field(field.name).type}")


def _alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """The same type, whatever the names of list elements and whether they may be null."""
    import pyarrow as pa

    if pa.types.is_list(wanted):
        return pa.types.is_list(found) and _alike(found.value_type, wanted.value_type)
    if pa.types.is_struct(wanted):
        names = [field.name for field in wanted]
        return (
            pa.types.is_struct(found)
            and names == [field.name for field in found]
            and all(_alike(found.field(name).type, wanted.field(name).type) for name in names)
        )
    return bool(found.equals(wanted))


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
        file = pq.ParquetFile(path, page_checksum_verification=True)
        return list(file.read(columns=["digest"]).column("digest").to_pylist())
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BrokenPart(str(error)) from error


def read_part(path: Path, facts: LayerSetFacts) -> pa.Table:
    """The whole part, in this module's schema; every vector has `width` values. Raises BrokenPart."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = schema(facts.raw)
    try:
        found = pq.ParquetFile(path, page_checksum_verification=True).read()
        table = found.select(wanted.names).cast(wanted)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise BrokenPart(str(error)) from error
    nulls = sum(table.column(name).null_count for name in wanted.names)
    if facts.raw:
        if nulls:
            raise BrokenPart(f"{nulls} nulls")
        return table
    return _checked_widths(table, facts.width, nulls)


def _checked_widths(table: pa.Table, width: int, nulls: int) -> pa.Table:
    import pyarrow.compute as pc

    lengths = pc.min_max(pc.list_value_length(table.column("vector"))).as_py()
    if nulls or (table.num_rows and (lengths["min"], lengths["max"]) != (width, width)):
        found = f"vectors of {lengths['min']} to {lengths['max']} values and {nulls} nulls"
        raise BrokenPart(f"{found}, expected {width} values")
    return table
