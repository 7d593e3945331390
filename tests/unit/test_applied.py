"""A user's own SparkSession: what of a plan it can take over, what not, and what that costs."""

from __future__ import annotations

from dataclasses import replace

from planning_fixtures import FOODS_ENCODED, LAPTOP, RESNET50, VISTANET, snapshot

from vista_nb.optimizer.applied import Applied, SparkFacts, apply_to_session
from vista_nb.optimizer.optimize import optimize
from vista_nb.units import GB, MB

SYSTEM = replace(LAPTOP, cores=4, memory=16 * GB)
ROOMY = SparkFacts(heap=8 * GB, outside=7 * GB, cores=4)


def applied(session: SparkFacts, **forced: object) -> Applied:
    given = snapshot(RESNET50, replace(FOODS_ENCODED, rows=4000), SYSTEM, **forced)  # type: ignore[arg-type]
    return apply_to_session(optimize(given), given, session)


def kept(found: Applied) -> dict[str, bool]:
    return {setting.name: setting.kept for setting in found.settings}


def test_a_roomy_session_takes_every_decision() -> None:
    """Only the heap is smaller than planned, and that costs nothing."""
    found = applied(ROOMY)
    assert {name for name, same in kept(found).items() if not same} == {"heap"}
    assert found.constraint is None
    assert found.extra == 0
    assert found.plan.physical.cpu == 4


def test_what_is_never_lost() -> None:
    """Join, partitions, storage format, batch and training site are set per query, in any session."""
    found = kept(applied(SparkFacts(heap=2 * GB, outside=1300 * MB, cores=1)))
    assert all(found[name] for name in ("join", "num_partitions", "persistence", "batch_size", "training"))


def test_fewer_workers_where_memory_outside_the_heap_is_short() -> None:
    """2.6 GB hold two workers of 1.2 GB: slower, and it is said by how much and why."""
    found = applied(replace(ROOMY, outside=2600 * MB))
    assert found.plan.physical.cpu == 2
    assert found.plan.physical.threads_per_task == 2
    assert found.extra is not None
    text = "\n".join(found.lines)
    assert "cpu: 2 instead of 4, as 2.6 GB outside the heap hold 2 of 1.2 GB" in text
    assert "heap: 8.0 GB instead of" in text


def test_a_small_heap_spills_and_costs_seconds() -> None:
    """Raw tensors of a staged plan do not fit into 2 GB of heap: more goes to disk than planned."""
    small = replace(ROOMY, heap=2 * GB)
    found = applied(small, materialization="staged", pooling="pulled_up")
    roomy = applied(ROOMY, materialization="staged", pooling="pulled_up")
    assert found.seconds is not None
    assert roomy.seconds is not None
    assert found.seconds > roomy.seconds
    assert not kept(found)["storage"]


def test_a_session_that_cannot_run_it_names_the_inequality() -> None:
    """No single worker fits outside the heap; or User Memory is too small."""
    found = applied(replace(ROOMY, outside=1 * GB))
    assert found.constraint == "one worker 1.2 GB <= memory outside the heap 1.0 GB"
    assert found.seconds is None
    assert any("cannot run" in line for line in found.lines)
    tiny = applied(SparkFacts(heap=400 * MB, outside=7 * GB, cores=4))
    assert tiny.constraint is not None
    assert tiny.constraint.startswith("user ")


def test_stored_features_need_no_worker() -> None:
    """Nothing to infer: no memory outside the heap is asked for."""
    from vista_nb.catalog.snapshot import StoredLayer

    layers = tuple(StoredLayer(name, name, 500, 1, pooled=True) for name in ("block3", "block4", "block5"))
    given = snapshot(VISTANET, replace(FOODS_ENCODED, rows=500), SYSTEM, stored=layers, missing=0)
    assert apply_to_session(optimize(given), given, replace(ROOMY, outside=1)).constraint is None
