"""What the store can answer: for each layer of a workload, how many of its images are already there.

Reads the store's manifests and digest columns; returns catalog values for the optimizer. May touch: the store, read
only. DESIGN.md section 9: keyed by content, so another label, split, key or folder finds the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.catalog.bind_cluster import is_cluster
from vista_nb.catalog.poolings import poolings_holding
from vista_nb.catalog.snapshot import Beside, StoredLayer
from vista_nb.catalog.workload import IMAGES, Workload
from vista_nb.errors import VistaStoreError
from vista_nb.plan.fingerprint import layer_key, preprocessing_key, raw_pooling
from vista_nb.session.memory import current_tier
from vista_nb.session.options import Options
from vista_nb.session.speculating import beside
from vista_nb.store.fetching import remote_rows
from vista_nb.store.files import Store
from vista_nb.store.place import store_place
from vista_nb.store.unreadable import known_unreadable, remember_unreadable

if TYPE_CHECKING:
    from vista_nb.catalog.roster import LayerFacts
    from vista_nb.executor.inputs import ImageTables, ModelSource
    from vista_nb.executor.memory_tier import MemoryTier
    from vista_nb.plan.candidate import Plan
    from vista_nb.session.prepare import Prepared

__all__ = [
    "broken_cut",
    "kept_beside",
    "key_of",
    "known_bad",
    "open_store",
    "poolings_keys",
    "raw_key_of",
    "remember_bad",
    "stored_layers",
]


def known_bad(workload: Workload, images: ImageTables, options: Options) -> ImageTables:
    """The images with those marked that an earlier run could not read; `--reuse never` looks again."""
    if options.reuse == "never":
        return images
    digests = images.images.column("digest").to_pylist()
    return replace(images, unreadable=known_unreadable(_folder(options), _preprocessing(workload), digests))


def remember_bad(prepared: Prepared, options: Options, reasons: Mapping[str, str]) -> None:
    """What a run could not read, for later cells."""
    remember_unreadable(_folder(options), _preprocessing(prepared.workload), reasons)


def _folder(options: Options) -> Path:
    return store_place(options.store_dir).folder


def open_store(options: Options, *, of_run: bool = False) -> Store:
    """The store that a cell means, with the tier behind it."""
    folder, remote = store_place(options.store_dir)
    store = Store(folder, options.store_budget, of_run=of_run, remote=remote if options.remote else None)
    if store.remote is not None and options.reuse == "require":
        store.remote.ask_again()
    return store


def key_of(workload: Workload, model: ModelSource, layer: str) -> str:
    """The key of one layer set: model digest, preprocessing, layer, pooling, precision; nothing else."""
    return _key(workload, model, layer, workload.pool.value)


def raw_key_of(workload: Workload, model: ModelSource, layer: LayerFacts) -> str:
    """The key of the layer's raw tensors."""
    return _key(workload, model, layer.name, raw_pooling(layer))


def _key(workload: Workload, model: ModelSource, layer: str, pooling: str) -> str:
    return layer_key(model.digest, _preprocessing(workload), layer, pooling, workload.precision.value)


def _preprocessing(workload: Workload) -> str:
    cnn = workload.cnn
    return preprocessing_key(cnn.preprocessing, cnn.input_height, cnn.input_width, cnn.channels)


def stored_layers(
    workload: Workload, images: ImageTables, model: ModelSource, options: Options
) -> tuple[tuple[StoredLayer, ...], int | None]:
    """(layers with at least one usable row, raw ones after the pooled; images that lack a layer).

    `--reuse never` looks at nothing but the raw layer that `plan: {start: ...}` names. options.verify: checksums of
    pooled sets too, so that a broken part is inferred again; an explain does without.
    """
    needed = set(images.images.column("digest").to_pylist()) - images.unreadable.keys()
    store = open_store(options)
    try:
        pooled, complete = _pooled(store, workload, model, needed, options)
        away = is_cluster(workload.spec.resources)  # workers elsewhere do not see the store
        raw = () if away else _raw(store, workload, model, needed, needed - complete, options)
    except VistaStoreError:
        if options.reuse == "require":
            raise
        pooled, complete, raw = (), set(), ()  # a store that cannot be read holds nothing; the run notes it
    missing = len(needed - complete)
    if options.reuse == "require" and missing:
        if store.remote_trouble is not None:
            raise store.remote_trouble  # it may have them
        raise VistaStoreError(
            "VST603",
            f"--reuse require: {missing} of {len(needed)} images lack a stored layer",
            "run once with --reuse auto",
        )
    _check_start(workload, raw, len(needed), missing)
    return (*pooled, *raw), missing


def kept_beside(
    workload: Workload, images: ImageTables, model: ModelSource, missing: int | None, options: Options
) -> Beside:
    """What the run may keep of other layers, for later cells."""
    needed = set(images.images.column("digest").to_pylist()) - images.unreadable.keys()
    store = open_store(options)
    return beside(store, workload, needed, missing, lambda layer: key_of(workload, model, layer), options)


