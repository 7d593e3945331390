"""Whole runs over a remote store: one sends, a kernel with an empty disk fetches, a damaged part is made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vista_nb
from vista_nb import session
from vista_nb.demo import generate
from vista_nb.outcome.events import LayerReused, LogLine
from vista_nb.store import remote as remote_module

pytestmark = [pytest.mark.spark, pytest.mark.tf]

LAYERS = ("conv4", "fc6")


def test_a_run_sends_and_another_machine_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inferred once: the second disk is filled from there, under `require`; a broken object costs its photos alone."""
    shop = generate(tmp_path / "catalogue", rows=80, seed=5)
    spec: dict[str, Any] = {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": list(LAYERS),
        "pool": "avg",
        "model": "sklearn.LogisticRegression(C=1.0)",
        "baseline": False,
        "plan": {"waves": 1, "speculate": "never"},
    }
    (tmp_path / "bucket").mkdir()
    uri = (tmp_path / "bucket").as_uri()

    def run_on(disk: str, reuse: str = "auto") -> tuple[Any, list[Any]]:
        monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path / disk))
        result = session.submit(spec, store_dir=uri, reuse=reuse)
        assert result.wait(300)
        assert result.status == "done", result.error
        return result, result._handle.poll()

    first, _ = run_on("one")
    assert first.outcome.inferred_images == 80
    assert any("2 new parts (" in note for note in first.outcome.notes)
    remote_module._known.clear()
    second, events = run_on("two", reuse="require")
    assert second.outcome.inferred_images == 0
    assert {(e.layer, e.rows, e.remote) for e in events if isinstance(e, LayerReused)} == {
        (layer, 80, True) for layer in LAYERS
    }
    assert any("fetching conv4, fc6 from the remote store" in e.text for e in events if isinstance(e, LogLine))
    for path in (tmp_path / "bucket").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    third, _ = run_on("three")
    assert third.outcome.inferred_images == 80
    assert sum("a broken part of vistanet" in note for note in third.outcome.notes) == 2
    for layer in LAYERS:
        made, came, again = (np.array(r.features(layer).sort_index()) for r in (first, second, third))
        assert np.array_equal(made, came)
        assert np.abs(again - made).max() <= 1e-4 * np.abs(made).max()
    assert vista_nb.explain(spec, store_dir=uri).layers == LAYERS
