"""Rates with their spread, and how measured numbers take the place of the roster's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import FOODS_ENCODED, LAPTOP, RESNET50, snapshot

from vista_nb.optimizer.calibration import Calibration, Measured, calibrate
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.units import MB

GIVEN = snapshot(RESNET50, replace(FOODS_ENCODED, rows=4000), LAPTOP)


def chosen(plan: Plan) -> Candidate:
    assert plan.chosen is not None
    return plan.chosen


def test_uncalibrated_rates_are_a_quarter_off_either_way() -> None:
    """A time grows with the spread, a throughput falls; exponents and shares have none."""
    fast, slow = DEFAULT.fast(), DEFAULT.slow()
    assert (fast.session_seconds, slow.session_seconds) == (3.0, 5.0)
    assert fast.wire == pytest.approx(DEFAULT.wire / 0.75)
    assert slow.wire == pytest.approx(DEFAULT.wire / 1.25)
    assert slow.thread_exponent == DEFAULT.thread_exponent
    assert slow.serialized_percent == DEFAULT.serialized_percent


def test_a_measured_rate_brings_its_own_spread() -> None:
    """The larger side of its repetitions counts."""
    measured = Measured(500e6, 450e6, 600e6)
    _, rates = calibrate(GIVEN, DEFAULT, Calibration({"wire": measured}))
    assert rates.wire == 500e6
    assert dict(rates.spread) == {"wire": pytest.approx(0.2)}
    assert rates.slow().wire == pytest.approx(500e6 / 1.2)
    assert rates.slow().shuffle == pytest.approx(DEFAULT.shuffle / 1.25)


def test_an_unknown_rate_is_refused() -> None:
    """A misspelt name must not be ignored."""
    with pytest.raises(ValueError, match="no such rates: wires"):
        calibrate(GIVEN, DEFAULT, Calibration({"wires": Measured(1, 1, 1)}))


def test_measured_layers_replace_the_roster_and_scale_the_rest() -> None:
    """conv5_3 measured at twice the roster's seconds: its neighbours double too, and never fall along the CNN."""
    found = Calibration({}, "resnet50", {"conv5_3": Measured(0.080, 0.078, 0.088)}, resident=900 * MB)
    given, rates = calibrate(GIVEN, DEFAULT, found)
    seconds = {layer.name: layer.seconds for layer in given.workload.cnn.layers}
    assert seconds["conv5_3"] == 0.080
    assert seconds["conv4_6"] == pytest.approx(0.066)
    assert list(seconds.values()) == sorted(seconds.values())
    assert given.workload.layers == given.workload.cnn.layers
    assert given.workload.cnn.resident == 900 * MB
    assert dict(rates.spread)["cnn_factor"] == pytest.approx(0.1)


def test_another_cnn_leaves_this_one_alone() -> None:
    """What was measured of VGG16 says nothing of ResNet50."""
    given, _ = calibrate(GIVEN, DEFAULT, Calibration({}, "vgg16", {"fc6": Measured(1, 1, 1)}))
    assert given == GIVEN


def test_the_plan_uses_what_was_measured() -> None:
    """A CNN twice as slow makes the plan slower and the spread narrower than the roster's."""
    before = chosen(optimize(GIVEN))
    layers = {layer.name: Measured(*3 * [2 * layer.seconds]) for layer in RESNET50.layers}
    after = chosen(optimize(GIVEN, calibration=Calibration({}, "resnet50", layers)))
    assert after.seconds > 1.5 * before.seconds  # type: ignore[operator]

    def width(one: Candidate) -> float:
        assert one.seconds is not None
        assert one.seconds_low is not None
        assert one.seconds_high is not None
        assert one.seconds_low < one.seconds < one.seconds_high
        return (one.seconds_high - one.seconds_low) / one.seconds

    assert width(after) < 0.5 * width(before)
