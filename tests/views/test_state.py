"""The panel's state is folded over events: pure, in order, whatever comes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_run import LAYERS, sample_events, sample_outcome, sample_plan, sample_score

from vista_nb.outcome import events as ev
from vista_nb.outcome.scores import RunOutcome
from vista_nb.views.state import LOG_LINES, PanelState, apply, apply_all, settled


def phases(state: PanelState) -> dict[str, str]:
    return {layer.name: layer.phase for layer in state.layers}


def test_before_the_first_event_every_layer_is_queued() -> None:
    """The panel can be drawn at once."""
    state = PanelState.of(sample_plan())
    assert phases(state) == dict.fromkeys(LAYERS, "queued")
    assert (state.status, state.progress, state.eta, state.images_per_second) == ("planned", 0.0, None, None)


def test_during_inference_speed_and_remaining_time_are_known() -> None:
    """Speed is counted from the first report; what is left is this stage by speed, later ones as predicted."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=5))
    assert set(phases(state).values()) == {"inferring"}
    assert (state.stage, state.title, state.done, state.total) == (5, "CNN: image to conv4_6 .. fc6", 352, 800)
    assert state.images_per_second == pytest.approx(32.0)
    assert state.eta == pytest.approx(448 / 32 + 0.5 + 5 * 2.0)
    assert state.peak is not None
    assert state.peak.workers == 2_100_000_000


def test_each_score_ends_its_layer_and_waiting_layers_have_features() -> None:
    """Live as stages end: two layers scored, one training, the others ready."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=9))
    assert phases(state) == dict(zip(LAYERS, ["done", "done", "training", "ready", "ready"], strict=True))
    assert [score.layer for score in state.scores] == ["conv4_6", "conv5_1", "(table)", "(table, tree)"]
    assert 0.5 < state.progress < 1.0


def test_progress_never_falls() -> None:
    """A bar that goes back is a lie; checked after every event of a whole run."""
    plan = sample_plan()
    state, seen = PanelState.of(plan), [0.0]
    for event in sample_events(plan):
        state = apply(state, event)
        seen.append(state.progress)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_waves_share_the_work_by_their_rows() -> None:
    """Base tables are read once; the CNN sees 10, 20 and 70 % of the rows; every wave trains on all so far."""
    plan = sample_plan(waves=3)
    weights = {(stage, wave): weight for stage, wave, weight in PanelState.of(plan).schedule}
    assert [weights[5, wave] for wave in (1, 2, 3)] == pytest.approx([2.4, 4.8, 16.8])
    assert [weights[7, wave] for wave in (1, 2, 3)] == pytest.approx([0.2, 0.6, 2.0])
    assert (4, 2) not in weights
    state = apply(PanelState.of(plan), ev.StageStarted(5, 3, 10.0, "infer", plan.layers, "CNN"))
    state = apply_all(state, [ev.BatchDone(5, 3, 11.0, 100, 500), ev.BatchDone(5, 3, 12.0, 200, 500)])
    assert state.eta == pytest.approx(300 / 100 + 0.35 + 5 * 2.0)


def test_without_predicted_seconds_steps_are_counted() -> None:
    """The profile sigmod2020 predicts no time: a bar, but no time left."""
    plan = replace(sample_plan(), seconds_by_step=())
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=5))
    assert state.progress == pytest.approx((4 + 0.44) / 11)
    assert state.eta is None


def test_a_reused_layer_says_so_before_and_after_its_score() -> None:
    """The source is part of the row, also when the score comes later."""
    plan = sample_plan()
    state = apply(PanelState.of(plan), ev.LayerReused(layer="fc6", run="r1", rows=800))
    assert phases(state)["fc6"] == "reused"
    state = apply(state, ev.StageStarted(7, 1, 1.0, "train", ("fc6",), "Train on fc6"))
    assert phases(state)["fc6"] == "training"
    state = apply(state, ev.LayerScored(7, 1, 2.0, sample_score("fc6"), True))
    assert phases(state)["fc6"] == "reused"
    assert state.layer("fc6") is not None


def test_an_interim_score_is_kept_but_not_final() -> None:
    """An early wave's score is shown hollow and replaced by the last wave's."""
    state = PanelState.of(sample_plan(waves=3))
    state = apply(state, ev.LayerScored(7, 1, 2.0, sample_score("fc6", 0.6, wave=1), False))
    layer = state.layer("fc6")
    assert layer is not None
    assert (layer.final, layer.phase) == (False, "ready")
    layer = apply(state, ev.LayerScored(7, 3, 9.0, sample_score("fc6", 0.8, wave=3), True)).layer("fc6")
    assert layer is not None
    assert layer.score is not None
    assert (layer.final, layer.phase, layer.score.value) == (True, "done", 0.8)


@pytest.mark.parametrize(("status", "running"), [("failed", "failed"), ("cancelled", "stopped")])
def test_after_the_end_no_row_looks_as_if_it_still_ran(status: str, running: str) -> None:
    """A failed run names the layer that was at work; layers that were never reached are not failures."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=9))
    state = apply(state, ev.RunFinished(0, 1, 50.0, status, 50.0, "worker lost"))
    assert phases(state) == dict(zip(LAYERS, ["done", "done", running, "stopped", "stopped"], strict=True))
    assert (state.status, state.message, state.eta) == (status, "worker lost", None)


def test_the_log_is_bounded() -> None:
    """A chatty run must not grow the panel without end."""
    state = apply_all(PanelState.of(sample_plan()), [ev.LogLine(text=str(k)) for k in range(LOG_LINES + 7)])
    assert len(state.log) == LOG_LINES
    assert state.log[-1].text == str(LOG_LINES + 6)


def test_unknown_events_and_empty_scores_change_nothing_but_the_clock() -> None:
    """A later version's event must not break an old panel."""
    state = PanelState.of(sample_plan())
    assert apply(state, ev.Event(1, 1, 3.0)) == replace(state, at=3.0)
    assert apply(state, ev.LayerScored(at=3.0)) == replace(state, at=3.0)


def test_apply_is_pure() -> None:
    """The same events give the same state, and the old state stays as it was."""
    plan = sample_plan()
    first = PanelState.of(plan)
    copy = replace(first)
    assert apply_all(first, sample_events(plan)) == apply_all(first, sample_events(plan))
    assert first == copy


def test_a_result_without_events_is_drawn_from_its_outcome() -> None:
    """`%vista show` and a restored run have scores only."""
    plan = sample_plan()
    state = settled(PanelState.of(plan), sample_outcome(plan), "done")
    assert {layer.phase for layer in state.layers} == {"done"}
    assert settled(PanelState.of(plan), RunOutcome(), "failed").layers[0].phase == "stopped"


def test_a_second_plan_keeps_what_is_known() -> None:
    """The store may shorten the plan once, early."""
    plan = sample_plan()
    state = apply(PanelState.of(plan), ev.LayerReused(layer="fc6", run="r1"))
    again = state.planned_again(sample_plan(LAYERS[-2:]))
    assert phases(again) == {"conv5_3": "queued", "fc6": "reused"}
    assert again.stages == 8
