"""What the panel is told of the store: a real store on disk, entries of use first, bounded, never a reason to fail."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from vista_nb.outcome import events as ev
from vista_nb.session.store_listing import MOST, listed, telling_of_store
from vista_nb.store.admin import pin
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

WIDTH = 8


def put(store: Store, cnn: str, layer: str, run: str) -> str:
    facts = LayerSetFacts("m" * 64, cnn, "decode1:caffe:224x224", layer, "avg", "float32", WIDTH)
    vectors = np.ones((3, WIDTH), dtype="float32")
    table = pa.table({"digest": ["a", "b", "c"], "vector": list(vectors)}, schema=schema())
    store.write_table(facts, table, run, 0.5)
    return facts.key


def a_run(folder: Path, told: list[ev.Event]) -> Any:
    """What `telling_of_store` reads of a run."""
    return SimpleNamespace(
        run_id="r7",
        clock=0.5,
        store_dir=folder,
        workload=SimpleNamespace(cnn=SimpleNamespace(name="vgg16")),
        options=SimpleNamespace(store_budget=None),
        emit=told.append,
    )


def test_the_layers_of_this_cnn_come_first_and_what_this_run_wrote_is_marked(tmp_path: Path) -> None:
    """Names, rows and bytes as on disk; the same run's name in an older kernel does not count."""
    store = Store(tmp_path)
    put(store, "resnet50", "fc6", "r7")
    began = time.time() + 0.01
    time.sleep(0.05)
    key = put(store, "vgg16", "fc7", "r7")
    pin(store, key, True)
    found = listed(tmp_path, "vgg16", None, ("r7", began))
    assert [(e.cnn, e.layer, e.rows, e.written, e.pinned) for e in found.entries] == [
        ("vgg16", "fc7", 3, True, True),
        ("resnet50", "fc6", 3, False, False),
    ]
    assert found.holds == 2
    assert found.entries[0].size > 3 * 4 * WIDTH
    assert found.size >= sum(entry.size for entry in found.entries)


def test_a_full_store_is_told_in_part(tmp_path: Path) -> None:
    """The event stays small, the number of all is kept."""
    store = Store(tmp_path)
    for k in range(MOST + 3):
        put(store, "resnet50", f"layer{k}", "r1")
    found = listed(tmp_path, "vgg16")
    assert (len(found.entries), found.holds) == (MOST, MOST + 3)


def test_it_tells_at_once_and_after_each_save(tmp_path: Path) -> None:
    """Every event still goes through, in order."""
    told: list[ev.Event] = []
    emit = telling_of_store(a_run(tmp_path, told))
    emit(ev.StageFinished(5, 1, 1.0, "infer", ("fc6",), 1.0, 3))
    put(Store(tmp_path), "vgg16", "fc6", "r7")
    emit(ev.StageFinished(6, 1, 2.0, "save", ("fc6",), 0.1, 3))
    assert [type(event).__name__ for event in told] == ["StoreListed", "StageFinished", "StageFinished", "StoreListed"]
    assert isinstance(told[0], ev.StoreListed)
    assert isinstance(told[3], ev.StoreListed)
    assert (told[0].holds, told[3].holds) == (0, 1)


def test_a_store_that_cannot_be_read_ends_no_run(tmp_path: Path) -> None:
    """A file where the folder should be: no listing, and the run's own events as ever."""
    blocked = tmp_path / "store"
    blocked.write_text("no folder")
    told: list[ev.Event] = []
    emit = telling_of_store(a_run(blocked, told))
    emit(ev.StageFinished(6, 1, 2.0, "save", ("fc6",), 0.1, 3))
    assert "StageFinished" in [type(event).__name__ for event in told]
