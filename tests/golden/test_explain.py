"""EXPLAIN texts: a diff here is a review of the optimizer's behaviour. CNNs are hand-made, so numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from golden_workloads import WORKLOADS

from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.explain import explain


@pytest.mark.parametrize("name", WORKLOADS)
def test_explain(name: str, golden: Callable[[str, str], None]) -> None:
    """The text of the plan equals the golden file."""
    golden(name, explain(optimize(WORKLOADS[name])))


def test_the_papers_six_are_there_under_both_profiles() -> None:
    """3 CNNs x Foods and Amazon x 2 profiles, and more than 25 in all."""
    six = {f"{net}_{data}" for net in ("alexnet", "vgg16", "resnet50") for data in ("foods", "amazon")}
    assert {f"{profile}_{name}" for profile in ("default", "sigmod2020") for name in six} <= set(WORKLOADS)
    assert len(WORKLOADS) >= 25


def test_no_golden_is_left_over() -> None:
    """Every golden file belongs to a workload."""
    files = {path.stem for path in Path(__file__).with_name("plans").glob("*.txt")}
    files = {name for name in files if not name.startswith("analyze_")}  # of test_analyze
    assert files == set(WORKLOADS)
