"""What the steps of runs teach: scales by group, the median of the last few, and nothing from a run that broke off."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import MOBILENETV2, RESNET50, snapshot

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import WarmFacts
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Pool, Save, Step
from vista_nb.plan.titles import START, step_title
from vista_nb.session.step_rates import KEPT, folded, rates_of, scales_of
from vista_nb.units import GB

DATA = WorkloadStatistics(rows=400, structured_features=4, image_bytes=20_000, images=400)
HERE = SystemFacts(memory=24 * GB, cores=2)


def planned(**forced: object) -> tuple[Snapshot, Plan]:
    given = snapshot(MOBILENETV2, DATA, HERE, waves=1, **forced)
    given = replace(given, warm=WarmFacts(known_model=True))
    return given, optimize(given)


def ran(plan: Plan, **scales: float) -> RunOutcome:
    """Every step as predicted, but for steps of the named kinds."""
    clock, timeline = 0.0, []

    def took(title: str, seconds: float) -> None:
        nonlocal clock
        timeline.append((title, clock, clock + seconds))
        clock += seconds

    took(START, (plan.start_seconds or 0.0) * scales.get("start", 1.0))
    for step, (title, seconds) in zip(plan.logical.steps, plan.seconds_by_step, strict=True):
        took(title, seconds * scales.get(type(step).__name__, 1.0))
    return RunOutcome(timeline=tuple(timeline), seconds=clock)


def test_a_run_as_predicted_has_scale_one() -> None:
    """Rounding apart, and only for steps of the plan."""
    given, plan = planned()
    found = scales_of(plan, ran(plan), given, DEFAULT)
    assert found == {group: pytest.approx(1.0) for group in ("engines", "first_jobs", "store", "driver", "baselines")}


def test_slow_steps_scale_their_own_group() -> None:
    """Twice as slow a store, three times as slow a start; the rest stays."""
    given, plan = planned()
    found = scales_of(plan, ran(plan, Save=2.0, start=3.0), given, DEFAULT)
    assert (found["store"], found["engines"], found["first_jobs"]) == pytest.approx((2.0, 3.0, 1.0))


def test_scales_are_against_the_usual_rates() -> None:
    """A plan made with calibrated rates, and right, says those rates again."""
    given, _ = planned()
    used = replace(DEFAULT, part_seconds=2 * DEFAULT.part_seconds, disk_write=DEFAULT.disk_write / 2)
    plan = optimize(given, rates=used)
    assert scales_of(plan, ran(plan), given, used)["store"] == pytest.approx(2.0)


def test_a_warm_start_teaches_nothing_of_the_start() -> None:
    """In a second cell the engines are up; where the digest had to be found, its process is in the same time."""
    given, plan = planned()
    for warm in (WarmFacts(jvm=True, known_model=True), WarmFacts()):
        assert "engines" not in scales_of(plan, ran(plan), replace(given, warm=warm), DEFAULT)


def test_cluster_training_and_pooling_are_groups_of_their_own() -> None:
    """The first fit of a JVM compiles MLlib's path, the later ones show the rate."""
    given, plan = planned(training="cluster", pooling="pulled_up", materialization="staged")
    assert any(isinstance(step, Pool) for step in plan.logical.steps)
    found = scales_of(plan, ran(plan, Train=1.5, TrainBaselines=2.0, Pool=1.2), given, DEFAULT)
    assert (found["cluster"], found["first_cluster"], found["jobs"]) == pytest.approx((1.5, 2.0, 1.2))


def test_a_run_that_broke_off_teaches_nothing() -> None:
    """A step without an end: its seconds, and whatever disturbed the others, are not of this machine."""
    given, plan = planned()
    outcome = ran(plan)
    assert scales_of(plan, replace(outcome, timeline=outcome.timeline[:-1]), given, DEFAULT) == {}


def test_waves_teach_only_what_runs_once() -> None:
    """A wave's share of saving or training is not predicted."""
    given = replace(snapshot(RESNET50, replace(DATA, rows=3000, images=3000), HERE), warm=WarmFacts(known_model=True))
    plan = optimize(given)
    assert plan.logical.waves == 3
    clock, timeline = 0.0, [(START, 0.0, 4.0)]
    for wave in (1, 2, 3):
        for step, (_, seconds) in zip(plan.logical.steps, plan.seconds_by_step, strict=True):
            if wave == 1 or _repeats(step):
                timeline.append((f"{step_title(step)} (wave {wave})", clock, clock + seconds))
    found = scales_of(plan, RunOutcome(timeline=tuple(timeline), seconds=100.0), given, DEFAULT)
    assert "store" not in found
    assert "first_jobs" in found


def _repeats(step: Step) -> bool:
    return isinstance(step, Save) or type(step).__name__ in ("Infer", "Train", "Release")


def test_one_odd_run_does_not_change_the_next_plan() -> None:
    """Below three samples nothing is used; from then on the median, and the odd one only widens nothing."""
    samples: dict[str, tuple[float, ...]] = {}
    for scale in (1.2, 5.0):
        samples = folded(samples, {"store": scale})
        assert rates_of(samples) == {}
    for scale in (1.2, 1.3, 1.1):
        samples = folded(samples, {"store": scale})
    found = rates_of(samples)
    assert found["part_seconds"].value == pytest.approx(1.2 * DEFAULT.part_seconds)
    assert found["disk_write"].value == pytest.approx(DEFAULT.disk_write / 1.2)
    assert found["disk_write"].low <= found["disk_write"].value <= found["disk_write"].high
    assert found["part_seconds"].high == pytest.approx(1.3 * DEFAULT.part_seconds)


def test_an_outlier_is_cut_and_old_samples_go() -> None:
    """Nothing beyond five times the usual rate is believed; the last nine runs count."""
    given, plan = planned()
    assert scales_of(plan, ran(plan, Save=100.0), given, DEFAULT)["store"] == 5.0
    samples: dict[str, tuple[float, ...]] = {"unknown group": (1.0,)}
    for place in range(20):
        samples = folded(samples, {"jobs": float(place)})
    assert samples == {"jobs": tuple(float(place) for place in range(20 - KEPT, 20))}
