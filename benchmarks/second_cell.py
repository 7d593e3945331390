"""Layers once computed are never computed again: four cells, the last one in a new kernel.

    python -m benchmarks.second_cell [--quick]

Reads the clothing set (or generated photos), prints every cell, writes results/second_cell.csv. Cell 1: ResNet50 top 3,
cold. Cell 2: the same layers, another model. Cell 3: top 5. Cell 4: cell 2 in a new kernel; and trained by Spark, which
adds the JVM's start. DESIGN.md sections 9 and 13; issue 6, must-show 1. Speculation is off, so that
cell 3 has something to do; benchmarks/speculation.py measures it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import Row, asked, child, ended, measured, report, rows_asked

__all__ = ["main"]

ROWS = 1_000
OTHER = {"model": "sklearn.LogisticRegression(C=0.1)"}
ON_SPARK = {"more": ", training: cluster"}


def kernel(folder: Path, rows: int, cells: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """The cells of one new kernel."""
    answer = child("benchmarks.cells_child", {"folder": str(folder), "rows": rows, "cells": list(cells)})
    found: list[dict[str, Any]] = answer["cells"]
    return found


def rows_of(folder: Path, photos: int) -> Iterator[Row]:
    """Kernel A: cells 1 to 3, and cell 2 again without the store. Kernel B: cell 4, on the kernel and on Spark."""
    first, second, third, never = kernel(
        folder, photos, [{}, OTHER, {"layers": "top 5"}, {**OTHER, "reuse": "never", "store": "other"}]
    )
    fourth, on_spark = kernel(folder, photos, [OTHER, ON_SPARK])
    head = f"resnet50/3, {photos} photos"
    named = (("cell 1", first), ("cell 2, another model", second), ("cell 3, top 5", third))
    for name, cell in (*named, ("cell 4, new kernel", fourth), ("cell 4, model on Spark", on_spark)):
        note = f"{cell['inferred']} photos inferred; started {cell['java']} JVM, {cell['python']} Python"
        yield measured(f"{head}, {name}: features ready", [cell["ready"]], note=note)
        yield measured(f"{head}, {name}: end to end", [cell["end"]])
    yield ended("cell 2: photos inferred", second["inferred"], "photos", "<= 0")
    yield ended("cell 2: processes started", second["python"] + second["java"], "", "<= 0")
    yield ended("features ready, cell 1 / cell 2", first["ready"] / second["ready"], "x", ">= 20")
    differ = max(abs(second["scores"][layer] - value) for layer, value in never["scores"].items())
    yield ended("cell 2 against --reuse never: largest difference of an accuracy", differ, "", "<= 0")
    note = ", ".join(third["computed"])
    yield ended("cell 3: layers computed", len(third["computed"]), "layers", "<= 2", note=note)
    yield ended("cell 4: photos inferred", fourth["inferred"], "photos", "<= 0")
    yield ended("cell 4: processes started", fourth["python"] + fourth["java"], "", "<= 0")
    yield measured("cell 4, end to end, more than cell 2", [fourth["end"] - second["end"]])
    yield measured("cell 4 on Spark, features ready, more than cell 4 (JVM)", [on_spark["ready"] - fourth["ready"]])


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where the second cell inferred anything, or was not fast enough."""
    given = asked("second_cell", argv)
    photos = rows_asked(ROWS, 100, given)
    with tempfile.TemporaryDirectory() as folder:
        return report("second_cell", rows_of(Path(folder), photos), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
