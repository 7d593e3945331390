"""Bring two public sets of real photos into the form that 04_real_photos.ipynb reads: a table, and small photos.

Reads clones of the two repositories below, writes DATA/clothing and DATA/houses (about 25 MB each). May touch: that
folder. Nothing is downloaded here, and nothing of it belongs into this repository.

    git clone --depth 1 https://github.com/alexeygrigorev/clothing-dataset
    git clone --depth 1 https://github.com/emanhamed/Houses-dataset
    python notebooks/photo_sets.py --clothing clothing-dataset --houses Houses-dataset --into ../shared/data

Clothing: CC0 1.0. Houses: no licence file, for research; cite Ahmed and Moustafa 2016 (arXiv:1609.08399).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from PIL import Image

__all__ = ["VIEWS", "clothing", "houses", "main"]

VIEWS: Final = ("frontal", "kitchen", "bedroom", "bathroom")
_NO_CLASS: Final = ("Not sure", "Other", "Skip")
_CLASSES: Final = 10
_ROWS: Final = 2_400
_SIDE: Final = 224  # what the roster's CNNs look at
_QUALITY: Final = 85


def clothing(clone: Path, into: Path, rows: int = _ROWS) -> Path:
    """A hash sample of the ten most frequent classes: id, image, sender_id, kids, width, height, label, is_tshirt.

    A sample by hash, so that everybody gets the same rows. Photos that are missing or broken are left out.
    """
    frame = pd.read_csv(clone / "images.csv", dtype={"image": str})
    frame = frame[~frame.label.isin(_NO_CLASS)].drop_duplicates("image")
    frame = frame[frame.label.isin(frame.label.value_counts().index[:_CLASSES])]
    by_hash = sorted(frame.image, key=lambda key: hashlib.sha1(key.encode()).hexdigest())  # noqa: S324 (no secret)
    sizes: dict[str, tuple[int, int]] = {}
    for key in by_hash:
        size = _shrink(clone / "images" / f"{key}.jpg", into / "images" / f"{key}.jpg")
        if size is not None:
            sizes[key] = size
        if len(sizes) == rows:
            break
    kept = frame[frame.image.isin(sizes)].sort_values("image")
    table = pd.DataFrame({"id": kept.image, "image": "images/" + kept.image + ".jpg", "sender_id": kept.sender_id})
    table["kids"] = kept.kids.astype(int)
    table["width"], table["height"] = (kept.image.map(lambda key, axis=axis: sizes[key][axis]) for axis in (0, 1))
    table["label"] = kept.label
    table["is_tshirt"] = (kept.label == "T-Shirt").astype(int)
    return _written(table, into / "clothing.csv")


def houses(clone: Path, into: Path) -> Path:
    """All 535: id, bedrooms, bathrooms, area, zipcode, price, expensive (above the median price); four photos each."""
    folder = next(path.parent for path in sorted(clone.rglob("HousesInfo.txt")))
    columns = ["bedrooms", "bathrooms", "area", "zipcode", "price"]
    table = pd.read_csv(folder / "HousesInfo.txt", sep=r"\s+", header=None, names=columns)
    table.insert(0, "id", range(1, len(table) + 1))  # a line per house, in the order of the photos' numbers
    table["expensive"] = (table.price > table.price.median()).astype(int)
    for key in table.id:
        for view in VIEWS:
            _shrink(folder / f"{key}_{view}.jpg", into / "images" / f"{key}_{view}.jpg")
    return _written(table, into / "houses.csv")


def _shrink(source: Path, target: Path) -> tuple[int, int] | None:
    """Written with its longest side 224; the size it had, None where it cannot be read."""
    try:
        with Image.open(source) as photo:
            size: tuple[int, int] = photo.size
            small: Any = photo.convert("RGB")
    except (OSError, SyntaxError):  # Pillow's words for broken files
        return None
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    small.save(target, "JPEG", quality=_QUALITY)
    return size


def _written(table: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """One set or both."""
    parser = argparse.ArgumentParser(prog="photo_sets", description="real photos for notebook 04")
    parser.add_argument("--clothing", type=Path, metavar="CLONE", help="a clone of alexeygrigorev/clothing-dataset")
    parser.add_argument("--houses", type=Path, metavar="CLONE", help="a clone of emanhamed/Houses-dataset")
    parser.add_argument("--into", type=Path, required=True, metavar="DATA", help="the folder to write into")
    given = parser.parse_args(arguments)
    for name, make in (("clothing", clothing), ("houses", houses)):
        clone = getattr(given, name)
        if clone is not None:
            table = make(clone, given.into / name)
            sys.stdout.write(f"{table}: {len(pd.read_csv(table))} rows\n")
    return 0 if given.clothing or given.houses else parser.error("name a clone: --clothing or --houses")


if __name__ == "__main__":
    sys.exit(main())
