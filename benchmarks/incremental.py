"""Only what is new goes through the CNN: photos added and changed, a renamed folder, a renamed key, deleted rows.

    python -m benchmarks.incremental [--quick]

Reads the clothing set (or generated photos), copied into a folder that the benchmark changes; prints photos inferred
and seconds of each cell, writes results/incremental.csv. ResNet50 top 3, one kernel. Issue 6, must-show 2.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import vista_nb
from benchmarks.record import Row, asked, ended, report, rows_asked
from benchmarks.speed import photos

__all__ = ["main"]

ROWS, ADDED, CHANGED = 1_000, 50, 5
SPEC = """
structured: $table
images: {folder}/{{{key}}}.jpg
on: {key}
label: label
features: [kids]
cnn: resnet50
weights: random
layers: top 3
model: LogisticRegression(regParam=0.05)
"""


def copied(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The same records with their photos as `folder/ID.jpg`."""
    folder.mkdir()
    for key, photo in zip(table.id, table.photo, strict=True):
        shutil.copyfile(photo, folder / f"{key}.jpg")
    return table.drop(columns="photo")


def changed(path: Path, number: int) -> None:
    """Another picture under the same name: turned, with a grey corner, so that no two of them are alike."""
    from PIL import Image

    with Image.open(path) as picture:
        turned = picture.convert("RGB").rotate(180)
    turned.paste((number, number, number), (0, 0, 20 + number, 20))
    turned.save(path, quality=90)


def rows_of(work: Path, rows: int) -> Iterator[Row]:
    (work / "taken").mkdir()
    every = copied(photos(work / "taken", rows + ADDED), work / "photos")
    table, store = every.head(rows), work / "store"

    def cell(what: str, frame: pd.DataFrame, expected: int, folder: str = "photos", key: str = "id") -> Row:
        text = SPEC.format(folder=work / folder, key=key)
        result: Any = vista_nb.run(text, namespace={"table": frame}, store_dir=store)
        found = result.outcome.inferred_images
        note = f"expected {expected}; {result.outcome.seconds:.1f} s end to end"
        return ended(
            f"resnet50/3, {what}: photos inferred too many or few", abs(found - expected), "photos", "<= 0", note
        )

    distinct = len({path.read_bytes() for path in (work / "photos").glob("*.jpg") if path.stem in set(table.id)})
    yield cell(f"{rows} photos, first cell", table, distinct)
    for number, key in enumerate(table.id.head(CHANGED)):
        changed(work / "photos" / f"{key}.jpg", number)
    before = {(work / "photos" / f"{key}.jpg").read_bytes() for key in table.id}
    added = {(work / "photos" / f"{key}.jpg").read_bytes() for key in every.id} - before
    yield cell(f"{ADDED} added, {CHANGED} changed", every, CHANGED + len(added))
    yield cell(f"{ADDED} rows deleted", table, 0)
    (work / "photos").rename(work / "pictures")
    yield cell("folder renamed", every, 0, "pictures")
    yield cell("key column renamed", every.rename(columns={"id": "sku"}), 0, "pictures", "sku")


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a photo was inferred that was there, or one was left out."""
    given = asked("incremental", argv)
    with tempfile.TemporaryDirectory() as folder:
        return report("incremental", rows_of(Path(folder), rows_asked(ROWS, 100, given)), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
