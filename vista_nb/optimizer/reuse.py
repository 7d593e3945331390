"""What the store answers and what still has to go through the CNN.

Reads a snapshot, returns a `Reuse`. May touch: nothing. DESIGN.md section 9: reuse is by image, so a layer set that
holds some of the images is loaded and only the missing images are inferred; a higher layer may start from a stored
raw lower cut, which is a choice of the optimizer (paper: figure 16 and the Pre-mat baseline). A cut that lacks some
of the images is filled from their photos first, and kept whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.workload import IMAGES

__all__ = ["Reuse", "find_reuse", "no_reuse", "starts"]


@dataclass(frozen=True)
class Reuse:
    """loaded: layers with stored rows; inferred: layers that lack some image; both low to high.

    images: how many go through the CNN; loaded_images: the most that any loaded layer brings. cut: the raw layer that
    inference starts from, None for images: of cut_loaded images the store has it, of cut_made it is made from the photo
    and kept. from_memory: some loaded rows lie in Storage Memory alone; cut_from_memory: the cut does.
    """

    loaded: tuple[str, ...]
    inferred: tuple[str, ...]
    images: int
    loaded_images: int = 0
    cut: str | None = None
    cut_loaded: int = 0
    cut_made: int = 0
    from_memory: bool = False
    cut_from_memory: bool = False

    @property
    def start_layer(self) -> str | None:
        """The layer the plan starts from: None means images, as long as all that is inferred comes from photos."""
        if self.inferred or self.cut:
            return self.cut if self.cut_loaded else None
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
    memory = any(stored[name].memory for name in loaded)
    return _kept(snapshot, Reuse(loaded, inferred, _missing(snapshot, inferred), rows, from_memory=memory))


def no_reuse(snapshot: Snapshot) -> Reuse:
    """Everything from images, as the published system does."""
    return Reuse((), snapshot.workload.layer_names, snapshot.images)


def starts(snapshot: Snapshot, reuse: Reuse) -> tuple[Reuse, ...]:
    """From images, and from each stored raw layer that lies no higher than the lowest layer to infer.

    What is to be kept is the start of all else; `plan: {start: ...}` leaves one, if there is such a one.
    """
    forced = snapshot.workload.forced_start
    if reuse.cut is not None or not reuse.inferred or forced == IMAGES:
        return (reuse,)
    order = {layer.name: place for place, layer in enumerate(snapshot.workload.cnn.layers)}
    lowest = min(order[name] for name in reuse.inferred)
    cuts = [_from(cut, reuse) for cut in snapshot.raw_cuts if order[cut.layer] <= lowest and _useful(cut, reuse)]
    wanted = tuple(cut for cut in cuts if cut.cut == forced)
    return wanted or (reuse, *cuts)


def _from(cut: StoredLayer, reuse: Reuse) -> Reuse:
    useful = _useful(cut, reuse)
    made = reuse.images - useful
    return replace(reuse, cut=cut.layer, cut_loaded=useful, cut_made=made, cut_from_memory=cut.memory > 0)


def _useful(cut: StoredLayer, reuse: Reuse) -> int:
    """Of how many images to infer the cut is there."""
    return min(reuse.images, cut.rows if cut.useful is None else cut.useful)


def _kept(snapshot: Snapshot, reuse: Reuse) -> Reuse:
    """`plan: {materialize: ...}`: the images whose raw tensors are not there yet go through the CNN to that layer."""
    keep = snapshot.workload.kept_layer
    stored = snapshot.raw_layer(keep) if keep else None
    made = snapshot.images - (stored.rows if stored else 0)
    if keep is None or made <= 0:
        return reuse
    useful = _useful(stored, reuse) if stored else 0
    images = reuse.images if reuse.inferred else made
    return replace(reuse, images=images, cut=keep, cut_loaded=useful if reuse.inferred else 0, cut_made=made)


def _missing(snapshot: Snapshot, inferred: tuple[str, ...]) -> int:
    if not inferred:
        return 0
    return snapshot.images if snapshot.missing_images is None else snapshot.missing_images
