"""Only what the store lacks goes through the CNN: new and changed photos, missing layers; names are nothing.

The session's own steps with the reference backend in the place of the engines.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cells_support import cell
from executor_support import COLOURS, catalogue, photo, tiny_cnn, workload

from vista_nb.executor.driver_backend import DriverBackend
from vista_nb.executor.local import LocalBackend
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.explain import explain
from vista_nb.spec.model import ImageSource, PlanChoice, Pooling
from vista_nb.store.unreadable import known_unreadable, remember_unreadable

TOP = ("mid", "top")


def add_rows(folder: Path, start: int, count: int) -> None:
    """More records with photos of their own."""
    with (folder / "items.csv").open("a", newline="") as file:
        writer = csv.writer(file)
        for row in range(start, start + count):
            colour = list(COLOURS)[row % 3]
            writer.writerow([f"k{row:03d}", row % 99 + 1, "xy"[row % 2], colour])
            photo(folder / "photos" / f"k{row:03d}.jpg", colour, row)


def test_50_added_and_5_changed_of_1000(tmp_path: Path) -> None:
    """Exactly 55 photos are inferred; the 945 others are taken from the store, and the rest is no copy."""
    table = catalogue(tmp_path, rows=1000)
    work = workload(table, tiny_cnn(), TOP)
    assert cell(work, tmp_path).inferred == 1000
    add_rows(tmp_path, 1000, 50)
    for row in range(5):
        photo(tmp_path / "photos" / f"k{row:03d}.jpg", "green", 5_000 + row)
    again = cell(work, tmp_path, run="r2")
    assert again.inferred == 55
    assert {event.rows for event in again.events if isinstance(event, LayerReused)} == {995}
    assert cell(work, tmp_path, run="r3").inferred == 0


def test_deleted_rows_are_ignored(tmp_path: Path) -> None:
    """Fewer records over the same photos: nothing is inferred, and nothing of the others is read."""
    work = workload(catalogue(tmp_path, rows=60), tiny_cnn(), TOP)
    cell(work, tmp_path)
    lines = (tmp_path / "items.csv").read_text().splitlines()
    (tmp_path / "items.csv").write_text("\n".join([lines[0], *lines[13:]]) + "\n")
    again = cell(work, tmp_path)
    assert again.inferred == 0
    assert len(again.backend.rows) == 48


def moved_folder(folder: Path) -> dict[str, object]:
    (folder / "photos").rename(folder / "pictures")
    return {"images": (ImageSource("pictures/{id}.jpg", "pattern"),)}


def renamed_key(folder: Path) -> dict[str, object]:
    text = (folder / "items.csv").read_text()
    (folder / "items.csv").write_text(text.replace("id,", "sku,", 1))
    return {"on": "sku", "images": (ImageSource("photos/{sku}.jpg", "pattern"),)}


def renamed_files(folder: Path) -> dict[str, object]:
    for path in sorted((folder / "photos").glob("*.jpg")):
        path.rename(path.with_name(f"room-{path.stem}.jpeg"))
    return {"images": (ImageSource("photos/room-{id}.jpeg", "pattern"),)}


def copied_elsewhere(folder: Path) -> dict[str, object]:
    shutil.copytree(folder / "photos", folder / "copy")
    shutil.rmtree(folder / "photos")
    return {"images": (ImageSource("copy/{id}.jpg", "pattern"),)}


def another_split(folder: Path) -> dict[str, object]:
    return {"seed": 7, "test": 0.4}


@pytest.mark.parametrize("change", [moved_folder, renamed_key, renamed_files, copied_elsewhere, another_split])
def test_names_cost_nothing(tmp_path: Path, change: Callable[[Path], dict[str, object]]) -> None:
    """Rows are named by the photo's bytes: folder, file names, key column, split change nothing."""
    cell(workload(catalogue(tmp_path, rows=60), tiny_cnn(), TOP), tmp_path)
    work = workload(tmp_path / "items.csv", tiny_cnn(), TOP, **change(tmp_path))
    assert cell(work, tmp_path).inferred == 0


def test_another_label_costs_nothing(tmp_path: Path) -> None:
    """Another column is to be predicted from the same photos."""
    work = workload(catalogue(tmp_path, rows=60), tiny_cnn(), TOP)
    cell(work, tmp_path)
    other = replace(work, label="kind", features=work.features[:1], classes=("x", "y"))
    assert cell(replace(other, spec=replace(other.spec, label="kind")), tmp_path).inferred == 0


def test_more_layers_infer_only_these(tmp_path: Path) -> None:
    """`top 3` after `top 2`: the CNN runs to the missing layer alone, and saves it alone."""
    table = catalogue(tmp_path, rows=60)
    cell(workload(table, tiny_cnn(), TOP), tmp_path)
    wider = cell(workload(table, tiny_cnn()), tmp_path, run="r2")
    assert "PartialInference(image -> low)" in explain(wider.plan)
    assert {e.layer for e in wider.events if isinstance(e, LayerReused)} == set(TOP)
    sources = {score.layer: score.source for score in wider.outcome.scores if not score.is_baseline}
    assert sources == {"low": "computed", "mid": "reused", "top": "reused"}


