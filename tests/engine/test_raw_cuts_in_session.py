"""The Pre-mat baseline through the session: a cell keeps a layer's raw tensors, later cells start from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vista_nb
from vista_nb.demo import CataloguePaths, generate
from vista_nb.errors import VistaSpecError, VistaStoreError
from vista_nb.plan.logical import Infer
from vista_nb.session import jvm
from vista_nb.store.files import Store

pytestmark = [pytest.mark.spark, pytest.mark.tf]
ROWS = 120
CUT, HIGHER = "conv_pw_12_relu", ["conv_pw_13_relu", "predictions"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> CataloguePaths:
    return generate(tmp_path_factory.mktemp("shop") / "catalogue", rows=ROWS, seed=5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


def spec_of(shop: CataloguePaths, layers: list[str], **more: Any) -> dict[str, Any]:
    return {
        "structured": str(shop.table),
        "images": f"{shop.images}/{{id}}.jpg",
        "label": "bestseller",
        "cnn": "mobilenet",
        "weights": "random",
        "layers": layers,
        "pool": "avg",
        "model": "LogisticRegression(regParam=0.05)",
        **more,
    }


@pytest.fixture(scope="module")
def kept(shop: CataloguePaths, store: Path) -> Any:
    """Cell 1: the lowest layer alone, its raw tensors kept."""
    return vista_nb.run(spec_of(shop, [CUT], plan={"materialize": CUT}), store_dir=store)


def test_a_higher_layer_starts_from_the_kept_one(shop: CataloguePaths, store: Path, kept: Any, tmp_path: Path) -> None:
    """Cell 2 asks for layers that are not stored: no photo is decoded, the accuracies are those without a store."""
    assert kept.outcome.inferred_images == ROWS
    second = vista_nb.run(spec_of(shop, [CUT, *HIGHER]), store_dir=store)
    assert second.plan.logical.start_layer == CUT
    assert {step.start for step in second.plan.logical.steps if isinstance(step, Infer)} == {CUT}
    assert second.outcome.inferred_images == 0
    assert f"Load raw {CUT} from the store" in str(second.explain())
    assert any(f"raw {CUT}" in line for line in repr_lines(second))
    uncached = vista_nb.run(spec_of(shop, [CUT, *HIGHER]), store_dir=tmp_path, reuse="never")
    found, expected = (r.accuracy.set_index("layer").value for r in (second, uncached))
    assert found.index.tolist() == expected.index.tolist()
    assert ((found - expected).abs() * 24 <= 1.001).all(), "at most one test row apart"


def repr_lines(result: Any) -> list[str]:
    data, _ = result._repr_mimebundle_()
    return list(data["text/plain"].splitlines())


def test_lazy_from_the_kept_layer_is_the_baseline(shop: CataloguePaths, store: Path, kept: Any) -> None:
    """The paper's Pre-mat, forced: no pooled layer is reused, each layer is a pass of its own from the cut."""
    plan = {"start": CUT, "materialization": "lazy", "pooling": "pushed_down"}
    result = vista_nb.run(spec_of(shop, HIGHER, plan=plan), store_dir=store, reuse="never")
    passes = [(step.start, step.layers) for step in result.plan.logical.steps if isinstance(step, Infer)]
    assert passes == [(CUT, (name,)) for name in HIGHER]
    assert result.outcome.inferred_images == 0


def test_a_broken_cut_is_repaired(shop: CataloguePaths, store: Path, kept: Any) -> None:
    """A flipped bit is seen before the plan relies on it: those photos are inferred to the cut again, and kept."""
    (found,) = [s for s in Store(store).ls() if s.facts.raw]
    part = Store(store).root / "layers" / found.key / found.parts[0].file
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 8
    part.write_bytes(content)
    jvm.stop()  # in a new session: this one's Storage Memory may hold the tensors still
    plan = {"start": CUT, "materialization": "eager"}
    result = vista_nb.run(spec_of(shop, HIGHER[:1], pool="max", plan=plan), store_dir=store)
    assert result.outcome.inferred_images == found.parts[0].rows
    (whole,) = [s for s in Store(store).ls() if s.facts.raw]
    assert len(Store(store).digests(whole.key)) == ROWS
    assert found.parts[0] not in whole.parts


def test_a_start_that_is_not_there_is_refused(shop: CataloguePaths, tmp_path: Path, kept: Any) -> None:
    """Before any engine is asked; the hint says what to do."""
    spec = spec_of(shop, HIGHER[1:], plan={"start": HIGHER[0]})
    with pytest.raises(VistaStoreError, match="VST612") as caught:
        vista_nb.run(spec, store_dir=tmp_path)
    assert f"materialize: {HIGHER[0]}" in str(caught.value.hint)
    with pytest.raises(VistaSpecError, match=HIGHER[0]):
        vista_nb.explain(spec_of(shop, [CUT], plan={"materialize": HIGHER[0]}), store_dir=tmp_path)
