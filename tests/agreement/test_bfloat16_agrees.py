"""A run in bfloat16 on real Spark: plans agree within its tolerance, and nothing is shared with float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import EAGER, SMALL_LAYERS, STAGED, SparkMaker, make_plan, run_plan, small_workload

from vista_nb.executor.probe_machine import has_bfloat16
from vista_nb.spec.model import Precision

pytestmark = [
    pytest.mark.spark,
    pytest.mark.tf,
    pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16"),
]

TOLERANCE = 0.01  # between plans in bfloat16: norm of the difference over the norm, per photo (docs/adr/0014)
DRIFT = 0.2  # of bfloat16 against float32: random weights let activations fade to 1e-14, which costs digits


@pytest.fixture
def made(spark: Any, cache: Path, tmp_path: Path) -> Iterator[SparkMaker]:
    maker = SparkMaker(spark, cache, tmp_path)
    yield maker
    maker.close()


def features(backend: Any) -> dict[str, Any]:
    found = {}
    for layer in SMALL_LAYERS:
        column = backend.features(layer).column("vector").combine_chunks()
        assert column.type.value_type == "float"
        found[layer] = column.flatten().to_numpy().reshape(len(column), -1)
    return found


def furthest(a: Any, b: Any) -> float:
    return float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())


def test_plans_in_bfloat16_agree_and_share_nothing_with_float32(made: SparkMaker, tmp_path: Path) -> None:
    """float32, eager and staged bfloat16, and bfloat16 again: only the last one finds its layers."""
    single = small_workload(tmp_path, rows=40)
    half = replace(single, precision=Precision.BFLOAT16)
    runs = [(single, EAGER, "store"), (half, EAGER, "store"), (half, STAGED, "other")]
    found, scores = [], []
    for number, (work, kind, store) in enumerate(runs):
        plan = make_plan(work, kind)
        backend = made(work, plan, f"r{number}", store)
        outcome, _ = run_plan(plan, backend)
        assert outcome.inferred_images == 40
        found.append(features(backend))
        scores.append([score.value * score.rows_test for score in outcome.scores])
    for layer in SMALL_LAYERS:
        assert 0 < furthest(found[1][layer], found[0][layer]) < DRIFT
        assert furthest(found[2][layer], found[1][layer]) < TOLERANCE
    assert all(abs(a - b) <= 1.001 for a, b in zip(scores[1], scores[2], strict=True))
    again = make_plan(half, loaded=SMALL_LAYERS, inferred=())
    outcome, _ = run_plan(again, made(half, again, "r9", "store"))
    assert outcome.inferred_images == 0
