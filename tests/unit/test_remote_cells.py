"""Cells over a remote store: a kernel with nothing on its disk infers nothing, and the features are the same.

The session's own steps with the reference backend in the place of the engines.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cells_support import cell
from executor_support import catalogue, photo, tiny_cnn, workload
from remote_support import AWAY, forget_what_is_known

from vista_nb.errors import VistaStoreError
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.explain import explain
from vista_nb.spec.model import Pooling
from vista_nb.store import remote as remote_module
from vista_nb.views.report_view import reuse_lines

TOP = ("mid", "top")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second cell is another kernel's."""
    forget_what_is_known(monkeypatch)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "bucket").mkdir()
    return tmp_path / "bucket"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The local tier of both kernels; `another_kernel` empties it."""
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path / "store"))
    catalogue(tmp_path)
    return tmp_path


def another_kernel(folder: Path) -> None:
    shutil.rmtree(folder / "store")


@pytest.mark.parametrize("pool", [Pooling.MAX_2X2, Pooling.AVG])
def test_another_kernel_infers_nothing(pool: Pooling, shop: Path, bucket: Path) -> None:
    """Features and scores equal those of the run that made them, and of one without a store; each reuse says whence."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP, pool=pool)
    first = cell(work, shop, run="r1", remote=bucket.as_uri())
    assert first.inferred == 60
    assert any("sent to file://" in note for note in first.outcome.notes)
    another_kernel(shop)
    second = cell(work, shop, run="r2", remote=bucket.as_uri())
    assert second.inferred == 0
    assert second.scores == first.scores
    reused = [event for event in second.events if isinstance(event, LayerReused)]
    assert [(event.layer, event.run, event.rows, event.remote) for event in reused] == [
        (layer, "r1", 60, True) for layer in TOP
    ]
    assert all("(from the remote store)" in line for line in reuse_lines(reused))
    features = {layer: second.features(layer) for layer in TOP}
    another_kernel(shop)
    alone = cell(work, shop, reuse="never")
    for layer in TOP:
        np.testing.assert_array_equal(features[layer], alone.features(layer))


def test_the_third_cell_reads_the_disk(shop: Path, bucket: Path) -> None:
    """What came is a part of the local store like another: nothing is fetched or sent again."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP)
    cell(work, shop, remote=bucket.as_uri())
    another_kernel(shop)
    cell(work, shop, remote=bucket.as_uri())
    before = sorted(bucket.rglob("*"))
    third = cell(work, shop, remote=bucket.as_uri())
    assert third.inferred == 0
    assert not any(event.remote for event in third.events if isinstance(event, LayerReused))
    assert sorted(bucket.rglob("*")) == before


def test_only_what_is_new_is_inferred_and_sent(shop: Path, bucket: Path) -> None:
    """5 changed photos among 60, in a kernel with an empty disk: 5 through the CNN, and 5 rows more over there."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP)
    cell(work, shop, remote=bucket.as_uri())
    another_kernel(shop)
    for row in range(5):
        photo(shop / "photos" / f"k{row:03d}.jpg", "green", 5_000 + row)
    second = cell(work, shop, run="r2", remote=bucket.as_uri())
    assert second.inferred == 5
    features = second.features("mid")
    another_kernel(shop)
    third = cell(work, shop, run="r3", remote=bucket.as_uri())
    assert third.inferred == 0
    np.testing.assert_array_equal(third.features("mid"), features)


def test_another_pooling_follows_from_the_remote_one(shop: Path, bucket: Path) -> None:
    """`max` is the largest of `max 2x2`'s cells, wherever these lie."""
    made = workload(shop / "items.csv", tiny_cnn(), ("mid",))
    cell(made, shop, remote=bucket.as_uri())
    another_kernel(shop)
    asked = workload(shop / "items.csv", tiny_cnn(), ("mid",), pool=Pooling.MAX)
    found = cell(asked, shop, run="r2", remote=bucket.as_uri())
    assert found.inferred == 0
    (event,) = [event for event in found.events if isinstance(event, LayerReused)]
    assert (event.pooling, event.remote) == ("max 2x2", True)
    features = found.features("mid")
    another_kernel(shop)
    np.testing.assert_array_equal(features, cell(asked, shop, reuse="never").features("mid"))


def test_the_plan_says_what_lies_over_there(shop: Path, bucket: Path) -> None:
    """EXPLAIN is made from the JSONs: it fetches nothing itself, and names the rows that a run would fetch."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP)
    cell(work, shop, remote=bucket.as_uri())
    another_kernel(shop)
    assert "(60 of them from the remote store)" in explain(cell(work, shop, remote=bucket.as_uri()).plan)


def test_a_damaged_part_is_inferred_again(shop: Path, bucket: Path) -> None:
    """The plan counted on it: it is made again without, the user reads why, and the store holds again afterwards."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP)
    features = cell(work, shop, remote=bucket.as_uri()).features("mid")
    another_kernel(shop)
    damaged = max(bucket.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    lost = json.loads(damaged.with_suffix(".json").read_text())["parts"][0]["rows"]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    second = cell(work, shop, run="r2", remote=bucket.as_uri())
    assert second.inferred == lost
    assert any(f"a broken part of tiny mid ({lost} rows)" in note for note in second.outcome.notes)
    np.testing.assert_array_equal(second.features("mid"), features)
    another_kernel(shop)
    remote_module._damaged.clear()
    assert cell(work, shop, run="r3", remote=bucket.as_uri()).inferred == 0


def test_out_of_reach_is_a_note_and_the_local_store_goes_on(shop: Path, bucket: Path) -> None:
    """`auto` goes on; `require` says that the store which may have them cannot be asked."""
    work = workload(shop / "items.csv", tiny_cnn(), TOP)
    with pytest.raises(VistaStoreError, match="VST618"):
        cell(work, shop, reuse="require", remote=AWAY)
    first = cell(work, shop, remote=AWAY)
    assert first.inferred == 60
    assert any("VST618" in note for note in first.outcome.notes)
    assert cell(work, shop, run="r2", remote=AWAY).inferred == 0
    assert cell(work, shop, reuse="require", run="r3", remote=AWAY).inferred == 0
    another_kernel(shop)
    with pytest.raises(VistaStoreError, match="VST603"):
        cell(work, shop, reuse="require", remote=bucket.as_uri())
