"""The second cell with the same layers: no photo is inferred, and no engine starts that nothing is left for.

Real runs on the bundled CNN. DESIGN.md section 9 and 13: another model, label, split, key or folder reuses.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vista_nb
from vista_nb.demo import CataloguePaths, generate

pytestmark = [pytest.mark.spark, pytest.mark.tf]

ROWS = 120


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=ROWS, seed=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def spec_of(shop: CataloguePaths, **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "vistanet",
        "layers": "top 2",
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        **more,
    }


@pytest.fixture(scope="module")
def first(shop: CataloguePaths, store: Path) -> Any:
    """The first cell computes everything, in waves: what is kept beside is written by the last one, whole."""
    return vista_nb.run(spec_of(shop, plan={"waves": 2}), store_dir=store)


def in_a_new_kernel(spec: dict[str, Any], store: Path, folder: Path) -> dict[str, Any]:
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    words = [sys.executable, "-m", "tests.reuse_child", str(folder / "spec.json"), str(store)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_new_kernel_starts_no_engine(first: Any, shop: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """Another model over stored layers: neither Spark nor TensorFlow, not even imported, and the same rows."""
    found = in_a_new_kernel(spec_of(shop, model="sklearn.LogisticRegression(C=0.5)"), store, tmp_path)
    assert first.outcome.inferred_images == ROWS
    assert found["inferred"] == 0
    assert (found["pyspark"], found["tensorflow"], found["children"]) == (False, False, [])


def test_stored_features_give_the_same_scores(first: Any, shop: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """Trained by the kernel on stored features, the same model gives the accuracies of the first cell."""
    found = in_a_new_kernel(spec_of(shop), store, tmp_path)
    assert found["scores"] == {score.layer: pytest.approx(score.value) for score in first.outcome.scores}


def test_layers_kept_beside_serve_a_wider_cell(first: Any, shop: CataloguePaths, store: Path, tmp_path: Path) -> None:
    """`top 5` after `top 2`: what lay on the way is there, nothing is inferred, and it is what inferring it gives."""
    assert any(note.startswith("kept for later cells: ") for note in first.outcome.notes)
    found = in_a_new_kernel(spec_of(shop, layers="top 5"), store, tmp_path)
    assert found["inferred"] == 0
    assert found["children"] == []
    alone = vista_nb.run(spec_of(shop, layers="top 5"), store_dir=tmp_path / "other", reuse="never")
    assert found["scores"] == {score.layer: pytest.approx(score.value) for score in alone.outcome.scores}
