"""Features that are no numbers end the run, and the error names the layer and the photo.

Reads a matrix in the order of Rows, returns nothing. May touch: nothing. DESIGN.md section 14 (NaN and infinite
features): one such value makes a model of nothing but NaN, and dropping the row would hide a CNN that overflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vista_nb.errors import VistaDataError
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.records import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["infinite", "refuse_infinite"]

_ROWS_AT_A_TIME = 256


def refuse_infinite(matrix: NDArray[np.float32], layer: str, rows: Rows, images: ImageTables) -> None:
    """Raises VST355 where a row of `matrix` (in the order of `rows`) holds NaN or infinity."""
    bad = [i for start in range(0, len(matrix), _ROWS_AT_A_TIME) for i in _bad(matrix, start)]
    if bad:
        raise infinite(layer, [rows.keys[i] for i in bad], _photo(matrix, bad[0], rows, images))


def infinite(layer: str, keys: list[str], photo: str = "") -> VistaDataError:
    """The error for rows whose features hold NaN or infinity; keys: theirs, at least one."""
    whose = f"the photo of row {keys[0]!r}" + (f" ({photo})" if photo else "")
    more = f" and of {len(keys) - 1} more rows" if len(keys) > 1 else ""
    hint = "the CNN overflows on it: check its weights and `preprocessing`, or try `precision: float32`"
    return VistaDataError("VST355", f"layer {layer} gives NaN or infinity for {whose}{more}", hint)


def _bad(matrix: NDArray[np.float32], start: int) -> list[int]:
    some = np.isfinite(matrix[start : start + _ROWS_AT_A_TIME]).all(axis=1)
    return [start + int(i) for i in np.flatnonzero(~some)]


def _photo(matrix: NDArray[np.float32], row: int, rows: Rows, images: ImageTables) -> str:
    """The path of the photo it is, where photos are files; of averaged views it may be any, and the first is named."""
    if "path" not in images.images.column_names:
        return ""
    own, views = rows.x.shape[1], len(rows.digests)
    column = int(np.flatnonzero(~np.isfinite(matrix[row]))[0]) - own
    of_view = max(1, (matrix.shape[1] - own) // views)
    digest = rows.digests[min(column // of_view, views - 1)][row]
    place = images.images.column("digest").to_pylist().index(digest)
    return str(images.images.column("path")[place].as_py())
