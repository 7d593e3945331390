"""How fast this machine decodes photos and moves bytes to its disk: the parts of `Rates` that need no Spark.

Reads nothing but the clock, returns field of `Rates` -> one value per repetition. May touch: Pillow, a temporary file
where Spark spills. DESIGN.md section 7, "Calibration". Runs in the measuring process (executor/cnn/measure.py).
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.executor.cnn.decode import decode
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import inspect_part, read_part, schema, write_part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["machine_rates"]

_SIDE = 224  # input size of most CNNs
_SMALL, _LARGE = (320, 240), (3200, 2400)
_REPETITIONS = 3
_ROWS, _WIDTH = 4_000, 2_048  # 33 MB
_FACTS = LayerSetFacts("", "calibration", "", "", "none", "float32", _WIDTH)


def machine_rates(spill: Path | None = None) -> dict[str, list[float]]:
    """decode_seconds, decode_pixel_seconds; disk_write and disk_read (bytes per second) where a file can be written.

    spill: Spark's local folder. Bytes are those of float32 values.
    """
    return _decode() | _disk(
        spill or Path(os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or tempfile.gettempdir())
    )


def _decode() -> dict[str, list[float]]:
    """The line over the pixels through two sizes of photo, `decode_seconds` being what no pixel costs."""
    small, large = _jpeg(_SMALL), _jpeg(_LARGE)
    pixels = _LARGE[0] * _LARGE[1] - _SMALL[0] * _SMALL[1]
    found: dict[str, list[float]] = {"decode_seconds": [], "decode_pixel_seconds": []}
    for _ in range(_REPETITIONS):
        low = _least(lambda: decode(small, _SIDE, _SIDE), 20)
        high = _least(lambda: decode(large, _SIDE, _SIDE), 4)
        slope = max(0.0, high - low) / pixels
        found["decode_pixel_seconds"].append(slope)
        found["decode_seconds"].append(max(0.0, low - slope * _SMALL[0] * _SMALL[1]))
    return found


def _least(work: Callable[[], object], times: int) -> float:
    """CPU seconds of the fastest of so many calls: other processes only ever add."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _jpeg(size: tuple[int, int]) -> bytes:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    width, height = size
    coarse = Image.fromarray(random.integers(0, 255, (24, 32, 3), dtype=np.uint8)).resize((width, height))
    noisy = np.asarray(coarse, np.int16) + random.integers(-12, 12, (height, width, 3), dtype=np.int16)
    written = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(written, "JPEG", quality=85)
    return written.getvalue()


def _disk(folder: Path) -> dict[str, list[float]]:
    """As layers are stored and loaded: Parquet parts of float vectors, checked, synced, read past the page cache.

    The bare device is faster than anything here ever writes: compression and checksums are part of the price.
    """
    import numpy as np
    import pyarrow as pa

    values = np.random.default_rng(0).random((_ROWS, _WIDTH), np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), _WIDTH).cast(pa.list_(pa.float32()))
    table = pa.table({"digest": [f"{i:064d}" for i in range(_ROWS)], "vector": vectors}, schema=schema())
    found: dict[str, list[float]] = {"disk_write": [], "disk_read": []}
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="vista_nb-measure-") as room:
            path = Path(room) / "part.parquet"
            for _ in range(_REPETITIONS):
                found["disk_write"].append(values.nbytes / _seconds(lambda: _write(table, path)))
                _forget_pages(path)
                found["disk_read"].append(values.nbytes / _seconds(lambda: read_part(path, _FACTS)))
    except OSError:  # a full or read-only disk: the usual rates stay
        return {}
    return found


def _write(table: pa.Table, path: Path) -> None:
    write_part(table, path)
    inspect_part(path, _FACTS, "calibration", 0.0)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _forget_pages(path: Path) -> None:
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
