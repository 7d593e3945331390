"""Generate the bundled data set: a made-up product catalogue, a parquet table with one JPEG photo per row.

Reads a folder, a number of rows and a seed. Returns the paths of the table and of the photos.
May touch that folder, and temporary folders beside it: the catalogue is written whole beside its place and moved
there in one step, so a reader never sees half of it. A complete one of the same version is used again as it is.
"""

import json
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vista_nb.demo.drawing import photo
from vista_nb.demo.products import Product, draw_product

__all__ = ["VERSION", "CataloguePaths", "generate"]

VERSION: Final = 1
"""Raise it with every change of table or photos: catalogues of another version are drawn again."""

COLUMNS: Final = ("id", "department", "price", "weight", "rating", "rating_count", "bestseller")
TABLE, IMAGES, MARKER = "products.parquet", "photos", "catalogue.json"
STALE_SECONDS: Final = 3600.0
"""A temporary folder this old belongs to a killed process: drawing takes seconds."""


@dataclass(frozen=True)
class CataloguePaths:
    """Where a catalogue lies: `table` is a parquet file, `images` a folder with one `{id}.jpg` per row."""

    table: Path
    images: Path


def generate(folder: Path, rows: int = 800, seed: int = 0) -> CataloguePaths:
    """Make `folder` hold the catalogue of `rows` products drawn from `seed`, unless it already does.

    Raises ValueError for fewer than one row, and FileExistsError where `folder` holds something other than a
    catalogue, which is left as it is.
    """
    if rows < 1:
        raise ValueError(f"a catalogue has at least one row. Received: rows={rows}")
    folder = Path(folder)
    marker = {"version": VERSION, "rows": rows, "seed": seed}
    if not _is_complete(folder, marker):
        _refuse_foreign(folder)
        _write(folder, marker)
    return _paths(folder)


def _paths(folder: Path) -> CataloguePaths:
    return CataloguePaths(table=folder / TABLE, images=folder / IMAGES)


def _read_marker(folder: Path) -> object:
    try:
        return json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _is_complete(folder: Path, marker: dict[str, int]) -> bool:
    """Whether the marker fits and no file was deleted since."""
    if _read_marker(folder) != marker:
        return False
    paths = _paths(folder)
    if not (paths.table.is_file() and paths.images.is_dir()):
        return False
    return sum(1 for _ in paths.images.glob("*.jpg")) == marker["rows"]


def _refuse_foreign(folder: Path) -> None:
    """Keep the user's own files: only a folder that is empty or carries our marker may be replaced."""
    if not folder.exists() or (folder / MARKER).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds other files; name a new or empty folder for the catalogue")


def _write(folder: Path, marker: dict[str, int]) -> None:
    """Write the catalogue beside `folder`, then move it there; on any failure nothing is left."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent))
    try:
        _fill(partial, marker)
        _move(partial, folder, marker)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left beside `folder`."""
    beside = folder.parent.glob(f".{folder.name}-*")
    for old in (path for path in beside if path.suffix in (".partial", ".old")):
        if time.time() - old.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def _fill(partial: Path, marker: dict[str, int]) -> None:
    images = partial / IMAGES
    images.mkdir()
    products = [draw_product(marker["seed"], row) for row in range(marker["rows"])]
    for row, product in enumerate(products):
        (images / f"{product.id}.jpg").write_bytes(photo(product, marker["seed"], row))
    _write_table(products, partial / TABLE)
    (partial / MARKER).write_text(json.dumps(marker), encoding="utf-8")


def _write_table(products: list[Product], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [asdict(product) for product in products]
    pq.write_table(pa.table({column: [record[column] for record in records] for column in COLUMNS}), path)


def _move(partial: Path, folder: Path, marker: dict[str, int]) -> None:
    """Put the finished catalogue in its place; an older one steps aside first, a twin's own is kept."""
    if _is_complete(folder, marker):
        return
    partial.chmod(0o755)  # mkdtemp's folders are closed to others; a cache folder need not be
    aside = partial.with_suffix(".old")
    if folder.exists():
        folder.rename(aside)
    try:
        partial.rename(folder)
    except OSError:
        # Another process may have moved its catalogue here in between; the same input gives the same bytes.
        if not _is_complete(folder, marker):
            if aside.exists() and not folder.exists():
                aside.rename(folder)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
