"""Whole runs on a store that is damaged, small or on a full disk: right features, and a line that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vista_nb
from benchmarks.store_kills import small_disk
from vista_nb import session
from vista_nb.demo import CataloguePaths, generate
from vista_nb.outcome.events import LayerReused, LayerStored, StoreListed
from vista_nb.store.admin import inventory
from vista_nb.store.files import Store

pytestmark = [pytest.mark.spark, pytest.mark.tf]

LAYERS = ("conv4", "fc6")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=80, seed=5)


def spec_of(shop: CataloguePaths) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": list(LAYERS),
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        "baseline": False,
        "plan": {"waves": 1, "speculate": "never"},
    }


@pytest.fixture(scope="module")
def plain(shop: CataloguePaths, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every run must find: computed in a store of its own."""
    return vista_nb.run(spec_of(shop), store_dir=tmp_path_factory.mktemp("plain"))


def same(result: Any, plain: Any) -> None:
    """Every feature and accuracy."""
    assert result.status == "done"
    assert [s.value for s in result.outcome.scores] == [s.value for s in plain.outcome.scores]
    for layer in LAYERS:
        a, b = (np.array(r.features(layer).sort_index()) for r in (result, plain))
        assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()


def told(result: Any, words: str) -> bool:
    return any(words in note for note in result.outcome.notes)


def test_a_damaged_store_is_repaired_and_that_is_said(shop: CataloguePaths, plain: Any, tmp_path: Path) -> None:
    """A part has a flipped bit, found while planning: only its layer's images are inferred again; then all is well."""
    vista_nb.run(spec_of(shop), store_dir=tmp_path)
    store = Store(tmp_path)
    harmed = next(held for held in store.ls() if held.facts.layer == "conv4")
    (path,) = store.paths(harmed.key)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    result = session.submit(spec_of(shop), store_dir=tmp_path)
    assert result.wait(300)
    events = result._handle.poll()
    same(result, plain)
    assert result.outcome.inferred_images == 80
    assert told(result, "a broken part of vistanet conv4 (80 rows) was set aside, its images are made again")
    assert {e.layer for e in events if isinstance(e, LayerReused)} == {"fc6"}
    assert {(e.layer, e.rows) for e in events if isinstance(e, LayerStored)} == {("conv4", 80)}
    again = vista_nb.run(spec_of(shop), store_dir=tmp_path)
    same(again, plain)
    assert again.outcome.inferred_images == 0
    assert not told(again, "broken")


def test_a_budget_that_nothing_fits_into(shop: CataloguePaths, plain: Any, tmp_path: Path) -> None:
    """The run has its features all the same, and says with a code why they were not kept."""
    result = session.submit(spec_of(shop), store_dir=tmp_path, store_budget="10kB", reuse="never")
    assert result.wait(300)
    same(result, plain)
    assert told(result, "features were not kept (VST614)")
    assert inventory(Store(tmp_path, 10_000)).size <= 10_000
    listings = [e for e in result._handle.poll() if isinstance(e, StoreListed)]
    assert listings[-1].budget == 10_000
    assert listings[-1].size <= 10_000


def test_a_full_disk_ends_no_run(shop: CataloguePaths, plain: Any, tmp_path: Path) -> None:
    """The same with a disk of a few kilobytes."""
    with small_disk(tmp_path / "disk", 12_000) as mounted:
        if not mounted:
            pytest.skip("mounting a small tmpfs needs root")
        result = vista_nb.run(spec_of(shop), store_dir=tmp_path / "disk", reuse="never")
        same(result, plain)
        assert told(result, "features were not kept (VST601)")


def test_a_run_leaves_no_lease(shop: CataloguePaths, tmp_path: Path) -> None:
    """What it wrote may be dropped as soon as it has ended, in the same kernel."""
    result = vista_nb.run(spec_of(shop), store_dir=tmp_path, reuse="never")
    assert result.status == "done"
    held = inventory(Store(tmp_path)).holdings
    assert [h.layers.facts.layer for h in held] == ["conv4", "fc6"]
    assert not any(h.in_use for h in held)
    assert list(Store(tmp_path).layout.staging.iterdir()) == []
