"""The default profile: choices, constraints, reuse, waves, errors; properties over random machines and data."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning_fixtures import (
    BINDER,
    CALL,
    FOODS_ENCODED,
    LAPTOP,
    LOGISTIC,
    MOBILENETV2,
    PAPER_CLUSTER,
    PHOTOS,
    RESNET50,
    VISTANET,
    kinds,
    snapshot,
)

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import WarmFacts
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import NoFeasiblePlan
from vista_nb.optimizer.candidates import EVERYTHING
from vista_nb.optimizer.memory import reserved
from vista_nb.optimizer.optimize import STAGES, optimize
from vista_nb.optimizer.starting import possible_passes
from vista_nb.plan.explain import explain
from vista_nb.plan.explain_json import infeasible_json, to_json
from vista_nb.plan.logical import (
    Infer,
    Join,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Train,
    TrainBaselines,
)
from vista_nb.plan.waves import wave_bounds
from vista_nb.plan.why import runners_up
from vista_nb.spec.model import EstimatorCall, Pooling
from vista_nb.units import GB, MB


def test_stages_read_as_the_design() -> None:
    """The tuple of stages is the table of contents of the optimizer."""
    assert [stage.__name__ for stage in STAGES] == [
        "enumerate_logical_plans",
        "prune_physical_plans",
        "admit_by_memory",
        "rank_by_cost",
        "keep_beside",
        "spread_over_waves",
        "assemble",
    ]


def test_eager_pushed_down_wins_on_a_laptop() -> None:
    """One pass with pooled outputs beats moving raw tensors; two workers use both cores."""
    plan = optimize(snapshot(MOBILENETV2, PHOTOS, LAPTOP, pool=Pooling.AVG))
    assert plan.logical.name == "eager, inference after join, pooling pushed down"
    assert (plan.physical.cpu, plan.physical.threads_per_task) == (2, 1)
    assert kinds(plan.logical.steps) == [
        "scan_structured",
        "scan_images",
        "join",
        "train_baselines",
        "infer",
        "save",
        *["train"] * 4,
    ]
    infer = plan.logical.steps[4]
    assert infer == Infer(5, None, plan.layers, True, 2000)


def test_staged_steps() -> None:
    """Infer, pool, save, train, release the layer below; the last raw layer is released at the end."""
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, materialization="staged", pooling="pulled_up", waves=1))
    assert plan.logical.steps == (
        ScanStructured(1), ScanImages(2), Join(3), TrainBaselines(4),
        Infer(5, None, ("block3",), False, 2000), Pool(6, "block3"), Save(7, ("block3",)), Train(8, "block3"),
        Infer(9, "block3", ("block4",), False, 2000), Pool(10, "block4"), Save(11, ("block4",)), Train(12, "block4"),
        Release(13, "block3"),
        Infer(14, "block4", ("block5",), False, 2000), Pool(15, "block5"), Save(16, ("block5",)), Train(17, "block5"),
        Release(18, "block4"), Release(19, "block5"),
    )  # fmt: skip


def test_small_memory_keeps_one_worker_on_binder() -> None:
    """2 GB hold TensorFlow with a small CNN, the smallest heap and the kernel."""
    plan = optimize(snapshot(VISTANET, PHOTOS, replace(BINDER, cores=2)))
    assert plan.physical.cpu == 1
    assert plan.memory.total == 2 * GB
    assert plan.memory.heap >= 471_859_200
    assert plan.memory.storage > 0


def test_mobilenet_fits_into_2_gb() -> None:
    """A CNN of 0.85 GB resident and one worker."""
    plan = optimize(snapshot(MOBILENETV2, replace(PHOTOS, rows=600), BINDER, pool=Pooling.AVG))
    assert plan.chosen is not None
    assert plan.chosen.feasible


def test_resnet50_does_not_fit_into_2_gb_and_the_error_helps() -> None:
    """The inequality with its slack, the exact smallest memory, a hint; the JSON says the same."""
    with pytest.raises(NoFeasiblePlan, match=r"short by|nothing left") as caught:
        optimize(snapshot(RESNET50, PHOTOS, replace(BINDER, memory=1_500 * MB)))
    error = caught.value
    assert error.exit_status == 3
    assert "dl_execution" in error.constraint
    assert error.smallest_memory is not None
    assert 1_500 * MB < error.smallest_memory < 3 * GB
    assert error.hint
    assert infeasible_json(error) == {
        "error": error.message,
        "constraint": error.constraint,
        "smallest_memory": error.smallest_memory,
    }


def test_hint_gives_up_a_forced_decision_first() -> None:
    """Eight forced workers do not fit into 4 GB; leaving cpu to the optimizer does."""
    with pytest.raises(NoFeasiblePlan) as caught:
        optimize(snapshot(RESNET50, PHOTOS, replace(LAPTOP, memory=4 * GB, cores=8), cpu=8))
    assert caught.value.hint == "leave `plan: cpu` to the optimizer"


def test_forced_broadcast_of_a_large_table_has_no_memory_remedy() -> None:
    """|T_str| >= b_max is not cured by memory."""
    large = WorkloadStatistics(rows=1_000_000, structured_features=100, image_bytes=10_000)
    with pytest.raises(NoFeasiblePlan, match="b_max") as caught:
        optimize(snapshot(VISTANET, large, replace(LAPTOP, memory=256 * GB), join="broadcast"))
    assert caught.value.smallest_memory is None
    assert caught.value.hint == "leave `plan: join` to the optimizer"


def test_spill_needs_free_disk() -> None:
    """Raw tensors beyond Storage Memory spill; without disk the plan is infeasible and pushing down is the hint."""
    system = replace(LAPTOP, memory=8 * GB, disk_free=1 * GB)
    with pytest.raises(NoFeasiblePlan, match="free disk") as caught:
        optimize(snapshot(RESNET50, FOODS_ENCODED, system, materialization="staged"))
    assert caught.value.hint == "leave `plan: materialization` to the optimizer"
    plan = optimize(snapshot(RESNET50, FOODS_ENCODED, replace(system, disk_free=None), materialization="staged"))
    assert any("go to disk" in note for note in plan.notes)


def test_everything_forced_is_obeyed() -> None:
    """Forced decisions are the only candidate's, up to the training site."""
    forced = {
        "materialization": "staged", "inference": "after_join", "pooling": "pulled_up", "join": "shuffle",
        "persistence": "serialized", "cpu": 2, "num_partitions": 10, "batch_size": 16, "waves": 2,
    }  # fmt: skip
    result = to_json(optimize(snapshot(VISTANET, PHOTOS, LAPTOP, **forced)))
    told = {**result["logical"], **result["physical"]}
    assert {key: told[key] for key in forced} == forced
    assert len(result["candidates"]) == 2


