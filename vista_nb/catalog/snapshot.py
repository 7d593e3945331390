"""One immutable value that the optimizer plans from: workload, statistics, system, and what is already stored.

Reads nothing, returns frozen values. May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import COLD, WarmFacts
from vista_nb.catalog.workload import Workload

__all__ = ["NOTHING_BESIDE", "Beside", "Snapshot", "StoredLayer"]


@dataclass(frozen=True)
class StoredLayer:
    """A layer set of the store, as far as this workload can use it.

    rows: of the images this workload needs, how many are there (digest match); size: bytes of the whole set; pooled:
    false for raw tensors, a cut of the CNN that inference may start from (the layer may lie below those of the
    workload); useful: of these rows, how many are of images that lack a pooled layer (None: all); memory: how many lie
    in Spark's Storage Memory alone; remote: how many in the remote store alone; pooled_from: some are made of this
    other pooling. run, created (seconds since 1970), seconds_per_image: for the line that reports the reuse.
    """

    layer: str
    key: str
    rows: int
    size: int
    run: str = ""
    created: float = 0.0
    seconds_per_image: float = 0.0
    pooled: bool = True
    useful: int | None = None
    memory: int = 0
    pooled_from: str = ""
    remote: int = 0


@dataclass(frozen=True)
class Beside:
    """What a pass may keep of layers that nobody asked for, so that later cells find them.

    mode: auto | always | never. room: bytes that the store takes without evicting anything. held: layers of which it
    has every image already.
    """

    mode: str = "never"
    room: int = 0
    held: frozenset[str] = frozenset()


NOTHING_BESIDE = Beside()
"""A what-if and a run without a store keep nothing for later."""


@dataclass(frozen=True)
class Snapshot:
    """Everything the optimizer may know. `stored` holds only layers with at least one usable row.

    missing_images: images that no layer set covers wholly, i.e. that must go through the CNN (None: all).
    warm: what earlier cells of this kernel left behind. beside: what may be kept for later ones.
    """

    workload: Workload
    statistics: WorkloadStatistics
    system: SystemFacts
    stored: tuple[StoredLayer, ...] = ()
    missing_images: int | None = None
    warm: WarmFacts = COLD
    beside: Beside = NOTHING_BESIDE

    @property
    def images(self) -> int:
        """Distinct images the workload needs."""
        stats = self.statistics
        return stats.images if stats.images is not None else stats.rows * stats.views

    def stored_layer(self, layer: str) -> StoredLayer | None:
        """The pooled features of that layer, if any are stored."""
        return next((s for s in self.stored if s.layer == layer and s.pooled), None)

    def raw_layer(self, layer: str) -> StoredLayer | None:
        """The raw tensors of that layer, if any are stored."""
        return next((s for s in self.stored if s.layer == layer and not s.pooled), None)

    @property
    def raw_cuts(self) -> tuple[StoredLayer, ...]:
        """Layers with stored raw tensors, low to high."""
        raw = (self.raw_layer(layer.name) for layer in self.workload.cnn.layers)
        return tuple(stored for stored in raw if stored is not None)

    def is_complete(self, layer: str) -> bool:
        """Whether every image this workload needs has this layer stored."""
        stored = self.stored_layer(layer)
        return stored is not None and stored.rows >= self.images > 0
