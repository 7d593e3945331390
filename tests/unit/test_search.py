"""The search over the whole space: where a plan starts from, nodes left unused, values forced from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import FOODS_ENCODED, LAPTOP, MOBILENETV2, RESNET50, VGG16, VISTANET, snapshot

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.optimizer.candidates import EVERYTHING
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.logical import Infer, Release, Train
from vista_nb.spec.model import Pooling
from vista_nb.units import GB, MB


def best(plan: Plan) -> Candidate:
    assert plan.chosen is not None
    return plan.chosen


def seconds(plan: Plan) -> float:
    return best(plan).seconds or 0.0


@pytest.mark.parametrize("net", [RESNET50, VGG16], ids=lambda net: net.name)
def test_start_from_a_stored_raw_layer_where_it_pays(net: CNNFacts) -> None:
    """Figure 16: starting from a stored base layer skips most of the CNN; without images nothing else changes."""
    data, cut = replace(FOODS_ENCODED, rows=4000), net.layers[0].name
    stored = (StoredLayer(cut, "raw", 4000, 10**9, pooled=False),)
    plan = optimize(snapshot(net, data, LAPTOP, stored=stored, pool=Pooling.AVG))
    assert plan.logical.start_layer == cut
    from_images = optimize(snapshot(net, data, LAPTOP, pool=Pooling.AVG))
    assert seconds(plan) < seconds(from_images)
    assert best(plan).flops < best(from_images).flops  # type: ignore[operator]


def test_a_cheap_cnn_is_rather_run_again() -> None:
    """MobileNetV2's block_6 is 0.6 MB per image, and 4 ms of inference: from an ordinary disk loading does not pay."""
    data = replace(FOODS_ENCODED, rows=4000)
    stored = (StoredLayer("block_6", "raw", 4000, 10**9, pooled=False),)
    ordinary = replace(DEFAULT, disk_read=250e6)
    plan = optimize(snapshot(MOBILENETV2, data, LAPTOP, stored=stored), rates=ordinary)
    assert plan.logical.start_layer is None


def test_a_slow_disk_makes_recomputing_win() -> None:
    """ResNet50's conv4_6 is 0.8 MB per image: from a slow disk it takes longer than the CNN (figure 16, Nautilus)."""
    data = replace(FOODS_ENCODED, rows=4000)
    stored = (StoredLayer("conv4_6", "raw", 4000, 10**9, pooled=False),)
    slow = replace(DEFAULT, disk_read=8e6)
    assert optimize(snapshot(RESNET50, data, LAPTOP, stored=stored), rates=slow).logical.start_layer is None


def test_a_higher_raw_layer_is_no_start() -> None:
    """The cut must lie below all that is inferred."""
    stored = (StoredLayer("conv5_1", "raw", 4000, 10**9, pooled=False),)
    plan = optimize(snapshot(RESNET50, replace(FOODS_ENCODED, rows=4000), LAPTOP, stored=stored))
    assert {c.logical.start_layer for c in plan.candidates} == {None}


def test_fewer_layers_may_pass_through_the_one_left_out() -> None:
    """block_13 and out are wide, block_16 between them is narrow: leaving it out of L must not cost its narrowness."""
    system = SystemFacts(memory=6 * GB, cores=1, disk_free=80 * GB, master="spark://head:7077")
    given = snapshot(MOBILENETV2, WorkloadStatistics(193_366, 10, 10_000), system, pool=Pooling.NONE)
    low, narrow, high = MOBILENETV2.layers[1:]

    def plan_of(*layers: LayerFacts) -> Plan:
        return optimize(replace(given, workload=replace(given.workload, layers=layers)))

    fewer, more = plan_of(low, high), plan_of(low, narrow, high)
    assert fewer.logical.via == (narrow.name,)
    assert seconds(fewer) < seconds(more)
    assert fewer.sizes.s_double == more.sizes.s_double
    passes = [(s.start, s.layers) for s in fewer.logical.steps if isinstance(s, Infer)]
    assert passes == [(None, (low.name,)), (low.name, (narrow.name,)), (narrow.name, (high.name,))]
    assert [s.layer for s in fewer.logical.steps if isinstance(s, Train)] == [low.name, high.name]
    assert [s.layer for s in fewer.logical.steps if isinstance(s, Release)] == [low.name, narrow.name, high.name]
    unlimited, direct = replace(given, system=replace(system, disk_free=None)), replace(EVERYTHING, stopovers=False)
    assert {c.logical.via for c in optimize(unlimited, space=direct).candidates} == {()}


def test_many_nodes_and_rows_leave_few_candidates() -> None:
    """Ten billion rows on 500 nodes: tens of thousands of points are weighed, few are kept to be shown."""
    system = SystemFacts(memory=512 * GB, cores=64, nodes=500, master="cluster")
    plan = optimize(snapshot(RESNET50, replace(FOODS_ENCODED, rows=10**10), system))
    assert plan.looked_at > 40_000
    assert len(plan.candidates) < 150
    assert plan.physical.nodes == 500


def test_a_tiny_job_leaves_nodes_unused() -> None:
    """Bringing the CNN to 500 nodes costs more than 40 photos."""
    system = SystemFacts(memory=64 * GB, cores=8, nodes=500, master="cluster")
    plan = optimize(snapshot(VGG16, WorkloadStatistics(40, 5, 20_000), system))
    assert plan.physical.nodes < 500
    assert plan.nodes == 500


def test_forced_values_outside_the_space_are_obeyed() -> None:
    """20 workers on 8 cores, batches of 100: planned as told, priced as the best the space has."""
    plan = optimize(snapshot(VISTANET, FOODS_ENCODED, replace(LAPTOP, cores=8, memory=64 * GB), cpu=20, batch_size=100))
    assert (plan.physical.cpu, plan.physical.batch_size, plan.physical.threads_per_task) == (20, 100, 1)
    assert plan.memory.dl_execution > 100 * MB
