"""Photos under URIs: `file:`, and Hadoop's FileSystem for real through viewfs, which needs no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from executor_support import SMALL_CNN, SMALL_LAYERS, SparkMaker, catalogue, make_plan, run_plan, workload

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaDataError
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.probe_images import link_images
from vista_nb.executor.probe_table import check_keys, read_structured
from vista_nb.executor.remote_files import RemoteFiles
from vista_nb.spec.model import DataSource, ImageSource, Resources, Spec
from vista_nb.store.digests import digest_bytes

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf]
MOUNT = "spark.hadoop.fs.viewfs.mounttable.shop.link./photos"
ROWS = 24
ODD = "k{0}[1] a%20.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shop")
    catalogue(place, rows=ROWS)
    (place / "photos" / "k001.jpg").rename(place / "photos" / ODD)  # no row has it
    return place


def linked(folder: Path, text: str, kind: str = "pattern", table: pa.Table | None = None) -> ImageTables:
    """T_img under one source, with a cache of digests that all cases share."""
    resources = Resources(spark=((MOUNT, f"file://{folder}/photos"),))
    spec = Spec(
        DataSource(str(folder / "items.csv"), "path"), (ImageSource(text, kind),), label="label", resources=resources
    )
    assert spec.structured is not None
    rows, _ = check_keys(table if table is not None else read_structured(spec.structured, {}), "id")
    return link_images(spec, rows, cache=folder / "digests.sqlite")


def test_every_form_finds_the_same_photos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pattern, folder, glob, column; by path, `file:` and viewfs: the same links and digests. Bytes are read once."""
    local = linked(folder, "photos/{id}.jpg")
    asked: list[Any] = []
    digests = RemoteFiles.digests

    def counted(self: RemoteFiles, uris: Any, cache: Path, *, reread: bool) -> Any:
        ask = self._ask
        self._ask = lambda request: (asked.append(request), ask(request))[1]
        return digests(self, uris, cache, reread=reread)

    monkeypatch.setattr(RemoteFiles, "digests", counted)
    ids = [f"k{row:03d}" for row in range(ROWS)]
    column = read_structured(DataSource(str(folder / "items.csv"), "path"), {})
    column = column.append_column("photo", pa.array([f"viewfs://shop/photos/{name}.jpg" for name in ids]))
    for text, kind, table in (
        (f"file://{folder}/photos/{{id}}.jpg", "pattern", None),
        ("viewfs://shop/photos/{id}.jpg", "pattern", None),
        ("viewfs://shop/photos", "folder_or_column", None),
        ("viewfs://shop/photos/k*.jpg", "glob", None),
        ("photo", "folder_or_column", column),
    ):
        found = linked(folder, text, kind, table)
        assert found.links.sort_by("key") == local.links.sort_by("key"), text
        assert found.images.column("digest") == local.images.column("digest")
        assert found.images.column("size") == local.images.column("size")
        paths = found.images.column("path").to_pylist()
        assert all(path.startswith("file:/" if "file:" in text else "viewfs://shop/photos/") for path in paths)
        assert [bad.key for bad in found.bad] == (["k001"] if text == "photo" else [])
    assert len([request for request in asked if "digest" in request]) <= 2, "unchanged photos are not read again"
    odd = [f"viewfs://shop/photos/{ODD}" if name == "k001" else None for name in ids]
    (link,) = linked(
        folder, "photo", "folder_or_column", column.set_column(4, "photo", pa.array(odd))
    ).links.to_pylist()
    assert (link["key"], link["digest"]) == ("k001", digest_bytes((folder / "photos" / ODD).read_bytes()))


def test_what_hadoop_cannot_reach_is_named(folder: Path) -> None:
    """A scheme without a file system: a coded error with the address and what to add."""
    with pytest.raises(VistaDataError, match=r"nosuch://bucket/a.*UnsupportedFileSystemException") as raised:
        linked(folder, "nosuch://bucket/a/{id}.jpg")
    assert raised.value.code == "VST339"
    assert "spark.jars.packages" in raised.value.hint


@pytest.fixture
def made(spark: Any, folder: Path, tmp_path: Path) -> Iterator[SparkMaker]:
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    hadoop.set(MOUNT.removeprefix("spark.hadoop."), f"file://{folder}/photos")
    maker = SparkMaker(spark, tmp_path / "cache", folder)
    yield maker
    maker.close()


def test_spark_reads_them_and_the_features_are_the_same(made: SparkMaker, folder: Path) -> None:
    """By path in the worker, by `file:`, and through Hadoop in the JVM: equal features."""
    cnn = load_roster().find(SMALL_CNN)
    found = []
    for number, text in enumerate(
        ("photos/{id}.jpg", f"file://{folder}/photos/{{id}}.jpg", "viewfs://shop/photos/{id}.jpg")
    ):
        resources = Resources(spark=((MOUNT, f"file://{folder}/photos"),))
        source = (ImageSource(text, "pattern"),)
        work = workload(folder / "items.csv", cnn, SMALL_LAYERS, images=source, resources=resources)
        plan = make_plan(work)
        backend = made(work, plan, store=f"store{number}")
        outcome, _ = run_plan(plan, backend)
        assert outcome.inferred_images == ROWS - 1
        found.append(np.array(backend.features(SMALL_LAYERS[0]).column("vector").to_pylist()))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)
