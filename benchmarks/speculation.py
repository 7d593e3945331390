"""What keeping other layers for later cells costs, in seconds and bytes, and what the next cell gains by it.

    python -m benchmarks.speculation [--quick]

Reads the clothing set (or generated photos), prints medians of 3 warm runs that take turns, writes
results/speculation.csv. Each run has a store of its own; the next cell asks for two layers more. Issue 6, must-show 7.
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
POOLS = ("avg", "max 2x2")


def turns(folder: Path, photos: int, pool: str, repetitions: int) -> tuple[list[dict[str, Any]], ...]:
    """(without, with, the next cell without, the next cell with), each as often as asked, after one run to warm up."""
    pairs = [("never", f"{pool}-never-{k}", "auto", f"{pool}-auto-{k}") for k in range(repetitions + 1)]
    cells = []
    for never, plain, auto, wide in pairs:
        for speculate, store in ((never, plain), (auto, wide)):
            cells.append({"speculate": speculate, "pool": pool, "store": store})
            cells.append({"speculate": "never", "pool": pool, "store": store, "layers": "top 5"})
    request = {"folder": str(folder), "rows": photos, "cells": cells}
    found = child("benchmarks.cells_child", request)["cells"][4:]
    return found[0::4], found[2::4], found[1::4], found[3::4]


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
                f"{head}, then top 5, speculation {name}: features ready", [c["ready"] for c in cells], note=note
            )
            yield measured(f"{head}, then top 5, speculation {name}: end to end", [c["end"] for c in cells])
        yield ended(f"{head}, then top 5, speculation on: photos inferred", next_wide[0]["inferred"], "photos", "<= 0")


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where it cost more than a twentieth, or did not serve the next cell."""
    given = asked("speculation", argv)
    photos, repetitions = rows_asked(ROWS, 100, given), 1 if given.quick else REPETITIONS
    with tempfile.TemporaryDirectory() as folder:
        return report("speculation", rows_of(Path(folder), photos, repetitions), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