def test_other_plans_can_be_forced_for_explain() -> None:
    """Lazy is planned though not runnable yet: one pass from the image per layer, hence more FLOPs."""
    eager = optimize(snapshot(RESNET50, PHOTOS, LAPTOP))
    lazy = optimize(snapshot(RESNET50, PHOTOS, LAPTOP, materialization="lazy"))
    assert lazy.logical.materialization == "lazy"
    assert all(s.start is None for s in lazy.logical.steps if isinstance(s, Infer))
    assert eager.chosen is not None
    assert lazy.chosen is not None
    assert lazy.chosen.flops is not None
    assert eager.chosen.flops is not None
    assert 4.6 < lazy.chosen.flops / eager.chosen.flops < 4.9
    before = optimize(snapshot(RESNET50, PHOTOS, LAPTOP, inference="before_join", materialization="staged"))
    assert before.sizes.s_double < optimize(snapshot(RESNET50, PHOTOS, LAPTOP, materialization="staged")).sizes.s_double
    assert explain(before)


def test_every_shape_of_plan_is_weighed() -> None:
    """All twelve: the executor runs each of them."""
    plan = optimize(snapshot(RESNET50, PHOTOS, LAPTOP))
    shapes = {(c.logical.materialization, c.logical.inference, c.logical.pooling) for c in plan.candidates}
    assert shapes == set(EVERYTHING.shapes)


