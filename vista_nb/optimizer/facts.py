"""Numbers that every candidate of one optimization shares, looked up once.

Reads a snapshot, what is reused and the rates; returns a `Facts`. May touch: nothing. Paper: Table 1(A).
Overrides of the spec's `statistics` win over the roster.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.roster import LayerFacts
from vista_nb.catalog.sizes import layer_length, model_memory
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.rates import Rates
from vista_nb.optimizer.reuse import Reuse
from vista_nb.optimizer.tables import collected_widths, feature_widths

__all__ = ["Facts", "gather", "given", "model_bytes"]


@dataclass(frozen=True)
class Facts:
    """raw (with the rest of its cut) and pooled: values per record for every layer of the CNN.

    widths: of a training row of each layer in L; collected: before `reduce: pca K`, which works in the kernel.
    layers: every layer of the CNN by name (a stored cut may lie below L). model_bytes: |M|_mem.

    model_in_dl: M is a deep model, so it lives where the CNN does (the paper's cases 10(b), 11(b)).
    """

    snapshot: Snapshot
    reuse: Reuse
    rates: Rates
    raw: dict[str, int]
    pooled: dict[str, int]
    widths: dict[str, int]
    collected: dict[str, int]
    layers: dict[str, LayerFacts]
    model_bytes: int
    model_in_dl: bool
    train_rows: int

    @property
    def widest(self) -> int:
        return max(self.widths.values())

    @property
    def widest_collected(self) -> int:
        return max(self.collected.values())


def given(override: int | None, otherwise: int) -> int:
    """The override where there is one; 0 is one."""
    return otherwise if override is None else override


def model_bytes(snapshot: Snapshot) -> int:
    """|M|_mem: `statistics: model_resident`, or the estimator family's formula for the widest feature vector."""
    workload, stats = snapshot.workload, snapshot.statistics
    widest = max(feature_widths(snapshot))
    return given(stats.model_resident, model_memory(workload.estimator, workload.call, widest, stats.classes))


def gather(snapshot: Snapshot, reuse: Reuse, rates: Rates) -> Facts:
    """Everything the stages need, from one snapshot."""
    workload, stats = snapshot.workload, snapshot.statistics
    layers = {layer.name: layer for layer in (*workload.cnn.layers, *workload.layers)}

    top = workload.layers[-1].name
    return Facts(
        snapshot=snapshot,
        reuse=reuse,
        rates=rates,
        raw={
            # nothing goes on from the top layer
            name: stats.views * (layer.length if name == top else layer.stored_length)
            for name, layer in layers.items()
        },
        pooled={
            name: layer_length(layer.shape, workload.pool, pushed_down=True, views=stats.views)
            for name, layer in layers.items()
        },
        widths=dict(zip(workload.layer_names, feature_widths(snapshot), strict=True)),
        collected=dict(zip(workload.layer_names, collected_widths(snapshot), strict=True)),
        layers=layers,
        model_bytes=model_bytes(snapshot),
        model_in_dl=snapshot.workload.estimator.family == "deep",
        train_rows=round(stats.rows * (1 - stats.test)),
    )
