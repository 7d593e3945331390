"""The pruned search finds what pricing every option one by one finds; and the predictions behave as they must.

Properties over random machines, data and CNNs: more of anything never hurts, nothing forced beats the chosen plan.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from planning_fixtures import (
    MOBILENETV2,
    RESNET50,
    VGG16,
    VISTANET,
    snapshot,
)

from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import EVERYTHING, Space, enumerate_options
from vista_nb.optimizer.cost import predict
from vista_nb.optimizer.facts import gather
from vista_nb.optimizer.memory import admit
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.ranking import Priced
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.optimizer.reuse import find_reuse
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.spec.model import EstimatorCall, PlanChoice, Pooling
from vista_nb.units import GB

EXAMPLES = int(os.environ.get("VISTA_NB_EXAMPLES", "20"))  # more of them: VISTA_NB_EXAMPLES=500
SITES = st.sampled_from(
    [
        {},
        {
            "estimator": EstimatorFacts("sklearn", "SVC", ("classification",), ("C",), ("driver",), "other"),
            "call": EstimatorCall("sklearn", "SVC"),
        },
        {
            "estimator": EstimatorFacts("pyspark", "GBTClassifier", ("classification",), (), ("cluster",), "ensemble"),
            "call": EstimatorCall("pyspark", "GBTClassifier"),
        },
    ]
)
NETS = st.sampled_from([RESNET50, MOBILENETV2, VISTANET, VGG16])
DATA = st.builds(
    WorkloadStatistics,
    rows=st.one_of(st.integers(1, 3000), st.integers(1, 10**6), st.integers(1, 10**9)),
    structured_features=st.integers(0, 300),
    image_bytes=st.integers(500, 5_000_000),
    views=st.integers(1, 2),
    classes=st.sampled_from([0, 2, 7]),
)
SYSTEMS = st.builds(
    SystemFacts,
    memory=st.one_of(st.integers(1 * GB, 8 * GB), st.integers(1 * GB, 256 * GB)),
    cores=st.integers(1, 12),
    nodes=st.integers(1, 9),
    disk_free=st.one_of(st.none(), st.integers(0, 200 * GB)),
    gpu_memory=st.sampled_from([0, 0, 16 * GB]),
    master=st.sampled_from(["local[*]", "spark://head:7077"]),
    driver_memory=st.sampled_from([None, 8 * GB]),
)
FORCED = st.fixed_dictionaries(
    {},
    optional={
        "materialization": st.sampled_from(["lazy", "eager", "staged"]),
        "inference": st.sampled_from(["before_join", "after_join"]),
        "pooling": st.sampled_from(["pulled_up", "pushed_down"]),
        "join": st.sampled_from(["shuffle", "broadcast"]),
        "persistence": st.sampled_from(["serialized", "deserialized"]),
        "cpu": st.integers(1, 20),
        "batch_size": st.integers(1, 128),
        "num_partitions": st.integers(1, 5000),
    },
)


@st.composite
def workloads(draw: st.DrawFn, *, small: bool = False) -> Snapshot:
    """A snapshot with nothing forced; `small` spaces can be priced one by one. Sometimes a raw cut is stored."""
    net, data, system = draw(NETS), draw(DATA), draw(SYSTEMS)
    if small:
        system = replace(system, cores=min(system.cores, 3), nodes=min(system.nodes, 6))
    cut = draw(st.sampled_from([None, net.layers[0].name]))
    stored = (StoredLayer(cut, "raw", data.rows * data.views, 1, pooled=False),) if cut else ()
    pool = draw(st.sampled_from(list(Pooling)))
    return snapshot(net, data, system, pool=pool, stored=stored, **draw(SITES))


def planned(given_snapshot: Snapshot, space: Space = EVERYTHING) -> Plan | None:
    try:
        return optimize(given_snapshot, space=space)
    except NoFeasiblePlan:
        return None


def best(plan: Plan) -> Candidate:
    assert plan.chosen is not None
    assert plan.chosen.seconds is not None
    return plan.chosen


def seconds(plan: Plan) -> float:
    return best(plan).seconds or 0.0


def forced(given_snapshot: Snapshot, **choice: object) -> Snapshot:
    spec = replace(given_snapshot.workload.spec, plan=PlanChoice(**choice))  # type: ignore[arg-type]
    return replace(given_snapshot, workload=replace(given_snapshot.workload, spec=spec))


def with_system(given_snapshot: Snapshot, **changes: object) -> Snapshot:
    return replace(given_snapshot, system=replace(given_snapshot.system, **changes))  # type: ignore[arg-type]


def with_layers(given_snapshot: Snapshot, layers: tuple[object, ...]) -> Snapshot:
    return replace(given_snapshot, workload=replace(given_snapshot.workload, layers=layers))  # type: ignore[arg-type]


def no_slower(faster: float, slower: float) -> bool:
    """Up to a millisecond, and what doubles of that size can tell apart."""
    return faster <= slower * (1 + 1e-12) + 0.0015


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(workloads(small=True), FORCED)
def test_pruned_search_equals_brute_force(workload: Snapshot, choice: dict[str, object]) -> None:
    """Every option, every node count, priced and admitted one by one: the best has the same seconds and peak."""
    workload = forced(workload, **choice)
    facts = gather(workload, find_reuse(workload), DEFAULT)
    admitted = ((o, admit(o, facts)) for o in enumerate_options(facts, EVERYTHING, every_node_count=True))
    priced = [Priced(o, a, predict(o, a.spill, facts)) for o, a in admitted if a.feasible]
    plan = planned(workload)
    if plan is None:
        assert not priced
        return
    winner = min(priced, key=lambda p: (p.seconds, p.peak_bytes))
    chosen = best(plan)
    assert chosen.seconds == pytest.approx(winner.seconds, rel=1e-12, abs=0.0015)
    if chosen.seconds == winner.seconds:
        assert chosen.peak_bytes == winner.peak_bytes


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads(), st.integers(1, 64 * GB), st.integers(1, 8), st.integers(1, 9))
def test_more_memory_cores_or_nodes_never_hurt(workload: Snapshot, memory: int, cores: int, nodes: int) -> None:
    """The predicted seconds of the chosen plan never rise with the machine."""
    plan = planned(workload)
    assume(plan is not None)
    assert plan is not None
    system = workload.system
    for larger in (
        with_system(workload, memory=system.memory + memory),
        with_system(workload, cores=system.cores + cores),
        with_system(workload, nodes=system.nodes + nodes),
        with_system(workload, memory=system.memory + memory, cores=system.cores + cores, nodes=system.nodes + nodes),
    ):
        more = planned(larger)
        assert more is not None
        assert no_slower(seconds(more), seconds(plan))


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads(), st.data())
def test_fewer_layers_never_take_longer(workload: Snapshot, data: st.DataObject) -> None:
    """A span of the layers (the lowest or the highest dropped) is never slower than all of them."""
    layers = workload.workload.layers
    low = data.draw(st.integers(0, len(layers) - 1))
    high = data.draw(st.integers(low + 1, len(layers)))
    plan = planned(workload)
    assume(plan is not None)
    assert plan is not None
    fewer = planned(with_layers(workload, layers[low:high]))
    assert fewer is not None
    assert no_slower(seconds(fewer), seconds(plan))


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads(), st.data())
def test_any_subset_of_layers_never_takes_longer(workload: Snapshot, data: st.DataObject) -> None:
    """So is any subset."""
    layers = workload.workload.layers
    keep = data.draw(st.sets(st.sampled_from(range(len(layers))), min_size=1))
    plan = planned(workload)
    assume(plan is not None)
    assert plan is not None
    fewer = planned(with_layers(workload, tuple(layers[k] for k in sorted(keep))))
    assert fewer is not None
    assert no_slower(seconds(fewer), seconds(plan))


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads(), FORCED)
def test_a_forced_plan_that_fits_is_never_faster(workload: Snapshot, choice: dict[str, object]) -> None:
    """Forcing takes choices away, and no value outside the space is priced below the space's own."""
    other = planned(forced(workload, **choice))
    assume(other is not None)
    assert other is not None
    plan = planned(workload)
    assert plan is not None
    assert no_slower(seconds(plan), seconds(other))


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads())
def test_numbers_of_every_candidate(workload: Snapshot) -> None:
    """Peak regions sum to the peak, which fits; the spread holds the prediction; volumes are there and whole."""
    plan = planned(workload)
    assume(plan is not None)
    assert plan is not None
    assert plan.looked_at >= len(plan.candidates)
    for c in plan.candidates:
        assert c.peak is not None
        assert c.peak.total == c.peak_bytes
        assert c.seconds_low <= c.seconds <= c.seconds_high  # type: ignore[operator]
        assert min(c.bytes_read, c.bytes_shuffled, c.bytes_materialized, c.bytes_spilled) >= 0  # type: ignore[type-var]
        if c.feasible:
            assert c.peak_bytes <= workload.system.memory
            assert (c.bytes_spilled == 0) or c.peak.storage > 0