def broken_cut(prepared: Prepared, plan: Plan, options: Options) -> bool:
    """Whether parts of the stored cut that a plan starts from proved broken: it must be planned again without them.

    Checksums of raw tensors are read only here, once a plan wants them: they may be gigabytes.
    """
    layer = prepared.workload.cnn.layer(plan.logical.start_layer or "")
    if plan.logical.cut is None or layer is None or prepared.model is None:
        return False
    store = open_store(options)
    return bool(store.verify(raw_key_of(prepared.workload, prepared.model, layer)))


def _check_start(workload: Workload, raw: tuple[StoredLayer, ...], needed: int, missing: int) -> None:
    """A start that the user forces must be there, or be made in this run."""
    start = workload.forced_start
    if start in (None, IMAGES, workload.kept_layer) or not missing:
        return
    held = next((layer.rows for layer in raw if layer.layer == start), 0)
    if held == 0:
        message = f"plan.start: the store has no raw tensors of {start} for any of the {needed} images"
        raise VistaStoreError("VST612", message, f"run once with `plan: {{materialize: {start}}}`")


def _pooled(
    store: Store, workload: Workload, model: ModelSource, needed: set[str], options: Options
) -> tuple[tuple[StoredLayer, ...], set[str]]:
    """The layers of L that have rows, and the images that have all of them."""
    if options.reuse == "never":
        return (), set()
    keys, tier = {layer: key_of(workload, model, layer) for layer in workload.layer_names}, current_tier()
    found = [_stored(store, layer, key, needed, options.verify, tier) for layer, key in keys.items()]
    found = [
        _with_other_poolings(store, workload, model, layer, have, needed, options.verify)
        for layer, have in zip(workload.layers, found, strict=True)
    ]
    complete = set.intersection(*(digests for _, digests in found)) if found else set()
    return tuple(layer for layer, _ in found if layer is not None), complete


def _with_other_poolings(
    store: Store,
    workload: Workload,
    model: ModelSource,
    layer: LayerFacts,
    have: tuple[StoredLayer | None, set[str]],
    needed: set[str],
    verify: bool,
) -> tuple[StoredLayer | None, set[str]]:
    """The same with the rows that follow from the features of another pooling."""
    found, digests = have
    for pooling, key in poolings_keys(workload, model, layer):
        if digests >= needed:
            break
        more, there = _stored(store, layer.name, key, needed - digests, verify, None)
        if more is not None:
            digests = digests | there
            remote = more.remote + (found.remote if found else 0)
            found = replace(found or more, rows=len(digests), pooled_from=pooling, remote=remote)
    return found, digests


def poolings_keys(workload: Workload, model: ModelSource, layer: LayerFacts) -> list[tuple[str, str]]:
    """(pooling, key) of the layer sets from whose features those of this cell follow."""
    found = poolings_holding(layer.shape, workload.pool)
    return [(pooling.value, _key(workload, model, layer.name, pooling.value)) for pooling in found]


def _raw(
    store: Store, workload: Workload, model: ModelSource, needed: set[str], missing: set[str], options: Options
) -> tuple[StoredLayer, ...]:
    """Stored cuts no higher than the lowest layer of L; those of the plan's own keys even where nothing is reused."""
    cnn = workload.cnn
    low = cnn.layers[: [layer.name for layer in cnn.layers].index(workload.layer_names[0]) + 1]
    if options.reuse == "never":
        low = tuple(layer for layer in low if layer.name == workload.forced_start)
    found, tier = [], current_tier() if options.reuse != "never" else None
    for layer in low:
        kept = layer.name == workload.kept_layer  # what is not made again must be whole, and on disk
        key = raw_key_of(workload, model, layer)
        verify = options.verify and kept
        stored, digests = _stored(store, layer.name, key, needed, verify, None if kept else tier, raw=True)
        if stored is not None:
            found.append(replace(stored, pooled=False, useful=len(digests & missing)))
    return tuple(found)


def _stored(
    store: Store, layer: str, key: str, needed: set[str], verify: bool, tier: MemoryTier | None, *, raw: bool = False
) -> tuple[StoredLayer | None, set[str]]:
    """Of all tiers: what the disk has, what only this session's Spark has, and what only the remote store has, which
    keeps no raw tensors.
    """
    if verify:
        store.verify(key, needed)
    known = store.lookup(key)
    digests = store.digests(key) & needed if known else set()
    kept = (tier.digests(key) & needed) - digests if tier is not None else set()
    away = None if raw else remote_rows(store, key, needed - digests - kept)
    there = away.digests if away else frozenset[str]()
    if not digests and not kept and not there:
        return None, set()
    if digests and known is not None:
        size, run, created, seconds = known.size, known.run, known.created, known.seconds_per_image
    elif away is not None:
        _, size, run, created, seconds = away
    else:
        newest = tier.tables(key)[0] if tier is not None else None
        assert newest is not None
        size, run, created, seconds = newest.size, newest.run, newest.created, newest.seconds.get(key, 0.0)
    every = digests | kept | there
    found = StoredLayer(layer, key, len(every), size, run, created, seconds, memory=len(kept), remote=len(there))
    return found, every
