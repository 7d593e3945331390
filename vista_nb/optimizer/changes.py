"""Changes to a cell that has no plan, mildest first.

Reads a snapshot and a test of whether a changed one has a plan; returns sentences. May touch: the roster file.
DESIGN.md section 7: pooling, fewer layers, another CNN; a decision that the user forced is given up before those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.spec.model import Pooling

__all__ = ["changes_that_fit"]

_FORCED = (
    "materialize", "batch_size", "cpu", "join", "num_partitions", "persistence", "training", "pooling",
    "materialization", "inference",
)  # fmt: skip


def changes_that_fit(snapshot: Snapshot, fits: Callable[[Snapshot], bool]) -> tuple[str, ...]:
    """The mildest change of each kind that has a plan: a forced decision, pooling, layers, CNN."""
    kinds = (_forced(snapshot), _pooling(snapshot), _layers(snapshot), _cnns(snapshot))
    found = (next((text for text, changed in kind if fits(changed)), None) for kind in kinds)
    return tuple(text for text in found if text is not None)


def _forced(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    spec = snapshot.workload.spec
    for name in _FORCED:
        if getattr(spec.plan, name) is not None:
            freed = replace(spec, plan=replace(spec.plan, **{name: None}))
            yield f"leave `plan: {name}` to the optimizer", _changed(snapshot, spec=freed)


def _pooling(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """A smaller vector per photo."""
    order = (Pooling.NONE, Pooling.MAX_2X2, Pooling.AVG)
    if snapshot.workload.pool in order:
        for pool in order[order.index(snapshot.workload.pool) + 1 :]:
            yield f"`pool: {pool.value}` makes shorter vectors, which fit", _changed(snapshot, pool=pool)


def _layers(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """The lowest layers are the largest: dropped first, as few as will do."""
    layers = snapshot.workload.layers
    for count in range(len(layers) - 1, 0, -1):
        names = ", ".join(layer.name for layer in layers[-count:])
        yield f"`layers: [{names}]` fits", _changed(snapshot, layers=layers[-count:])


def _cnns(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """The largest of the roster's CNNs that are smaller than this one, with their default layers."""
    mine = snapshot.workload.cnn
    smaller = [cnn for cnn in load_roster().cnns if cnn.name != mine.name and cnn.resident < mine.resident]
    for cnn in sorted(smaller, key=lambda other: -other.resident):
        layers = tuple(layer for layer in cnn.layers if layer.name in cnn.default_layers)
        statistics = replace(snapshot.statistics, cnn_serialized=None, cnn_resident=None, cnn_gpu=None)
        # nothing of the other CNN is known to be stored
        other = replace(snapshot, statistics=statistics, stored=(), missing_images=None)
        yield _cnn_words(cnn), _changed(other, cnn=cnn, layers=layers)


def _cnn_words(cnn: CNNFacts) -> str:
    return f"`cnn: {cnn.name}` fits"


def _changed(snapshot: Snapshot, **changes: object) -> Snapshot:
    return replace(snapshot, workload=replace(snapshot.workload, **changes))  # type: ignore[arg-type]