def test_estimator_that_needs_the_cluster() -> None:
    """An L1 penalty has no equal on the driver, a scikit-learn estimator none on the cluster."""
    elastic = EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01), ("elasticNetParam", 0.5)))
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, call=elastic))
    assert {c.physical.training for c in plan.candidates} == {"cluster"}
    svc = EstimatorFacts("sklearn", "SVC", ("classification",), ("C",), ("driver",), "other")
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, estimator=svc, call=EstimatorCall("sklearn", "SVC")))
    assert {c.physical.training for c in plan.candidates} == {"driver"}


def test_waves_cost_at_most_a_tenth() -> None:
    """Cheap training: three waves. Dear training: fewer. Forced: as told."""
    cheap = optimize(snapshot(MOBILENETV2, PHOTOS, LAPTOP, pool=Pooling.AVG))
    assert cheap.logical.waves == 3
    assert cheap.chosen is not None
    assert 0 < cheap.chosen.interim_seconds <= 0.1 * cheap.chosen.seconds  # type: ignore[operator]
    one_wave = optimize(snapshot(MOBILENETV2, PHOTOS, LAPTOP, pool=Pooling.AVG, waves=1))
    assert one_wave.chosen is not None
    assert one_wave.chosen.seconds == cheap.chosen.seconds  # interim training is never part of seconds
    assert cheap.chosen.first_result_seconds < one_wave.chosen.first_result_seconds  # type: ignore[operator]
    forest = EstimatorFacts("sklearn", "RandomForestClassifier", ("classification",), (), ("driver",), "ensemble", 100)
    call = EstimatorCall("sklearn", "RandomForestClassifier")
    # in a kernel whose engines are up: a cold start is long enough to hide what the waves cost
    given = snapshot(MOBILENETV2, replace(PHOTOS, rows=200), LAPTOP, estimator=forest, call=call)
    warm = WarmFacts(jvm=True, known_model=True, workers=2, threads=1, made=possible_passes(given))
    dear = optimize(replace(given, warm=warm))
    assert dear.logical.waves < 3


def test_wave_bounds() -> None:
    """About 10 %, 30 %, 100 %; each wave's end is the next one's start."""
    assert wave_bounds(1) == ((0.0, 1.0),)
    assert wave_bounds(2) == ((0.0, 0.3), (0.3, 1.0))
    assert wave_bounds(3) == ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0))
    with pytest.raises(ValueError, match="at least 1"):
        wave_bounds(0)


def test_ladder_goes_from_smaller_batches_to_fewer_workers() -> None:
    """Mildest first; partitions stay, so finished ones are kept."""
    plan = optimize(snapshot(MOBILENETV2, PHOTOS, LAPTOP, pool=Pooling.AVG))
    steps = [(p.cpu, p.batch_size, p.threads_per_task) for p in plan.ladder]
    assert steps == [(2, 16, 1), (2, 8, 1), (2, 4, 1), (1, 4, 2)]
    assert {p.num_partitions for p in plan.ladder} == {plan.physical.num_partitions}


def test_cluster_reports_the_driver_apart() -> None:
    """Worker regions have no driver; the driver's machine has its own, up to its memory."""
    plan = optimize(snapshot(RESNET50, FOODS_ENCODED, PAPER_CLUSTER))
    assert plan.memory.driver == 0
    assert plan.driver_node is not None
    assert plan.driver_node.total == 32 * GB
    assert to_json(plan)["driver_node"]["total"] == 32 * GB
    assert "driver_node" not in to_json(optimize(snapshot(VISTANET, PHOTOS, LAPTOP)))


def test_driver_machine_too_small() -> None:
    """Driver-side training of 20 129 x 8 322 values does not fit into 2 GB of another machine."""
    system = replace(PAPER_CLUSTER, driver_memory=2 * GB)
    sklearn = EstimatorFacts("sklearn", "LogisticRegression", ("classification",), ("C",), ("driver",), "linear", 100)
    with pytest.raises(NoFeasiblePlan, match="driver machine") as caught:
        optimize(snapshot(RESNET50, FOODS_ENCODED, system, estimator=sklearn, call=EstimatorCall("sklearn", "X")))
    assert caught.value.smallest_memory is None


