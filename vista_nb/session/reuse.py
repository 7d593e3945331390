"""What the store can answer: for each layer of a workload, how many of its images are already there.

Reads the store's manifests and digest columns; returns catalog values for the optimizer. May touch: the store, read
only. DESIGN.md section 9: keyed by content, so another label, split, key or folder finds the same rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaStoreError
from vista_nb.plan.fingerprint import layer_key, preprocessing_key
from vista_nb.session.options import Options
from vista_nb.store.files import Store, store_root

if TYPE_CHECKING:
    from vista_nb.executor.inputs import ImageTables, ModelSource

__all__ = ["key_of", "stored_layers"]


def key_of(workload: Workload, model: ModelSource, layer: str) -> str:
    """The key of one layer set: model digest, preprocessing, layer, pooling, precision; nothing else."""
    cnn = workload.cnn
    preprocessing = preprocessing_key(cnn.preprocessing, cnn.input_height, cnn.input_width, cnn.channels)
    return layer_key(model.digest, preprocessing, layer, workload.pool.value, workload.precision.value)


def stored_layers(
    workload: Workload, images: ImageTables, model: ModelSource, options: Options
) -> tuple[tuple[StoredLayer, ...], int | None]:
    """(layers with at least one usable row, images that lack a layer). `--reuse never` looks at nothing.

    options.verify: checksums too, so that a broken part is inferred again; an explain does without.
    """
    needed = set(images.images.column("digest").to_pylist())
    if options.reuse == "never":
        return (), len(needed)
    store = Store(Path(options.store_dir) if options.store_dir else store_root())
    try:
        found = [_stored(store, workload, model, layer, needed, options.verify) for layer in workload.layer_names]
    except VistaStoreError:
        if options.reuse == "require":
            raise
        return (), len(needed)  # a store that cannot be read holds nothing; the run notes it
    usable = tuple(layer for layer, _ in found if layer is not None)
    complete = set.intersection(*(digests for _, digests in found)) if found else set()
    missing = len(needed - complete)
    if options.reuse == "require" and missing:
        raise VistaStoreError(
            "VST603",
            f"--reuse require: {missing} of {len(needed)} images lack a stored layer",
            "run once with --reuse auto",
        )
    return usable, missing


def _stored(
    store: Store, workload: Workload, model: ModelSource, layer: str, needed: set[str], verify: bool
) -> tuple[StoredLayer | None, set[str]]:
    key = key_of(workload, model, layer)
    if verify:
        store.verify(key)
    known = store.lookup(key)
    if known is None:
        return None, set()
    digests = store.digests(key) & needed
    if not digests:
        return None, digests
    return StoredLayer(layer, key, len(digests), known.size, known.run, known.created, known.seconds_per_image), digests
