"""Cached = uncached: what comes from the store equals what the CNN gives, for every pooling, precision and plan.

Every plan shape on the reference backend; on real Spark and TensorFlow every pooling, and bfloat16 where the processor
has it. DESIGN.md sections 9 and 10; issue 6, must-show 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cells_support import cell
from executor_support import (
    SMALL_LAYERS,
    SparkMaker,
    catalogue,
    make_plan,
    run_plan,
    small_workload,
    tiny_cnn,
    workload,
)

from vista_nb.catalog.workload import Workload
from vista_nb.executor.driver_backend import DriverBackend
from vista_nb.executor.probe_machine import has_bfloat16
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.physical import TrainingSite
from vista_nb.spec.model import DataSource, PlanChoice, Pooling, Precision

SHAPES = tuple(itertools.product(Materialization, PoolingPlace, Inference))
ROWS, FIRST = 36, 20


def with_plan(work: Workload, shape: tuple[Any, ...], waves: int = 1) -> Workload:
    kind, place, inference = shape
    plan = PlanChoice(materialization=kind.value, pooling=place.value, inference=inference.value, waves=waves)
    return replace(work, spec=replace(work.spec, plan=plan))


def first_rows(table: Path, rows: int) -> Path:
    """The same table with fewer records, beside it."""
    lines = table.read_text(encoding="utf-8").splitlines()[: rows + 1]
    part = table.with_name("first.csv")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return part


@pytest.mark.parametrize("pool", list(Pooling))
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(part.value for part in shape))
def test_every_plan_and_pooling(tmp_path: Path, shape: tuple[Any, ...], pool: Pooling) -> None:
    """A store filled by this plan, wholly and in part, answers as the photos do: features, scores, tests, rows."""
    table = catalogue(tmp_path, rows=ROWS)
    whole = with_plan(workload(table, tiny_cnn(), pool=pool, baseline=False), shape)
    part = with_plan(workload(first_rows(table, FIRST), tiny_cnn(), pool=pool, baseline=False), shape)
    uncached = cell(whole, tmp_path / "none", reuse="never")
    assert cell(part, tmp_path).inferred == FIRST
    mixed = cell(with_plan(whole, shape, waves=2), tmp_path, run="r2")
    assert mixed.inferred == ROWS - FIRST
    cached = cell(whole, tmp_path, run="r3")
    assert isinstance(cached.backend, DriverBackend)
    assert cached.inferred == 0
    for again in (mixed, cached):
        for layer in whole.layer_names:
            np.testing.assert_allclose(again.features(layer), uncached.features(layer), rtol=1e-5, atol=1e-7)
        assert again.scores == uncached.scores
        assert again.outcome.rows == uncached.outcome.rows
        assert again.outcome.tests == uncached.outcome.tests


def test_only_what_follows_exactly_is_shared(tmp_path: Path) -> None:
    """A layer set belongs to its pooling and precision; `max` alone follows from another pooling, `max 2x2`."""
    work = workload(catalogue(tmp_path, rows=24), tiny_cnn(), baseline=False)
    for pool in Pooling:
        for precision in Precision:
            given = replace(work, pool=pool, precision=precision, spec=replace(work.spec, pool=pool))
            assert cell(given, tmp_path).inferred == (0 if pool is Pooling.MAX else 24)
            assert cell(given, tmp_path).inferred == 0


# -- real engines ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maker(spark: Any, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkMaker]:
    made = SparkMaker(spark, cache, tmp_path_factory.mktemp("run"))
    yield made
    made.close()


def settings() -> list[Any]:
    found = [(pool, Precision.FLOAT32) for pool in Pooling]
    return [*found, (Pooling.AVG, Precision.BFLOAT16)]


@pytest.mark.spark
@pytest.mark.tf
@pytest.mark.parametrize(("pool", "precision"), settings(), ids=lambda value: str(value.value))
def test_real_engines(maker: SparkMaker, pool: Pooling, precision: Precision) -> None:
    """Half stored, half inferred; then all stored, trained by the kernel and by Spark: what one pass gives."""
    if precision is Precision.BFLOAT16 and not has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    whole = replace(small_workload(maker.folder, rows=ROWS), pool=pool, precision=precision)
    part_table = first_rows(maker.folder / "items.csv", FIRST)
    part = replace(whole, spec=replace(whole.spec, structured=DataSource(str(part_table), "path")))
    store = f"{pool.value}-{precision.value}".replace(" ", "")

    def answer(backend: Any) -> tuple[Any, dict[str, Any]]:
        outcome, _ = run_plan(backend.plan, backend)
        return outcome, {
            layer: np.array(backend.features(layer).column("vector").to_pylist()) for layer in SMALL_LAYERS
        }

    uncached, wanted = answer(maker(whole, make_plan(whole), "r0", f"{store}-none"))
    assert answer(maker(part, make_plan(part), "r1", store))[0].inferred_images == FIRST
    half = maker(whole, make_plan(whole, loaded=SMALL_LAYERS), "r2", store)
    stored = {"loaded": SMALL_LAYERS, "inferred": ()}
    answers = [answer(half), answer(DriverBackend(make_plan(whole, **stored), half.inputs))]  # type: ignore[arg-type]
    if pool is Pooling.AVG:
        on_spark = make_plan(whole, training=TrainingSite.CLUSTER, **stored)  # type: ignore[arg-type]
        answers.append(answer(maker(whole, on_spark, "r4", store)))
    assert [outcome.inferred_images for outcome, _ in answers] == [ROWS - FIRST, 0, 0][: len(answers)]
    tolerance = 1e-4 if precision is Precision.FLOAT32 else 1e-2
    for outcome, found in answers:
        for layer in SMALL_LAYERS:
            scale = float(np.abs(wanted[layer]).max())
            assert float(np.abs(found[layer] - wanted[layer]).max()) <= tolerance * scale
        rows = [abs(a.value - b.value) * a.rows_test for a, b in zip(outcome.scores, uncached.scores, strict=True)]
        assert max(rows) <= 1.001, "at most one test row may differ"
