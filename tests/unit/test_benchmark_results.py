"""The benchmarks' own bookkeeping: targets are judged rightly, every name exists, results become one page."""

from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import record, results_table

BENCHMARKS = Path(record.__file__).parent


@pytest.mark.parametrize(
    ("value", "target", "met"), [(4.2, ">= 4.2", "yes"), (4.19, ">= 4.2", "no"), (2.1, "<= 2.1", "yes"), (3.0, "", "")]
)
def test_a_target_is_judged(value: float, target: str, met: str) -> None:
    """At least and at most, the bound itself included; without a target nothing is claimed."""
    assert record.ended("x", value, "x", target).met == met


def test_a_measurement_is_the_median_of_its_runs() -> None:
    """And the runs stay readable beside it."""
    row = record.measured("x", [3.0, 1.0, 2.5])
    assert (row.value, row.runs) == (2.5, "3.00 1.00 2.50")


@pytest.mark.parametrize("name", bench.NAMES)
def test_every_name_is_a_benchmark(name: str) -> None:
    """`./run bench NAME` starts benchmarks/NAME.py."""
    assert (BENCHMARKS / f"{name}.py").is_file()


def test_quick_and_full_are_names() -> None:
    """What runs without names is offered by name too."""
    assert set(bench.QUICK) | set(bench.FULL) <= set(bench.NAMES)
    assert bench.main(["no_such_benchmark"]) == 2


def test_results_become_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets come first, then all numbers; a miss is shown as one and returned."""
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    rows = [
        record.measured("seconds", [2.0]),
        record.ended("a / b", 3.9, "x", ">= 4.2"),
        record.ended("c", 1, "x", "<= 2"),
    ]
    assert record.report("against_lazy", rows) == 1
    (tmp_path / "optimizer_clock.csv").write_text(
        "workload,plan,predicted,seconds,error,of_best\nw,chosen,1,1,0.1,1.05\nw,lazy,3,2,0.5,2.0\n", encoding="utf-8"
    )
    text = results_table.page(tmp_path)
    assert "| a / b | >= 4.2 | 3.90 x | no | against_lazy |" in text
    assert "| c | <= 2 | 1.00 x | yes | against_lazy |" in text
    assert "1 of 1 workloads | yes | optimizer_clock |" in text
    assert "| median absolute prediction error | <= 25 % | 30% of 2 plans | no | optimizer_clock |" in text
    assert "| seconds | 2.00 s | 2.00 |" in text
    assert text.index("| a / b") < text.index("## against_lazy")
