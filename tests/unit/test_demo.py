"""The bundled data set: the same for everyone, whole or absent, and in need of both its table and its photos."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from vista_nb.demo import CataloguePaths, catalogue, drawing, generate, vistanet_path
from vista_nb.demo.motifs import MOTIFS
from vista_nb.demo.products import DEPARTMENTS, MOTIF_APPEAL, draw_product
from vista_nb.demo.silhouettes import SHAPES

ROWS = 24


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    """One small catalogue for the tests that only read."""
    return generate(tmp_path_factory.mktemp("demo") / "catalogue", rows=ROWS)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_seed_gives_the_same_bytes(paths: CataloguePaths, tmp_path: Path) -> None:
    """Two catalogues of one seed agree in every file."""
    generate(tmp_path / "again", rows=ROWS)
    assert contents(tmp_path / "again") == contents(paths.table.parent)


def test_other_seed_gives_other_photos(paths: CataloguePaths, tmp_path: Path) -> None:
    """The seed reaches the table and every photo."""
    other = generate(tmp_path / "other", rows=ROWS, seed=1)
    assert other.table.read_bytes() != paths.table.read_bytes()
    for photo in paths.images.iterdir():
        assert (other.images / photo.name).read_bytes() != photo.read_bytes()


def test_first_rows_do_not_depend_on_the_count(paths: CataloguePaths, tmp_path: Path) -> None:
    """A shorter catalogue is the head of a longer one."""
    short = generate(tmp_path / "short", rows=5)
    assert pq.read_table(short.table).to_pylist() == pq.read_table(paths.table).to_pylist()[:5]
    for photo in short.images.iterdir():
        assert photo.read_bytes() == (paths.images / photo.name).read_bytes()


def test_table_has_one_typed_row_per_product(paths: CataloguePaths) -> None:
    """Columns, types and keys are those the quickstart names; what the photo alone shows is in no column."""
    table = pq.read_table(paths.table)
    assert table.num_rows == ROWS
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "id": "string",
        "department": "string",
        "price": "double",
        "weight": "double",
        "rating": "double",
        "rating_count": "int64",
        "bestseller": "int64",
    }
    rows = table.to_pydict()
    assert len(set(rows["id"])) == ROWS
    assert set(rows["department"]) <= set(DEPARTMENTS)
    assert set(rows["bestseller"]) == {0, 1}
    assert all(column.null_count == 0 for column in table.columns)


def test_every_row_has_a_readable_photo(paths: CataloguePaths) -> None:
    """The photos' stems are the keys, and each decodes to 128x128 RGB."""
    keys = set(pq.read_table(paths.table)["id"].to_pylist())
    assert {photo.name for photo in paths.images.iterdir()} == {f"{key}.jpg" for key in keys}
    for photo in paths.images.iterdir():
        with Image.open(photo) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (128, 128))


def test_complete_catalogue_is_used_again(tmp_path: Path) -> None:
    """A second call writes nothing."""
    first = generate(tmp_path / "c", rows=3)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert generate(tmp_path / "c", rows=3) == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_changed_request_or_version_draws_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another row count, seed or version replaces the catalogue, and leaves nothing beside it."""
    paths = generate(tmp_path / "c", rows=3)
    assert pq.read_metadata(generate(tmp_path / "c", rows=4).table).num_rows == 4
    before = paths.table.read_bytes()
    assert generate(tmp_path / "c", rows=4, seed=2).table.read_bytes() != before
    monkeypatch.setattr(catalogue, "VERSION", catalogue.VERSION + 1)
    stamp = paths.table.stat().st_mtime_ns
    generate(tmp_path / "c", rows=4, seed=2)
    assert paths.table.stat().st_mtime_ns != stamp
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_deleted_photo_is_noticed(tmp_path: Path) -> None:
    """A catalogue that lost a file is drawn again, whole."""
    paths = generate(tmp_path / "c", rows=3)
    next(paths.images.iterdir()).unlink()
    generate(tmp_path / "c", rows=3)
    assert len(list(paths.images.iterdir())) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_generation_leaves_nothing(
    error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt or a full disk half-way leaves no folder, and the next call succeeds."""
    draw, drawn = drawing.photo, iter(range(3))

    def break_at_third(*arguments: object) -> bytes:
        if next(drawn) == 2:
            raise error
        return draw(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue, "photo", break_at_third)
    with pytest.raises(error):
        generate(tmp_path / "c", rows=5)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert generate(tmp_path / "c", rows=5).table.is_file()


def test_failed_redraw_keeps_the_old_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was complete stays until its successor is."""
    paths = generate(tmp_path / "c", rows=3)
    before = contents(tmp_path)

    def fail(*_: object) -> bytes:
        raise OSError("no space left on device")

    monkeypatch.setattr(catalogue, "photo", fail)
    with pytest.raises(OSError, match="no space"):
        generate(tmp_path / "c", rows=4)
    assert contents(tmp_path) == before
    assert paths.table.is_file()


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with the user's own files is refused and kept."""
    (tmp_path / "thesis.txt").write_text("three years of work", encoding="utf-8")
    with pytest.raises(FileExistsError, match="other files"):
        generate(tmp_path, rows=3)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_empty_request_is_refused(tmp_path: Path) -> None:
    """A catalogue without rows is a mistake of the caller."""
    with pytest.raises(ValueError, match="rows=0"):
        generate(tmp_path / "c", rows=0)


def test_drawn_names_agree() -> None:
    """Every silhouette and motif a product may have can be drawn."""
    assert {shape for pair in DEPARTMENTS.values() for shape in pair} == set(SHAPES)
    assert set(MOTIF_APPEAL) == set(MOTIFS)


def test_label_needs_table_and_photo() -> None:
    """The best rule on either cause alone errs often; on both it seldom does."""
    products = [draw_product(0, row) for row in range(800)]
    labels = [product.bestseller for product in products]
    assert 0.4 < sum(labels) / len(labels) < 0.6

    by_motif = [MOTIF_APPEAL[product.motif] > 0 for product in products]
    agreement = sum(a == b for a, b in zip(by_motif, labels, strict=True)) / len(labels)
    assert 0.65 < agreement < 0.85

    known = [product.rating_count > 260 for product in products]
    agreement = sum(a == b for a, b in zip(known, labels, strict=True)) / len(labels)
    assert 0.6 < agreement < 0.8


def test_bundled_cnn_has_its_named_layers() -> None:
    """The CNN file is small, and the layers the roster names are there in order, the last one linear."""
    assert vistanet_path().stat().st_size <= 4_000_000
    with zipfile.ZipFile(vistanet_path()) as archive:
        config = json.loads(archive.read("config.json"))
    layers = {layer["config"]["name"]: layer for layer in config["config"]["layers"]}
    tapped = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "logits"]
    assert [name for name in layers if name in tapped] == tapped
    assert {layers[name]["class_name"] for name in tapped[:-1]} == {"ReLU"}
    assert layers["logits"]["config"]["activation"] == "linear"


def test_import_is_light() -> None:
    """`import vista_nb.demo` loads no engine and no drawing library."""
    heavy = {"numpy", "PIL", "pyarrow", "pandas", "tensorflow", "keras"}
    code = f"import sys, vista_nb.demo; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
