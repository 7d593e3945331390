"""notebooks/photo_sets.py: clones of the two public photo sets become the folders that notebook 04 reads."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "notebooks" / "photo_sets.py"


@pytest.fixture(scope="module")
def photo_sets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("photo_sets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photo(path: Path, size: tuple[int, int], mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 90 if mode == "L" else (200, 30, 30)).save(path)


def clothing_clone(folder: Path) -> pd.DataFrame:
    """Eleven classes, the last one rare; doubtful labels, a broken and a missing photo, a photo that is gray."""
    rows = [(f"k{c}-{n}", c, f"class{c}", n % 3 == 0) for c in range(11) for n in range(2 if c == 10 else 4)]
    rows += [("doubt", 1, "Not sure", False), ("broken", 1, "class0", False), ("missing", 1, "class0", True)]
    frame = pd.DataFrame(rows, columns=["image", "sender_id", "label", "kids"])
    folder.mkdir()
    frame.to_csv(folder / "images.csv", index=False)
    for place, key in enumerate(frame.image):
        photo(folder / "images" / f"{key}.jpg", (400, 300 + place), "L" if key == "k3-1" else "RGB")
    (folder / "images" / "broken.jpg").write_bytes(b"no photo")
    (folder / "images" / "missing.jpg").unlink()
    return frame


def test_clothing_is_a_hash_sample_of_the_ten_largest_classes(photo_sets: ModuleType, tmp_path: Path) -> None:
    """The same rows for everybody; original sizes in the table, small RGB photos beside it."""
    frame = clothing_clone(tmp_path / "clone")
    table = pd.read_csv(photo_sets.clothing(tmp_path / "clone", tmp_path / "data", rows=20))
    assert list(table) == ["id", "image", "sender_id", "kids", "width", "height", "label", "is_tshirt"]
    usable = [k for k in frame.image if k not in ("doubt", "broken", "missing") and not k.startswith("k10-")]
    expected = sorted(usable, key=lambda key: hashlib.sha1(key.encode()).hexdigest())[:20]
    assert table.id.tolist() == sorted(expected)
    assert set(table.kids) <= {0, 1}
    known = frame.set_index("image")
    assert table.label.tolist() == known.label[table.id].tolist()
    assert table.height.tolist() == [300 + frame.image.tolist().index(key) for key in table.id]
    for path in table.image:
        with Image.open(tmp_path / "data" / path) as small:
            assert (max(small.size), small.mode) == (224, "RGB")


def test_all_usable_photos_where_there_are_fewer(photo_sets: ModuleType, tmp_path: Path) -> None:
    """A broken or missing photo costs its row, nothing else."""
    clothing_clone(tmp_path / "clone")
    table = pd.read_csv(photo_sets.clothing(tmp_path / "clone", tmp_path / "data"))
    assert len(table) == 40
    assert not {"broken", "missing", "doubt"} & set(table.id)


def houses_clone(folder: Path, lines: list[str]) -> None:
    inner = folder / "Houses Dataset"
    for number in range(1, len(lines) + 1):
        for view in ("frontal", "kitchen", "bedroom", "bathroom"):
            photo(inner / f"{number}_{view}.jpg", (300, 500))
    (inner / "HousesInfo.txt").write_text("\n".join(lines) + "\n")


def test_houses_get_their_label_from_the_median_price(
    photo_sets: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command line, as the notebook's reader calls it."""
    houses_clone(tmp_path / "clone", ["4 4 4053 85255 869500", "3 2.5 1500 36372 300000", "2 1 900 85266 100000"])
    assert photo_sets.main(["--houses", str(tmp_path / "clone"), "--into", str(tmp_path / "data")]) == 0
    assert "3 rows" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "data" / "houses" / "houses.csv")
    assert table.expensive.tolist() == [1, 0, 0]
    assert table.bathrooms.tolist() == [4.0, 2.5, 1.0]
    with Image.open(tmp_path / "data" / "houses" / "images" / "3_bathroom.jpg") as small:
        assert max(small.size) == 224


@pytest.mark.shared
def test_the_sample_is_the_one_that_the_notebook_was_executed_with(photo_sets: ModuleType, shared: Path) -> None:
    """Its rows are the lowest hashes; the houses' label is made as here."""
    clothes = pd.read_csv(shared / "data" / "clothing" / "clothing.csv", dtype={"id": str})
    shares = [int(hashlib.sha1(key.encode()).hexdigest()[:8], 16) / 2**32 for key in clothes.id]
    assert max(shares) == pytest.approx(2_400 / 4_514, abs=0.02)
    houses = pd.read_csv(shared / "data" / "houses" / "houses.csv")
    assert houses.expensive.tolist() == (houses.price > houses.price.median()).astype(int).tolist()


def test_no_clone_is_a_usage_error(photo_sets: ModuleType, tmp_path: Path) -> None:
    """Said by argparse, status 2."""
    with pytest.raises(SystemExit) as ended:
        photo_sets.main(["--into", str(tmp_path)])
    assert ended.value.code == 2
