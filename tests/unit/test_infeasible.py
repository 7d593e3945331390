"""Nothing fits: the inequality, the slack of each cpu, the exact smallest memory, and what change of the cell fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_fixtures import (
    BINDER,
    FOODS,
    FOODS_ENCODED,
    LAPTOP,
    LOGISTIC,
    MOBILENETV2,
    PAPER_CLUSTER,
    RESNET50,
    VGG16,
    VISTANET,
    snapshot,
)

from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import enumerate_options
from vista_nb.optimizer.facts import gather
from vista_nb.optimizer.memory import admit
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.optimizer.reuse import find_reuse
from vista_nb.spec.model import EstimatorCall, Pooling
from vista_nb.units import GB, MB

DEEP = replace(LOGISTIC, library="variable", name="net", family="deep", sites=("cluster",))


def refused(given: Snapshot) -> NoFeasiblePlan:
    with pytest.raises(NoFeasiblePlan) as caught:
        optimize(given)
    return caught.value


def at(given: Snapshot, memory: int) -> Snapshot:
    return replace(given, system=replace(given.system, memory=memory))


@pytest.mark.parametrize("profile", ["default", "sigmod2020"])
@pytest.mark.parametrize("net", [RESNET50, VGG16, VISTANET], ids=lambda net: net.name)
@pytest.mark.parametrize("system", [BINDER, PAPER_CLUSTER], ids=["binder", "cluster"])
def test_smallest_memory_is_exact(net: object, profile: str, system: SystemFacts) -> None:
    """At the bytes it names there is a plan, with one byte less there is none."""
    given = snapshot(net, FOODS_ENCODED, replace(system, memory=900 * MB), profile=profile)  # type: ignore[arg-type]
    smallest = refused(given).smallest_memory
    assert smallest is not None
    assert optimize(at(given, smallest)).memory.storage >= 1
    assert refused(at(given, smallest - 1)).smallest_memory == smallest


def test_smallest_memory_is_exact_where_disk_is_short() -> None:
    """Where spilled bytes must fit on the disk, memory is what keeps them from spilling."""
    given = snapshot(
        RESNET50, FOODS_ENCODED, replace(LAPTOP, memory=8 * GB, disk_free=1 * GB), materialization="staged",
        pooling="pulled_up",
    )  # fmt: skip
    error = refused(given)
    assert error.smallest_memory is not None
    assert "free disk" in error.constraint
    plan = optimize(at(given, error.smallest_memory))
    assert plan.chosen is not None
    assert plan.chosen.bytes_spilled is not None
    assert 0 <= 1 * GB - plan.chosen.bytes_spilled < 2
    assert refused(at(given, error.smallest_memory - 1)).smallest_memory == error.smallest_memory


def test_slack_of_each_cpu_is_what_one_by_one_gives() -> None:
    """The best slack over all options with that cpu; the message says it."""
    given = snapshot(RESNET50, FOODS_ENCODED, replace(LAPTOP, memory=1_700 * MB, cores=3))
    error = refused(given)
    facts = gather(given, find_reuse(given), DEFAULT)
    best: dict[int, int] = {}
    for option in enumerate_options(facts):
        admission = admit(option, facts)
        if admission.of_worker:
            cpu = option.physical.cpu
            best[cpu] = max(best.get(cpu, -(10**18)), admission.regions.storage - 1)
    assert dict(error.slack) == best
    assert all(slack < 0 for _, slack in error.slack)
    assert "with cpu 1" in error.message
    assert "with cpu 3" in error.message
    assert error.smallest_memory is not None


def test_sigmod2020_says_the_slack_of_every_x() -> None:
    """Storage Memory as it would be for x = 1 .. 7."""
    error = refused(snapshot(VGG16, system=replace(PAPER_CLUSTER, memory=4 * GB), profile="sigmod2020"))
    assert [cpu for cpu, _ in error.slack] == [1, 2, 3, 4, 5, 6, 7]
    assert error.slack[0][1] == max(slack for _, slack in error.slack)


def test_changes_mildest_first_and_each_fits() -> None:
    """A forced decision, shorter vectors, fewer layers, another CNN: what is named has a plan."""
    system = replace(LAPTOP, memory=4 * GB, cores=2, disk_free=1 * GB)
    flat = snapshot(RESNET50, FOODS_ENCODED, system, pool=Pooling.NONE, materialization="eager")
    error = refused(flat)
    assert error.hint == error.changes[0]
    assert error.changes[0] == "leave `plan: materialization` to the optimizer" or "pool" in error.changes[0]
    assert any(change.startswith("`pool: ") for change in error.changes)
    shorter = replace(flat, workload=replace(flat.workload, pool=Pooling.MAX_2X2))
    assert optimize(shorter).chosen is not None


def test_another_cnn_is_the_largest_that_fits() -> None:
    """VGG16 does not fit where a CNN of the roster does; that CNN really has a plan there."""
    given = snapshot(VGG16, FOODS_ENCODED, replace(BINDER, memory=2_150 * MB))
    error = refused(given)
    name = next(change for change in error.changes if change.startswith("`cnn: ")).split("`")[1].removeprefix("cnn: ")
    cnn = load_roster().find(name)
    assert cnn is not None
    layers = tuple(layer for layer in cnn.layers if layer.name in cnn.default_layers)
    other = replace(given, workload=replace(given.workload, cnn=cnn, layers=layers))
    assert optimize(other).chosen is not None
    larger = [c for c in load_roster().cnns if cnn.resident < c.resident < VGG16.resident]
    for candidate in larger:
        layers = tuple(layer for layer in candidate.layers if layer.name in candidate.default_layers)
        refused(replace(given, workload=replace(given.workload, cnn=candidate, layers=layers)))


def test_fewer_layers_are_named_where_they_fit() -> None:
    """Flattened conv4_6 needs more of the driver than the top layers do."""
    sites = replace(LOGISTIC, library="sklearn", sites=("driver",))
    call = EstimatorCall("sklearn", "LogisticRegression")
    given = snapshot(RESNET50, replace(FOODS_ENCODED, rows=3000), replace(LAPTOP, memory=10 * GB), pool=Pooling.NONE,
                     estimator=sites, call=call)  # fmt: skip
    error = refused(given)
    assert any(change.startswith("`layers: [") for change in error.changes)


def test_gpu_memory_limits_the_workers() -> None:
    """x times max(f_gpu, M_gpu) stays under the GPU's memory, strictly; no worker memory cures that."""
    data = replace(FOODS_ENCODED, cnn_gpu=3 * GB)
    plan = optimize(snapshot(RESNET50, data, replace(LAPTOP, cores=8, memory=64 * GB, gpu_memory=9 * GB)))
    assert plan.physical.cpu == 2
    error = refused(snapshot(RESNET50, data, replace(LAPTOP, gpu_memory=3 * GB)))
    assert "gpu_memory" in error.constraint
    assert error.smallest_memory is None
    larger_model = replace(data, model_gpu=5 * GB)
    assert (
        optimize(
            snapshot(RESNET50, larger_model, replace(LAPTOP, cores=8, memory=64 * GB, gpu_memory=9 * GB))
        ).physical.cpu
        == 1
    )


