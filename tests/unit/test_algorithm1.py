"""Profile `sigmod2020`: the published picks on the paper's cluster, and Algorithm 1's edges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import ALEXNET, FOODS, PAPER_CLUSTER, RESNET50, VGG16, snapshot

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.algorithm1 import line_15
from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.explain_json import to_json
from vista_nb.plan.logical import Infer, Load, Train
from vista_nb.plan.physical import JoinOperator, Persistence
from vista_nb.units import GB, MB

PUBLISHED = [(ALEXNET, 160, 7), (VGG16, 160, 4), (RESNET50, 224, 7)]


@pytest.mark.parametrize(("net", "num_partitions", "_cpu"), PUBLISHED, ids=lambda v: getattr(v, "name", ""))
def test_published_partitions_at_cpu_4(net: CNNFacts, num_partitions: int, _cpu: int) -> None:
    """num_partitions 160 / 160 / 224 at cpu = 4."""
    assert optimize(snapshot(net, profile="sigmod2020", cpu=4)).physical.num_partitions == num_partitions


@pytest.mark.parametrize(("net", "_np", "cpu"), PUBLISHED, ids=lambda v: getattr(v, "name", ""))
def test_published_cpu(net: CNNFacts, _np: int, cpu: int) -> None:
    """cpu 7 / 4 / 7."""
    plan = optimize(snapshot(net, profile="sigmod2020"))
    assert plan.physical.cpu == cpu
    assert plan.memory.total == 32 * GB
    assert plan.memory.driver == 0
    assert [c.physical.cpu for c in plan.candidates] == [7, 6, 5, 4, 3, 2, 1]
    assert plan.logical.start_layer is None
    assert plan.logical.waves == 1


@pytest.mark.parametrize(
    ("name", "layers", "num_partitions", "cpu"),
    [("alexnet", 4, 160, 7), ("vgg16", 3, 160, 4), ("resnet50", 5, 224, 7)],
)
def test_shipped_roster_reproduces_the_published_picks(name: str, layers: int, num_partitions: int, cpu: int) -> None:
    """The same with the shapes and the published constants of roster.json."""
    net = load_roster().find(name)
    assert net is not None
    assert optimize(snapshot(net, layers=layers, profile="sigmod2020")).physical.cpu == cpu
    at_4 = optimize(snapshot(net, layers=layers, profile="sigmod2020", cpu=4))
    assert at_4.physical.num_partitions == num_partitions


def test_line_15_of_resnet50_under_both_readings() -> None:
    """Per node 18.2 GB holds 3.6 GB: deserialized. Literally it would not hold 29.1 GB: serialized (ADR 3)."""
    plan = optimize(snapshot(RESNET50, profile="sigmod2020"))
    storage, s_double = plan.memory.storage, plan.sizes.s_double
    assert (storage, s_double) == (18_187_310_270, 29_099_351_974)
    assert plan.physical.persistence is Persistence.DESERIALIZED
    assert line_15(storage, s_double, nodes=8) is Persistence.DESERIALIZED
    assert line_15(storage, s_double, nodes=1) is Persistence.SERIALIZED  # the literal reading does not divide


def test_line_15_is_strict() -> None:
    """Storage that holds the share exactly is enough."""
    assert line_15(100, 800, 8) is Persistence.DESERIALIZED
    assert line_15(99, 800, 8) is Persistence.SERIALIZED


def test_decoded_images_are_reported_as_t_img() -> None:
    """The prototype's decoded images: in s_single and t_img, not in s_double."""
    sizes = optimize(snapshot(ALEXNET, profile="sigmod2020")).sizes
    decoded = 20_129 * (16 + 4 * 227 * 227 * 3) * 6
    assert sizes.t_img == -(-decoded // 5) + sizes.t_str == sizes.s_single
    assert sizes.s_double < sizes.s_single


def test_one_core_machine_still_gets_a_worker() -> None:
    """No core can be held back: x = 1."""
    system = replace(PAPER_CLUSTER, cores=1)
    assert optimize(snapshot(RESNET50, system=system, profile="sigmod2020")).physical.cpu == 1


def test_shuffle_join_from_b_max_on() -> None:
    """Broadcast iff |T_str| < 100 MB, strictly."""
    at_limit = replace(FOODS, rows=100_000, structured_features=246)  # 100 000 x (16 + 984) = b_max
    assert optimize(snapshot(statistics=at_limit, profile="sigmod2020")).physical.join is JoinOperator.SHUFFLE
    below = replace(at_limit, structured_features=245)
    assert optimize(snapshot(statistics=below, profile="sigmod2020")).physical.join is JoinOperator.BROADCAST


def test_gpu_memory_limits_cpu() -> None:
    """x * max(f_gpu, M_gpu) < mem_gpu."""
    statistics = replace(FOODS, cnn_gpu=2 * GB, model_gpu=0)
    system = replace(PAPER_CLUSTER, gpu_memory=8 * GB)
    assert optimize(snapshot(statistics=statistics, system=system, profile="sigmod2020")).physical.cpu == 3


def test_too_little_memory_names_the_inequality_and_the_exact_remedy() -> None:
    """One byte below smallest_memory there is no plan; at it there is."""
    small = replace(PAPER_CLUSTER, memory=4 * GB)
    with pytest.raises(NoFeasiblePlan, match=r"core 2\.4 GB") as caught:
        optimize(snapshot(VGG16, system=small, profile="sigmod2020"))
    smallest = caught.value.smallest_memory
    assert smallest is not None
    assert optimize(snapshot(VGG16, system=replace(small, memory=smallest), profile="sigmod2020")).physical.cpu == 1
    with pytest.raises(NoFeasiblePlan):
        optimize(snapshot(VGG16, system=replace(small, memory=smallest - 1), profile="sigmod2020"))


def test_no_gpu_large_enough_has_no_memory_remedy() -> None:
    """More worker memory would not help, so none is named."""
    statistics = replace(FOODS, cnn_gpu=9 * GB)
    system = replace(PAPER_CLUSTER, gpu_memory=8 * GB)
    with pytest.raises(NoFeasiblePlan) as caught:
        optimize(snapshot(statistics=statistics, system=system, profile="sigmod2020"))
    assert caught.value.smallest_memory is None


def test_statistics_override_the_published_constants() -> None:
    """f_mem of 14 GB leaves room for one worker."""
    statistics = replace(FOODS, cnn_resident=14 * GB, cnn_serialized=500 * MB)
    plan = optimize(snapshot(RESNET50, statistics, profile="sigmod2020"))
    assert plan.physical.cpu == 1
    assert plan.memory.dl_execution == 14 * GB


def test_plan_is_staged_from_images() -> None:
    """Staged inference after the join on raw tensors, each layer from the one below; the store is not used."""
    plan = optimize(snapshot(RESNET50, profile="sigmod2020"))
    passes = [step for step in plan.logical.steps if isinstance(step, Infer)]
    assert [(p.start, p.layers, p.pooled) for p in passes][:2] == [
        (None, ("conv4_6",), False),
        ("conv4_6", ("conv5_1",), False),
    ]
    assert not any(isinstance(step, Load) for step in plan.logical.steps)
    assert [step.layer for step in plan.logical.steps if isinstance(step, Train)] == list(plan.layers)


def test_json_of_sigmod2020_predicts_no_time() -> None:
    """seconds, first_result_seconds, flops null; peak_bytes = total - storage; why only where infeasible."""
    result = to_json(optimize(snapshot(VGG16, profile="sigmod2020")))
    for candidate in result["candidates"]:
        assert (candidate["seconds"], candidate["first_result_seconds"], candidate["flops"]) == (None, None, None)
        assert (candidate["why"] is None) == candidate["feasible"]
    chosen = next(c for c in result["candidates"] if c["feasible"])
    assert chosen["peak_bytes"] == result["memory"]["total"] - result["memory"]["storage"]
    assert result["physical"]["threads_per_task"] == 2
    assert result["physical"]["batch_size"] == 32
    assert result["physical"]["training"] == "cluster"
