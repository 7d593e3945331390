"""EXPLAIN ANALYZE of fixed runs of a fixed plan: text is a function of Plan and RunOutcome alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from golden_workloads import WORKLOADS

from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.outcome.analysis import BETWEEN, analysis
from vista_nb.outcome.scores import RowCounts, RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Infer, Join, Load, ScanImages, ScanStructured, TrainBaselines
from vista_nb.plan.titles import START, step_title
from vista_nb.views.analyze_view import Analyzed, analyze_html, analyze_json, analyze_text

ONCE = (ScanStructured, ScanImages, Join, Load, TrainBaselines)


def outcome(plan: Plan, slower: float = 1.25, steps: int = 1000, start: float = 6.0) -> RunOutcome:
    """A run whose steps took `slower` times their prediction, waves in equal parts; only so many steps ran."""
    clock, timeline, waves = start, [(START, 0.0, start)], plan.logical.waves
    for wave in range(1, waves + 1):
        for step, (_, seconds) in zip(plan.logical.steps, plan.seconds_by_step, strict=True):
            if (wave > 1 and isinstance(step, ONCE)) or len(timeline) > steps:
                continue
            took = slower * seconds / (1 if isinstance(step, ONCE) else waves)
            title = step_title(step) if waves == 1 else f"{step_title(step)} (wave {wave})"
            timeline.append((title, clock, clock + took))
            clock += took
    rows = RowCounts(structured=plan.rows, joined=plan.rows, distinct_images=plan.images, train=4 * plan.rows // 5)
    peaks = (("driver", 410_000_000), ("jvm", 1_300_000_000), ("workers", 1_700_000_000))
    return RunOutcome(rows=rows, timeline=tuple(timeline), peak_bytes=peaks, seconds=clock + 0.4)


CASES = {
    "analyze_eager": ("default_mobilenetv2_laptop", 1000),
    "analyze_staged": ("default_from_raw_layer_staged", 1000),
    "analyze_broken_off": ("default_mobilenetv2_laptop", 13),
    "analyze_sigmod2020": ("sigmod2020_resnet50_foods", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_analyze(name: str, golden: Callable[[str, str], None]) -> None:
    """The text equals the golden file, and HTML and JSON tell the same numbers."""
    workload, steps = CASES[name]
    plan = optimize(WORKLOADS[workload])
    if plan.seconds_by_step:
        run = outcome(plan, steps=steps)
    else:
        clock = [(START, 0.0, 4.0), *((step_title(s), 4.0 + k, 5.0 + k) for k, s in enumerate(plan.logical.steps))]
        run = RunOutcome(timeline=tuple(clock), seconds=4.5 + len(plan.logical.steps))
    text = analyze_text(plan, run)
    golden(name, text)
    html = analyze_html(plan, run)
    assert all(line in html.replace("&lt;", "<").replace("&gt;", ">") for line in text.splitlines()[-1:])
    assert analyze_json(plan, run)["measured_seconds"] == run.seconds


def test_waves_are_summed_and_each_step_bears_what_they_cost() -> None:
    """Three waves of a pass count as one step; predicted and measured totals are those of plan and run."""
    plan = optimize(WORKLOADS["default_mobilenetv2_laptop"])
    assert plan.logical.waves == 3
    assert plan.chosen is not None
    run = outcome(plan, slower=1.0, start=plan.start_seconds or 0.0)
    found = analysis(plan, run)
    (infer,) = (step for step in found.steps if step.title.startswith("CNN: image to"))
    number = next(step.number for step in plan.logical.steps if isinstance(step, Infer))
    assert (infer.number, infer.times) == (number, 3)
    assert infer.measured is not None
    assert infer.predicted == pytest.approx(infer.measured + 2 * DEFAULT.job_seconds)  # the run's waves cost no more
    predicted = sum(step.predicted or 0.0 for step in found.steps)
    assert predicted == pytest.approx(found.predicted, abs=0.02)
    assert sum(step.measured or 0.0 for step in found.steps) == pytest.approx(run.seconds)
    assert found.steps[-1].title == BETWEEN
    assert found.furthest is not None


def test_what_did_not_run_is_said_and_no_error_is_claimed() -> None:
    """A cancelled run: the steps without an end have no seconds, and the totals are not compared."""
    plan = optimize(WORKLOADS["default_mobilenetv2_laptop"])
    found = analysis(plan, outcome(plan, steps=4))
    assert [step.measured is None for step in found.steps[1:-1]].count(True) == len(plan.logical.steps) - 4
    assert found.error is None
    assert "the run broke off" in str(Analyzed(plan, outcome(plan, steps=4)))


def test_the_step_furthest_off_is_named() -> None:
    """By seconds, not by ratio: what matters to who waits."""
    plan = optimize(WORKLOADS["default_mobilenetv2_laptop"])
    run = outcome(plan, slower=1.0, start=(plan.start_seconds or 0.0) + 30.0)
    assert analysis(plan, run).furthest == analysis(plan, run).steps[0]
    assert f"furthest off: {START}" in analyze_text(plan, run)


def test_a_repeated_title_is_matched_in_order() -> None:
    """Plans that join late join once per layer, under one title."""
    plan = optimize(WORKLOADS["default_forced_before_join"])
    joins = [step for step in plan.logical.steps if isinstance(step, Join)]
    run = outcome(plan)
    found = [step for step in analysis(plan, run).steps if step.title == step_title(joins[0])]
    assert len(found) == len(joins)
    assert all(step.times == 1 for step in found)
    assert analysis(replace(plan, seconds_by_step=()), run).steps
