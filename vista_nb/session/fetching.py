"""What a plan takes from the remote store, brought into the local one before the plan is walked.

Reads a plan and the store, returns which layer sets came. May touch: the store, both tiers. DESIGN.md section 9;
ADR 30.
The plan was made from what the remote store says it has. Where it does not keep its word, the plan is made again from
what is here: nothing of the executor needs to know that parts can fail to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from vista_nb.plan.logical import Load
from vista_nb.session.options import Options
from vista_nb.session.reuse import key_of, open_store, poolings_keys
from vista_nb.store.fetching import fetch

if TYPE_CHECKING:
    from vista_nb.catalog.snapshot import StoredLayer
    from vista_nb.catalog.workload import Workload
    from vista_nb.executor.inputs import ImageTables, ModelSource
    from vista_nb.plan.candidate import Plan
    from vista_nb.session.prepare import Prepared
    from vista_nb.store.files import Store

__all__ = ["fetch_layers", "fetched", "promised"]


def fetched(
    prepared: Prepared, plan: Plan, options: Options, say: Callable[[str], None], after: ExitStack
) -> tuple[Prepared, Plan, frozenset[str]]:
    """The plan that can be walked with what is here, and the keys of what came; it is under a lease until `after`."""
    from vista_nb.session.prepare import planned, with_stored

    wanted = promised(plan, prepared.snapshot.stored)
    if not wanted:
        return prepared, plan, frozenset()
    assert prepared.images is not None
    assert prepared.model is not None
    say(f"fetching {', '.join(stored.layer for stored in wanted)} from the remote store")
    store = open_store(options, of_run=True)
    after.callback(store.close)
    came, whole = fetch_layers(store, prepared.workload, prepared.images, prepared.model, wanted)
    if not whole:
        say("not all came from the remote store: planning with what is here")
        prepared = with_stored(prepared, prepared.model, replace(options, remote=False))
        prepared, plan = planned(prepared, options)
    return prepared, plan, came


def promised(plan: Plan, stored: Sequence[StoredLayer]) -> tuple[StoredLayer, ...]:
    """The layers that the plan reads and that are not all on this machine."""
    read = {layer for step in plan.logical.steps if isinstance(step, Load) and not step.raw for layer in step.layers}
    return tuple(layer for layer in stored if layer.pooled and layer.remote and layer.layer in read)


def fetch_layers(
    store: Store, workload: Workload, images: ImageTables, model: ModelSource, wanted: Sequence[StoredLayer]
) -> tuple[frozenset[str], bool]:
    """(keys of what came, whether all came that these layers were said to have). The run's notes say what did not."""
    needed = set(images.images.column("digest").to_pylist()) - images.unreadable.keys()
    came, whole = set[str](), True
    for stored in wanted:
        layer = workload.cnn.layer(stored.layer)
        assert layer is not None
        others = [key for _, key in poolings_keys(workload, model, layer)]
        there = set[str]()
        for key in (key_of(workload, model, stored.layer), *others):
            there |= store.digests(key) & needed
            new = fetch(store, key, needed - there)
            came |= {key} if new else set()
            there |= new
        whole = whole and len(there) >= stored.rows - stored.memory
    store.tell_later()
    return frozenset(came), whole
