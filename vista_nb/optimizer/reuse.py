"""What the store answers and what still has to go through the CNN.

Reads a snapshot, returns a `Reuse`. May touch: nothing. DESIGN.md section 9: reuse is by image, so a layer set that
holds some of the images is loaded and only the missing images are inferred; a higher layer may start from a stored
raw lower cut, which is a choice of the optimizer (paper: figure 16).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vista_nb.catalog.snapshot import Snapshot

__all__ = ["Reuse", "find_reuse", "no_reuse", "starts"]


@dataclass(frozen=True)
class Reuse:
    """loaded: layers with stored rows; inferred: layers that lack some image; both low to high.

    images: how many go through the CNN; loaded_images: the most that any loaded layer brings. cut: the stored raw
    layer that inference starts from, None for images.
    """

    loaded: tuple[str, ...]
    inferred: tuple[str, ...]
    images: int
    loaded_images: int = 0
    cut: str | None = None

    @property
    def start_layer(self) -> str | None:
        """The layer the plan starts from: None means images, as long as a single image is inferred from its photo."""
        if self.inferred:
            return self.cut
        return self.loaded[0] if self.loaded else None


def find_reuse(snapshot: Snapshot) -> Reuse:
    """Pooled layer sets are always used: reading a vector is cheaper than any inference."""
    names = snapshot.workload.layer_names
    stored = {s.layer: s for s in snapshot.stored if s.pooled and s.rows > 0}
    loaded = tuple(name for name in names if name in stored)
    inferred = tuple(name for name in names if name not in loaded or not snapshot.is_complete(name))
    if snapshot.missing_images == 0 and loaded == names:
        inferred = ()
    rows = max((stored[name].rows for name in loaded), default=0)
    return Reuse(loaded, inferred, _missing(snapshot, inferred), rows)


def no_reuse(snapshot: Snapshot) -> Reuse:
    """Everything from images, as the published system does."""
    return Reuse((), snapshot.workload.layer_names, snapshot.images)


def starts(snapshot: Snapshot, reuse: Reuse, *, from_cuts: bool) -> tuple[Reuse, ...]:
    """From images, and from each stored raw layer that lies no higher than the lowest layer to infer."""
    if not from_cuts or not reuse.inferred:
        return (reuse,)
    cnn = snapshot.workload.cnn
    order = {layer.name: place for place, layer in enumerate(cnn.layers)}
    lowest = min(order[name] for name in reuse.inferred)
    cuts = (cut for cut in snapshot.raw_cuts if order.get(cut, lowest + 1) <= lowest)
    return (reuse, *(replace(reuse, cut=cut) for cut in cuts))


def _missing(snapshot: Snapshot, inferred: tuple[str, ...]) -> int:
    if not inferred:
        return 0
    return snapshot.images if snapshot.missing_images is None else snapshot.missing_images
