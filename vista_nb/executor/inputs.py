"""What one run works on: the bound workload, the two base tables, and where features may be kept.

Reads nothing, returns frozen values. May touch: nothing (pyarrow tables pass through).
T_img is a link table (key, view, digest) plus one row per distinct image, so that identical photos are inferred
once and a renamed file, key or folder changes nothing (DESIGN.md section 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.catalog.workload import Workload
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.outcome.scores import BadImage

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ImageTables", "ModelSource", "RunInputs", "TensorRecord", "in_table"]


@dataclass(frozen=True)
class TensorRecord:
    """One named tensor of one image: little-endian C-order `data` of `dtype` and `shape` (no batch axis).

    A stored cut is a list of these; in Arrow: list<struct<name: string, dtype: string, shape: list<int32>,
    data: binary>>.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class ImageTables:
    """T_img. links: (key: string, view: int32, digest: string), one row per image of a record.

    images: (digest: string, path: string, size: int64) or (digest, content: binary, size) where the table holds
    bytes; one row per distinct digest. bad: pictures that the table names but that cannot be opened.
    no_image: keys of T_str without any file; unmatched: files without a record; mean_pixels: of a sample.
    no_image_some, unmatched_some: the first few of each, keys and paths. copies: (key, view) -> the row's own path, of
    photos whose bytes another file has, too (`images` names one of them).
    unreadable: digest -> why, of photos that an earlier run could not read: their rows are left out from the start.
    """

    links: pa.Table
    images: pa.Table
    bad: tuple[BadImage, ...] = ()
    no_image: int = 0
    unmatched: int = 0
    mean_bytes: int = 0
    mean_pixels: int = 50_176
    unreadable: Mapping[str, str] = field(default_factory=dict)
    no_image_some: tuple[str, ...] = ()
    unmatched_some: tuple[str, ...] = ()
    copies: Mapping[tuple[str, int], str] = field(default_factory=dict)


def in_table(key: str) -> str:
    """What stands for a path where the table holds the photo's bytes."""
    return f"bytes of row {key}"


@dataclass(frozen=True)
class ModelSource:
    """Which weights a CNN gets: builder and weights as in the roster, the file behind them (None for `random`).

    seed: of `random` weights. digest: SHA-256 over normalised config and every weight array, hex.
    """

    builder: str
    weights: str
    file: Path | None
    digest: str
    seed: int = 0
    include_top: bool = True


@dataclass(frozen=True)
class RunInputs:
    """structured: T_str as an Arrow table with at least key, label and feature columns; key is unique, as text.

    store_dir, cache_dir: folders of the materialization store and of artifacts. run: the run's name.
    store_remote: address of the store behind that one; fetched: of which layer sets this run's parts came from there.
    """

    run: str
    workload: Workload
    structured: pa.Table
    images: ImageTables
    model: ModelSource
    store_dir: Path
    cache_dir: Path
    reuse: str = "auto"  # auto | never | require
    store_budget: int | None = None  # bytes; None: the environment's, else the default
    store_remote: str | None = None
    fetched: frozenset[str] = frozenset()
    own: OwnModel | None = None  # M, where it is an object of the notebook
