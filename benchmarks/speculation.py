"""What keeping other layers for later cells costs, in seconds and bytes, and what the next cell gains by it.

    python -m benchmarks.speculation [--quick]

Reads the clothing set (or generated photos), prints medians of 3 warm runs that take turns, writes
results/speculation.csv. Each run has a store of its own; the next cell asks, in a new kernel, for two layers more.
Issue 6, must-show 7.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.record import REPETITIONS, Row, asked, child, ended, measured, report, rows_asked

__all__ = ["main"]

ROWS = 1_000
WARM = 100
POOLS = ("avg", "max 2x2")


def kernel(folder: Path, mode: str, cells: Sequence[dict[str, Any]], rows: int) -> dict[str, Any]:
    """The last of the cells, all run in one new kernel, with the artifacts of its mode: to keep more takes others."""
    request = {"folder": str(folder), "rows": rows, "cells": list(cells)}
    found = child("benchmarks.cells_child", request, {"VISTA_NB_CACHE_DIR": str(folder / f"cache-{mode}")})
    return dict(found["cells"][-1])


def turn(folder: Path, mode: str, photos: int, pool: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the run after a warm-up on other photos, the next cell in a new kernel, where nothing is in memory)."""
    warm = {"speculate": mode, "pool": pool, "store": f"{name}-warm", "skip": photos, "take": WARM}
    cell = {"speculate": mode, "pool": pool, "store": name, "take": photos}
    after = {"speculate": "never", "pool": pool, "store": name, "take": photos, "layers": "top 5"}
    rows = photos + WARM
    return kernel(folder, mode, (warm, cell), rows), kernel(folder, mode, (after,), rows)


def turns(folder: Path, photos: int, pool: str, repetitions: int) -> tuple[list[dict[str, Any]], ...]:
    """(without, with, the next cell without, the next cell with), each as often as asked."""
    plain, wide, next_plain, next_wide = [], [], [], []
    for k in range(repetitions):
        for mode, runs, afters in (("never", plain, next_plain), ("auto", wide, next_wide)):
            run, after = turn(folder, mode, photos, pool, f"{pool}-{mode}-{k}")
            runs.append(run)
            afters.append(after)
    return plain, wide, next_plain, next_wide


def rows_of(folder: Path, photos: int, repetitions: int) -> Iterator[Row]:
    for pool in POOLS:
        plain, wide, next_plain, next_wide = turns(folder, photos, pool, repetitions)
        head = f"resnet50/3, {photos} photos, {pool}"
        kept = next((note for note in wide[0]["notes"] if note.startswith("kept for later")), "nothing was kept")
        for name, cells in (("speculation off", plain), ("speculation on", wide)):
            yield measured(f"{head}, {name}: end to end", [cell["end"] for cell in cells])
            yield measured(f"{head}, {name}: CNN", [cell["cnn"] for cell in cells])
            yield measured(f"{head}, {name}: Save", [cell["save"] for cell in cells])
        ends = [median([cell["end"] for cell in cells]) for cells in (plain, wide)]
        yield ended(f"{head}: seconds more", ends[1] - ends[0], "s", note=kept)
        yield ended(f"{head}: seconds more, of the run", 100 * (ends[1] / ends[0] - 1), "%", "<= 5")
        megabytes = (wide[0]["store"] - plain[0]["store"]) / 1e6
        yield ended(f"{head}: bytes more in the store", megabytes, "MB")
        for name, cells in (("off", next_plain), ("on", next_wide)):
            note = f"{cells[0]['inferred']} photos inferred"
            yield measured(
                f"{head}, then top 5 in a new kernel, speculation {name}: features ready",
                [c["ready"] for c in cells],
                note=note,
            )
            yield measured(
                f"{head}, then top 5 in a new kernel, speculation {name}: end to end", [c["end"] for c in cells]
            )
        yield ended(
            f"{head}, then top 5 in a new kernel, speculation on: photos inferred",
            next_wide[0]["inferred"],
            "photos",
            "<= 0",
        )


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where it cost more than a twentieth, or did not serve the next cell."""
    given = asked("speculation", argv)
    photos, repetitions = rows_asked(ROWS, 100, given), 1 if given.quick else REPETITIONS
    with tempfile.TemporaryDirectory() as folder:
        return report("speculation", rows_of(Path(folder), photos, repetitions), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