def test_runners_up_show_the_other_plan() -> None:
    """The best staged plan is among those shown, with a reason."""
    plan = optimize(snapshot(RESNET50, PHOTOS, LAPTOP))
    others = runners_up(plan)
    assert any(c.logical.materialization == "staged" for c in others)
    assert all(c.why for c in others)
    assert plan.chosen not in others


def test_reserved_memory_scales_down() -> None:
    """The paper's 3 GB and 2.4 GB from 32 GB on, in proportion below, floors on small machines (ADR 5)."""
    assert reserved(32 * GB) == reserved(64 * GB) == (3 * GB, 2_400 * MB)
    assert reserved(16 * GB) == (1_500 * MB, 1_200 * MB)
    assert reserved(1 * GB) == (200 * MB, 480 * MB)


SYSTEMS = st.builds(
    SystemFacts,
    memory=st.integers(300 * MB, 64 * GB),
    cores=st.integers(1, 4),
    nodes=st.integers(1, 2),
    disk_free=st.one_of(st.none(), st.integers(0, 100 * GB)),
    master=st.sampled_from(["local[*]", "spark://head:7077"]),
)
DATA = st.builds(
    WorkloadStatistics,
    rows=st.integers(1, 200_000),
    structured_features=st.integers(0, 300),
    image_bytes=st.integers(500, 5_000_000),
    views=st.integers(1, 3),
    classes=st.sampled_from([0, 2, 7]),
)
SNAPSHOTS = st.builds(
    snapshot,
    st.sampled_from([RESNET50, MOBILENETV2, VISTANET]),
    DATA,
    SYSTEMS,
    pool=st.sampled_from(list(Pooling)),
    layers=st.sampled_from([1, 2, None]),
    estimator=st.just(LOGISTIC),
    call=st.just(CALL),
    materialization=st.sampled_from([None, "staged", "eager", "lazy"]),
)


@settings(max_examples=15, deadline=None)
@given(SNAPSHOTS)
def test_properties_of_every_plan(given_snapshot: Snapshot) -> None:
    """Regions sum to total; the chosen plan fits and is the fastest that does; JSON says what the plan says."""
    try:
        plan = optimize(given_snapshot)
    except NoFeasiblePlan as error:
        _check_smallest_memory(given_snapshot, error)
        return
    result = to_json(plan)
    memory = result["memory"]
    assert memory["total"] == given_snapshot.system.memory == sum(v for k, v in memory.items() if k != "total")
    assert all(size >= 0 for size in memory.values())
    chosen, *others = result["candidates"]
    assert chosen["feasible"]
    assert chosen["why"] is None
    assert chosen["seconds"] == min(c["seconds"] for c in result["candidates"] if c["feasible"])
    assert all(c["why"] for c in others)
    assert chosen["peak_bytes"] <= memory["total"]
    assert {**result["logical"], **result["physical"]} == {
        key: chosen[key] for key in (*result["logical"], *result["physical"])
    }
    assert chosen["interim_seconds"] <= 0.1 * chosen["seconds"] + 0.001
    steps = (plan.start_seconds or 0.0) + sum(s for _, s in plan.seconds_by_step)
    assert math.isclose(steps, chosen["seconds"], abs_tol=0.05)
    assert json.loads(json.dumps(result)) == result
    assert explain(plan).count("\n") < 120


def _check_smallest_memory(given_snapshot: Snapshot, error: NoFeasiblePlan) -> None:
    """At smallest_memory there is a plan, one byte below there is none."""
    smallest = error.smallest_memory
    if smallest is None:
        return

    def at(memory: int) -> Snapshot:
        return replace(given_snapshot, system=replace(given_snapshot.system, memory=memory))

    assert smallest > given_snapshot.system.memory
    assert optimize(at(smallest)).memory.total == smallest
    with pytest.raises(NoFeasiblePlan):
        optimize(at(smallest - 1))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40 * GB))
def test_free_memory_never_shrinks_as_memory_grows(memory: int) -> None:
    """What os_reserved and core leave grows with the machine, byte by byte, so bisection is exact."""
    assert memory + 1 - sum(reserved(memory + 1)) >= memory - sum(reserved(memory))
