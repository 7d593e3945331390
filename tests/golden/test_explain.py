"""EXPLAIN texts: a diff here is a review of the optimizer's behaviour. CNNs are hand-made, so numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from planning_fixtures import (
    ALEXNET,
    BINDER,
    FOODS_ENCODED,
    LAPTOP,
    MOBILENETV2,
    PAPER_CLUSTER,
    RESNET50,
    VGG16,
    VISTANET,
    snapshot,
)

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import WorkloadStatistics
from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.explain import explain
from vista_nb.spec.model import Pooling

LAPTOP_DATA = WorkloadStatistics(rows=2000, structured_features=20, image_bytes=60_000, mean_pixels=786_432)
BINDER_DATA = WorkloadStatistics(rows=600, structured_features=24, image_bytes=6_000, mean_pixels=9_216)

WORKLOADS: dict[str, Snapshot] = {
    "sigmod2020_alexnet_foods": snapshot(ALEXNET, profile="sigmod2020"),
    "sigmod2020_vgg16_foods": snapshot(VGG16, profile="sigmod2020"),
    "sigmod2020_resnet50_foods": snapshot(RESNET50, profile="sigmod2020"),
    "default_resnet50_foods": snapshot(RESNET50, FOODS_ENCODED, PAPER_CLUSTER),
    "default_mobilenetv2_laptop": snapshot(MOBILENETV2, LAPTOP_DATA, LAPTOP, pool=Pooling.AVG),
    "default_vistanet_binder": snapshot(VISTANET, BINDER_DATA, BINDER),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_explain(name: str, golden: Callable[[str, str], None]) -> None:
    """The text of the plan equals the golden file."""
    golden(name, explain(optimize(WORKLOADS[name])))


def test_no_golden_is_left_over() -> None:
    """Every golden file belongs to a workload."""
    files = {path.stem for path in Path(__file__).with_name("plans").glob("*.txt")}
    assert files == set(WORKLOADS)
