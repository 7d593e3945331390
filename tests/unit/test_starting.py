"""What is warm is not paid again: engines, artifacts, workers, loaded CNNs; cold, a plan pays for all of it once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from planning_fixtures import MOBILENETV2, RESNET50, snapshot

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import CNNPass, WarmFacts
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.optimizer.starting import possible_passes
from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import explain
from vista_nb.plan.logical import Infer
from vista_nb.units import GB

DATA = WorkloadStatistics(rows=400, structured_features=4, image_bytes=20_000, images=400)
HERE = SystemFacts(memory=24 * GB, cores=2)
COLD = snapshot(RESNET50, DATA, HERE)


def planned(warm: WarmFacts, given: Snapshot = COLD) -> Plan:
    return optimize(replace(given, warm=warm))


def seconds(warm: WarmFacts, given: Snapshot = COLD) -> float:
    plan = planned(warm, given)
    assert plan.chosen is not None
    return plan.chosen.seconds or 0.0


EVERY = possible_passes(COLD)


def test_each_warm_part_saves_its_own_seconds() -> None:
    """The JVM its start, the artifact its making, the workers TensorFlow, the loaded CNN its loading."""
    cold = WarmFacts(known_model=True)
    jvm = replace(cold, jvm=True)
    made = replace(jvm, made=EVERY)
    live = replace(made, workers=2, threads=1)
    loaded = replace(live, loaded=EVERY)
    times = [seconds(warm) for warm in (cold, jvm, made, live, loaded)]
    assert times == sorted(times, reverse=True)
    steps = [high - low for high, low in pairwise(times)]
    assert steps[0] == pytest.approx(DEFAULT.session_seconds + DEFAULT.first_jobs, abs=0.01)
    assert steps[1] > DEFAULT.make_process
    assert steps[2] > 2.0  # importing TensorFlow and loading, against loading alone
    assert steps[3] > 0.05


def test_the_engines_are_a_line_of_explain_and_a_note_says_what_is_warm() -> None:
    """Cold there is no note; warm the first line of the tree's foot is 0."""
    cold, warm = explain(planned(WarmFacts())), explain(planned(WarmFacts(True, True, 2, 1, True, EVERY, EVERY)))
    assert "taken as warm" not in cold
    assert "Start the engines" in cold
    assert "note: taken as warm: the JVM, MLlib's path, 2 workers with TensorFlow, this CNN in them" in warm
    assert "Start the engines" in warm
    assert planned(WarmFacts(jvm=True)).start_seconds == 0.0


def test_more_workers_than_live_must_still_start() -> None:
    """One worker lives: a plan with two pays for TensorFlow in the second, so one may be the better choice."""
    one = WarmFacts(jvm=True, known_model=True, workers=1, threads=2, made=EVERY, loaded=EVERY)
    forced = snapshot(RESNET50, DATA, HERE, cpu=2)
    assert seconds(one, forced) > seconds(replace(one, workers=2, threads=1), forced) + 2.0
    assert planned(one).physical.cpu == 1


def test_a_live_worker_keeps_its_threads() -> None:
    """cpu 1 wants two threads; a worker that began with one stays as slow as it is."""
    forced = snapshot(RESNET50, DATA, HERE, cpu=1)
    two = WarmFacts(jvm=True, known_model=True, workers=2, threads=2, made=EVERY, loaded=EVERY)
    assert seconds(replace(two, threads=1), forced) > 1.5 * seconds(two, forced)


def test_lazy_passes_push_each_other_out() -> None:
    """Each of lazy's passes is nearly the whole CNN, and a worker keeps one CNN's bytes."""
    warm = WarmFacts(jvm=True, known_model=True, workers=2, threads=1, made=EVERY)
    lazy = snapshot(RESNET50, DATA, HERE, materialization="lazy", cpu=2)
    staged = snapshot(RESNET50, DATA, HERE, materialization="staged", cpu=2)
    assert seconds(replace(warm, loaded=EVERY), lazy) == seconds(warm, lazy)
    assert seconds(replace(warm, loaded=EVERY), staged) < seconds(warm, staged)


def test_an_unknown_model_has_its_process_up_already() -> None:
    """Finding the digest took a process with TensorFlow: the artifact is made by the same one."""
    assert seconds(WarmFacts()) == pytest.approx(seconds(WarmFacts(known_model=True)) - DEFAULT.make_process, abs=0.01)


def test_mllib_is_warm_after_the_first_training_on_the_cluster() -> None:
    """The first fit compiles its path."""
    forced = snapshot(MOBILENETV2, DATA, HERE, training="cluster")
    saved = seconds(WarmFacts(jvm=True), forced) - seconds(WarmFacts(jvm=True, mllib=True), forced)
    assert saved == pytest.approx(DEFAULT.mllib_first, abs=0.01)


def test_possible_passes_hold_those_of_every_plan() -> None:
    """Eager's one pass, lazy's, staged's; pooled and raw; with the cut that a later pass goes on from."""
    names = COLD.workload.layer_names
    assert CNNPass(None, names, True) in EVERY
    assert CNNPass(None, names, False) in EVERY
    assert CNNPass(names[0], (names[1],), True, (names[1],)) in EVERY
    for materialization in ("lazy", "staged", "eager"):
        plan = optimize(snapshot(RESNET50, DATA, HERE, materialization=materialization))
        starts = {(one.start, one.layers, one.pooled) for one in EVERY}
        assert all((s.start, s.layers, s.pooled) in starts for s in plan.logical.steps if isinstance(s, Infer))