def test_another_pooling_of_a_kept_raw_layer_runs_no_cnn(tmp_path: Path) -> None:
    """Pooled from the stored raw tensors: nothing is decoded, the vectors are those of a run from photos."""
    table = catalogue(tmp_path, rows=60)
    cell(workload(table, tiny_cnn(), ("mid",), plan=PlanChoice(materialize="mid")), tmp_path)
    spec = {"pool": Pooling.AVG, "plan": PlanChoice(start="mid", pooling="pulled_up")}
    pooled = cell(workload(table, tiny_cnn(), ("mid",), **spec), tmp_path, run="r2")
    assert pooled.inferred == 0
    alone = cell(workload(table, tiny_cnn(), ("mid",), pool=Pooling.AVG), tmp_path / "other")
    np.testing.assert_allclose(pooled.features("mid"), alone.features("mid"), rtol=1e-5)


# -- photos that cannot be read -------------------------------------------------------------------------------------


def test_a_bad_photo_is_found_once(tmp_path: Path) -> None:
    """The second cell knows it by its bytes: no engine, the same rows left out, the same scores, the same report."""
    work = workload(catalogue(tmp_path, rows=60, bad=[7, 30]), tiny_cnn(), TOP)
    first = cell(work, tmp_path)
    second = cell(work, tmp_path, run="r2")
    assert (first.inferred, second.inferred) == (60, 0)
    assert second.backend.plan.chosen is not None
    assert not isinstance(second.backend, type(first.backend)), "no CNN, so no backend that has one"
    assert second.scores == first.scores
    assert second.outcome.bad_images == first.outcome.bad_images
    assert second.outcome.rows == first.outcome.rows


def test_a_replaced_bad_photo_is_read(tmp_path: Path) -> None:
    """Other bytes are another photo; `--reuse never` asks the decoder again."""
    work = workload(catalogue(tmp_path, rows=60, bad=[7]), tiny_cnn(), TOP)
    cell(work, tmp_path)
    assert cell(work, tmp_path, reuse="never").inferred == 60
    photo(tmp_path / "photos" / "k007.jpg", "green", 7)
    again = cell(work, tmp_path, run="r2")
    assert again.inferred == 1
    assert again.outcome.bad_images == ()


def test_only_what_the_bytes_say_is_remembered(tmp_path: Path) -> None:
    """A file that could not be opened may be there tomorrow; another decoder may read what this one refused."""
    reasons = {
        "a" * 64: "truncated",
        "b" * 64: "cannot be opened: denied",
        "c" * 64: "too large for this process's memory",
    }
    remember_unreadable(tmp_path, "decode2:tf:8x8", reasons)
    assert known_unreadable(tmp_path, "decode2:tf:8x8", reasons) == {"a" * 64: "truncated"}
    assert known_unreadable(tmp_path, "decode3:tf:8x8", reasons) == {}
    assert known_unreadable(tmp_path, "decode2:tf:8x8", ["d" * 64]) == {}


def test_a_broken_memory_is_no_error(tmp_path: Path) -> None:
    """The file costs time, never the answer."""
    (tmp_path / "unreadable.sqlite").write_bytes(b"this is no database" * 100)
    remember_unreadable(tmp_path, "p", {"a": "truncated"})
    assert known_unreadable(tmp_path, "p", ["a"]) == {}


# -- features of another pooling ------------------------------------------------------------------------------------


def test_max_follows_from_max_2x2(tmp_path: Path) -> None:
    """The largest of four cells: no CNN, no engine, to the last bit what pooling the tensors gives; and kept."""
    table = catalogue(tmp_path, rows=60)
    cell(workload(table, tiny_cnn(), TOP), tmp_path)
    whole = workload(table, tiny_cnn(), TOP, pool=Pooling.MAX)
    again, alone = cell(whole, tmp_path, run="r2"), cell(whole, tmp_path / "other", reuse="never")
    assert again.inferred == 0
    assert isinstance(again.backend, DriverBackend)
    assert not isinstance(again.backend, LocalBackend)
    assert "of run r1 are read" in explain(again.plan)
    assert ", max from max 2x2" in explain(again.plan)
    assert {(e.layer, e.pooling) for e in again.events if isinstance(e, LayerReused)} == {
        (layer, "max 2x2") for layer in TOP
    }
    for layer in TOP:
        np.testing.assert_array_equal(again.features(layer), alone.features(layer))
    third = cell(whole, tmp_path, run="r3")
    assert {e.pooling for e in third.events if isinstance(e, LayerReused)} == {""}, "by now it is a set of its own"


@pytest.mark.parametrize("pool", [pool for pool in Pooling if pool is not Pooling.MAX_2X2])
def test_a_vector_is_the_same_under_every_pooling(tmp_path: Path, pool: Pooling) -> None:
    """A layer without height and width is pooled by nothing; what is no consequence is inferred."""
    table = catalogue(tmp_path, rows=60)
    cell(workload(table, tiny_cnn(), TOP), tmp_path)
    assert cell(workload(table, tiny_cnn(), ("top",), pool=pool), tmp_path, run="r2").inferred == 0
    assert cell(workload(table, tiny_cnn(), ("mid",), pool=pool), tmp_path, run="r3").inferred == (
        0 if pool is Pooling.MAX else 60
    )


def test_a_store_without_room_costs_no_features(tmp_path: Path) -> None:
    """What follows from another pooling is used even where it cannot be kept."""
    table = catalogue(tmp_path, rows=60)
    cell(workload(table, tiny_cnn(), TOP), tmp_path)
    whole = workload(table, tiny_cnn(), TOP, pool=Pooling.MAX)
    full = cell(whole, tmp_path, run="r2", budget=1)
    assert full.inferred == 0
    assert any("features were not kept" in note for note in full.outcome.notes)
    alone = cell(whole, tmp_path / "other", reuse="never")
    for layer in TOP:
        np.testing.assert_array_equal(full.features(layer), alone.features(layer))
