"""What lies in Storage Memory between cells: who stays, who goes, and how plans use it."""

from __future__ import annotations

from dataclasses import replace

from planning_fixtures import LAPTOP, PHOTOS, RESNET50, VISTANET, snapshot

from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.executor.memory_tier import KeptTable, MemoryTier
from vista_nb.optimizer.optimize import optimize
from vista_nb.outcome.events import LayerReused
from vista_nb.plan.engines import needs_spark
from vista_nb.plan.explain import explain
from vista_nb.plan.logical import Infer, Load
from vista_nb.session.memory import room_left
from vista_nb.units import GB
from vista_nb.views.report_view import reuse_line


class Frame:
    """Stands for a persisted DataFrame."""

    def __init__(self) -> None:
        self.persisted = True

    def unpersist(self) -> None:
        self.persisted = False


def table(key: str, size: int, used: float, digests: str = "ab") -> KeptTable:
    return KeptTable(Frame(), {key: object()}, frozenset(digests), size, "r1", {key: 0.5}, used=used)


def test_the_least_recently_used_goes_first() -> None:
    """Only as much as does not fit; what the coming plan reads stays whatever its age."""
    tier = MemoryTier()
    old, middle, new = table("a", 100, 1.0), table("b", 100, 2.0), table("c", 100, 3.0)
    for one in (new, old, middle):
        tier.offer(one)
    assert tier.fit(300) == 0
    assert tier.fit(200, wanted={"a"}) == 1
    assert [one.base.persisted for one in (old, middle, new)] == [True, False, True]
    assert tier.fit(0) == 2
    assert tier.size == 0


def test_rows_of_one_layer_in_two_tables() -> None:
    """Waves leave a table each; the newest is named first."""
    tier = MemoryTier()
    tier.offer(table("a", 1, 1.0, "ab"))
    tier.offer(table("a", 1, 2.0, "cd"))
    assert tier.digests("a") == set("abcd")
    assert [one.used for one in tier.tables("a")] == [2.0, 1.0]
    assert tier.digests("b") == set()


def stored(layer: str, rows: int, memory: int, *, pooled: bool = True) -> StoredLayer:
    return StoredLayer(layer, layer, rows, rows * 1000, "r1", 0.0, 0.01, pooled, memory=memory)


def test_layers_in_memory_need_spark_and_no_cnn() -> None:
    """Rows that only Spark has cannot be read by the kernel alone."""
    rows = PHOTOS.rows
    layers = tuple(stored(name, rows, rows) for name in ("block3", "block4", "block5"))
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=layers, missing=0))
    assert needs_spark(plan.logical, plan.physical.training)
    assert [step for step in plan.logical.steps if isinstance(step, Infer)] == []
    assert "Load block3 .. block5 from the store and memory" in explain(plan)
    assert "(2 000 of them in memory); inferring them took 20.0 s" in explain(plan)
    on_disk = tuple(replace(layer, memory=0) for layer in layers)
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=on_disk, missing=0))
    assert not needs_spark(plan.logical, plan.physical.training)


def test_a_raw_layer_in_memory_is_cheaper_than_on_disk() -> None:
    """Nothing is read from disk; inference starts there, and EXPLAIN says so."""
    rows = PHOTOS.rows
    plans = []
    for memory in (0, rows):
        raw = stored("conv5_1", rows, memory, pooled=False)
        plans.append(optimize(snapshot(RESNET50, PHOTOS, LAPTOP, layers=3, stored=(raw,))))
    disk, memory_plan = plans
    assert disk.chosen is not None
    assert memory_plan.chosen is not None
    assert memory_plan.logical.cut == "conv5_1"
    assert memory_plan.chosen.seconds < disk.chosen.seconds  # type: ignore[operator]
    assert [step.memory for step in memory_plan.logical.steps if isinstance(step, Load)] == [True]
    assert "store: raw conv5_1: 2 000 of 2 000 images in memory, inference starts there" in explain(memory_plan)
    assert "Load raw conv5_1 from memory" in explain(memory_plan)


def test_the_plan_says_how_much_it_leaves() -> None:
    """Storage Memory beyond its own tables, over all nodes."""
    plan = optimize(snapshot(RESNET50, PHOTOS, LAPTOP))
    assert plan.chosen is not None
    assert plan.chosen.peak is not None
    assert room_left(plan) == plan.memory.storage - plan.chosen.peak.storage > 5 * GB
    assert room_left(replace(plan, chosen=None)) == 0


def test_a_line_names_memory() -> None:
    """As for the disk: layer, run, age, bytes, seconds saved."""
    event = LayerReused(
        layer="fc6", run="r2", rows=800, size=212_000_000, age_seconds=240, saved_seconds=21, raw=True, memory=True
    )
    assert reuse_line([event]) == "reused raw fc6 (in memory) from run r2, 4 min ago: 800 images, 212 MB, 21.0 s saved"
