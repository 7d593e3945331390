"""New rows on their way to a prediction: read, keyed, linked to their photos, and what is wrong with each said.

Reads whatever a user has for a table, and image sources; returns NewRows. May touch: the table's files and the photos'
(read only), the cache of digests. DESIGN.md sections 3 (bad_images) and 5 (`.predict`); docs/adr/0029: a row that
cannot be scored is answered with the reason; the 5 % rule protects a training, so it is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from vista_nb.errors import NotSupportedYet, VistaDataError, VistaUsageError
from vista_nb.executor.downstream.columns import column_of
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.leaving.pipeline import Pipeline
from vista_nb.executor.probe_columns import as_text, check_keys
from vista_nb.executor.probe_images import link_images
from vista_nb.executor.probe_table import read_structured
from vista_nb.executor.uris import is_remote
from vista_nb.outcome.scores import BadImage
from vista_nb.spec.model import BadImages, DataSource, ImageSource

__all__ = ["NO_KEY", "NO_PHOTO", "NewRows", "image_sources", "read_new_rows", "refuse_bad"]

NO_KEY = "no key"
NO_PHOTO = "no photo"
_TABLE = "table"  # the name that the argument goes by


@dataclass(frozen=True)
class NewRows:
    """table: the rows with a key; keys: theirs; places: where they stood. rows: as given, with those without a key.

    images: None where no photo is looked at. digests: of a row's photos, one per view; () where one is missing or bad.
    problems: row of `table` -> why it has no photo.
    """

    table: pa.Table
    keys: tuple[str, ...]
    places: tuple[int, ...]
    rows: int
    images: ImageTables | None
    digests: tuple[tuple[str, ...], ...]
    problems: Mapping[int, str]


def read_new_rows(
    pipeline: Pipeline, table: Any, images: Sequence[ImageSource], namespace: Mapping[str, object] | None = None
) -> NewRows:
    """Raises VST3xx of the table and its keys; VST331 where no row has a photo; VST337 under `bad_images: fail`."""
    source, names = _source(table)
    found = read_structured(source, {**(namespace or {}), **names})
    for use in pipeline.preparation.encoder.features:
        column_of(found, use.column)  # VST353 now, not after the photos
    on = pipeline.workload.spec.on
    kept, _ = check_keys(found, on)
    places = tuple(np.flatnonzero(as_text(found.column(on)).is_valid().to_numpy()).tolist())
    keys = tuple(kept.column(on).to_pylist())
    if not pipeline.looks_at_photos:
        return NewRows(kept, keys, places, found.num_rows, None, ((),) * len(keys), {})
    spec = replace(pipeline.workload.spec, structured=source, images=tuple(images), label=None)
    linked = link_images(spec, kept, namespace=namespace)
    refuse_bad(linked.bad, spec.bad_images)
    _refuse_remote(linked)
    digests = _digests(keys, linked, len(spec.images))
    reasons = {bad.key: bad.reason for bad in reversed(linked.bad)}
    problems = {row: reasons.get(key, NO_PHOTO) for row, key in enumerate(keys) if not digests[row]}
    return NewRows(kept, keys, places, found.num_rows, linked, digests, problems)


def image_sources(pipeline: Pipeline, images: Any) -> tuple[ImageSource, ...]:
    """The argument `images` as the spec's key: one pattern, folder, glob or column per view; None: the run's own.

    Raises VistaUsageError VST025 for another number of views than the model was trained on.
    """
    trained = pipeline.workload.spec.images
    if images is None:
        return trained
    given = [images] if isinstance(images, str | Path) else list(images)
    if len(given) != len(trained):
        message = f"{len(given)} image sources for a model of {len(trained)} views"
        hint = "one pattern, folder or column per view, in the order of the run's `images:`"
        raise VistaUsageError("VST025", message, hint)
    return tuple(ImageSource(str(one), "pattern" if "{" in str(one) else "folder_or_column") for one in given)


def refuse_bad(bad: Sequence[BadImage], policy: BadImages) -> None:
    """`bad_images: fail`: any bad photo ends the scoring. Raises VST337."""
    if policy is BadImages.FAIL and bad:
        first = bad[0]
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        message = f"row {first.key!r}: {first.path or 'its photo'}: {first.reason}{more}, and `bad_images: fail` is set"
        raise VistaDataError("VST337", message, "replace the file, or take the row out of the table")


def _source(table: Any) -> tuple[DataSource, dict[str, object]]:
    """A path stays one (photos are looked for beside it); anything else is a variable."""
    if isinstance(table, str | Path):
        return DataSource(str(table), "path"), {}
    return DataSource(f"${_TABLE}", "variable"), {_TABLE: table}


def _refuse_remote(linked: ImageTables) -> None:
    if "path" not in linked.images.column_names:
        return
    away = next((path for path in linked.images.column("path").to_pylist() if is_remote(path)), None)
    if away is not None:
        message = f"predict reads photos of this machine only, and {away} lies elsewhere"
        raise NotSupportedYet("VST934", message, "copy the photos here, or give their bytes in a column")


def _digests(keys: Sequence[str], linked: ImageTables, views: int) -> tuple[tuple[str, ...], ...]:
    found: dict[tuple[str, int], str] = {}
    links = linked.links
    columns = (links.column(name).to_pylist() for name in ("key", "view", "digest"))
    for key, view, digest in zip(*columns, strict=True):
        found[key, view] = digest
    return tuple(tuple(found[key, view] for view in range(views)) if (key, 0) in found else () for key in keys)