def test_deep_model_lives_in_dl_memory() -> None:
    """Cases 10(b), 11(b): M counts in DL Execution Memory, where it is larger than the CNN, and not in User Memory."""
    data = replace(FOODS_ENCODED, model_resident=2 * GB)
    call = EstimatorCall("variable", "net")
    plan = optimize(snapshot(RESNET50, data, replace(LAPTOP, memory=32 * GB), estimator=DEEP, call=call, cpu=2))
    assert plan.memory.dl_execution == 2 * 2 * GB
    shallow = replace(LOGISTIC, sites=("cluster",))
    heap = optimize(snapshot(RESNET50, data, replace(LAPTOP, memory=32 * GB), estimator=shallow, cpu=2))
    assert heap.memory.dl_execution == 2 * RESNET50.resident
    assert heap.memory.user == 2 * 2 * GB
    assert plan.memory.user < heap.memory.user


def test_deep_model_in_sigmod2020() -> None:
    """Equation 10(b): x max(f_mem, M_mem); 11(b): User Memory without M."""
    data = replace(FOODS, model_resident=3 * GB)
    call = EstimatorCall("variable", "net")
    deep = optimize(snapshot(RESNET50, data, estimator=DEEP, call=call, profile="sigmod2020", cpu=2))
    assert deep.memory.dl_execution == 2 * 3 * GB
    usual = optimize(snapshot(RESNET50, data, profile="sigmod2020", cpu=2))
    assert usual.memory.dl_execution == 2 * 1 * GB
    assert usual.memory.user == 2 * 3 * GB
    assert deep.memory.user < 1 * GB


def test_two_gigabytes_to_half_a_terabyte() -> None:
    """From Binder to the largest node there is a plan, and the regions are the whole memory."""
    for memory in (2, 4, 16, 64, 512):
        net = MOBILENETV2 if memory == 2 else RESNET50
        data = replace(FOODS_ENCODED, rows=600)
        plan = optimize(snapshot(net, data, replace(LAPTOP, memory=memory * GB), pool=Pooling.AVG))
        assert plan.memory.total == memory * GB
