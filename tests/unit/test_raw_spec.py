"""`plan: {materialize, start}` in a cell: read, bound against the CNN's layers, looked up in the store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from executor_support import catalogue, workload
from small_roster import bound

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaStoreError
from vista_nb.executor.cnn.tensors import tensors_column
from vista_nb.executor.inputs import ModelSource
from vista_nb.plan.fingerprint import preprocessing_key
from vista_nb.session.options import Options
from vista_nb.session.reuse import raw_key_of, stored_layers
from vista_nb.spec.model import PlanChoice
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

MODEL = ModelSource("local", "random", None, "0" * 64)


def test_names_and_aliases_are_bound() -> None:
    """Both keys take what `layers` takes; images is a start."""
    found = bound("layers: [conv3, fc4]\nplan: {materialize: alias_conv2}").workload
    assert found is not None
    assert (found.kept_layer, found.forced_start) == ("conv2", None)
    for word, start in (("images", "images"), ("alias_conv3", "conv3")):
        found = bound(f"layers: [conv3, fc4]\nplan: {{start: {word}}}").workload
        assert found is not None
        assert found.forced_start == start


@pytest.mark.parametrize(
    ("plan", "code", "message", "hint"),
    [
        ("materialize: conv9", "VST121", "no layer `conv9`", "did you mean `conv"),
        ("start: image", "VST121", "no layer `image`", "did you mean `images`?"),
        ("materialize: fc4", "VST133", "above `conv3`", "conv3 or a layer below"),
        ("start: fc5", "VST133", "above `conv3`", "conv3 or a layer below"),
        ("materialize: conv1, start: conv2", "VST134", "`plan.materialize` makes conv1", "leave `start` out"),
    ],
)
def test_what_is_wrong_is_named_at_its_place(plan: str, code: str, message: str, hint: str) -> None:
    """In the last line, at the part's value."""
    (problem,) = bound(f"layers: [conv3, fc4]\nplan: {{{plan}}}").problems
    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint
    assert (problem.line, problem.column > len("plan: {")) == (6, True)


def kept(work: Workload, store: Path, digests: list[str], layer: str = "low") -> None:
    """Raw tensors of these images, as a run leaves them."""
    import numpy as np

    cnn, facts = work.cnn, work.cnn.layer(layer)
    assert facts is not None
    preprocessing = preprocessing_key(cnn.preprocessing, cnn.input_height, cnn.input_width, cnn.channels)
    set_of = LayerSetFacts(MODEL.digest, cnn.name, preprocessing, layer, "raw", "float32", facts.length)
    assert set_of.key == raw_key_of(work, MODEL, facts)
    column = tensors_column({layer: np.zeros((len(digests), *facts.shape), np.float32)}, [True] * len(digests))
    Store(store).write_table(set_of, pa.table({"digest": digests, "tensors": column}), "r1")


def looked(work: Workload, store: Path, digests: list[str], reuse: str = "auto") -> Any:
    images: Any = SimpleNamespace(images=pa.table({"digest": digests}), unreadable={})
    return stored_layers(work, images, MODEL, Options(reuse, store_dir=store))


def test_the_store_is_asked_for_cuts_below_the_layers(tmp_path: Path) -> None:
    """Of three images two have the cut; one of these lacks a pooled layer. A cut above the lowest layer is none."""
    work = workload(catalogue(tmp_path, 6), layers=("mid", "top"))
    kept(work, tmp_path, ["a", "b", "z"])
    kept(work, tmp_path, ["a", "b", "c"], "top")
    (cut,), missing = looked(work, tmp_path, ["a", "b", "c"])
    assert (cut.layer, cut.rows, cut.useful, cut.pooled, missing) == ("low", 2, 2, False, 3)
    for layer, width in (("mid", 32), ("top", 5)):
        cnn = work.cnn
        preprocessing = preprocessing_key(cnn.preprocessing, cnn.input_height, cnn.input_width, cnn.channels)
        facts = LayerSetFacts(MODEL.digest, cnn.name, preprocessing, layer, work.pool.value, "float32", width)
        pooled = pa.table({"digest": ["a"], "vector": [[0.0] * width]}, schema=schema())
        Store(tmp_path).write_table(facts, pooled, "r1")
    (*_, cut), missing = looked(work, tmp_path, ["a", "b", "c"])
    assert (cut.rows, cut.useful, missing) == (2, 1, 2)


def test_a_forced_start_is_read_though_nothing_is_reused(tmp_path: Path) -> None:
    """`--reuse never` with it finds that cut and nothing else; what is not there is refused with what makes it."""
    table = catalogue(tmp_path, 6)
    plain, forced = (workload(table, layers=("mid",), plan=plan) for plan in (PlanChoice(), PlanChoice(start="low")))
    with pytest.raises(VistaStoreError, match="VST612") as caught:
        looked(forced, tmp_path, ["a", "b"])
    assert "materialize: low" in str(caught.value.hint)
    kept(plain, tmp_path, ["a"])
    assert looked(plain, tmp_path, ["a", "b"], "never") == ((), 2)
    (cut,), missing = looked(forced, tmp_path, ["a", "b"], "never")
    assert (cut.layer, cut.rows, missing) == ("low", 1, 2)
    both = workload(table, layers=("mid",), plan=PlanChoice(start="low", materialize="low"))
    assert looked(both, tmp_path / "empty", ["a", "b"]) == ((), 2)
