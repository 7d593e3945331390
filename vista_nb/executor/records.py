"""The structured side of a run, on the driver: joined records in key order, their labels, split, waves and features.

Reads RunInputs, returns Rows and counts. May touch: nothing. DESIGN.md sections 7 (semi-join, waves), 10 (rows sorted
by key before a fit, so that all plans train on the same matrix) and 11. Every backend joins the same way here; what
differs between engines is where the CNN runs and where its vectors lie.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaDataError, VistaRunError
from vista_nb.executor.downstream.encode import StructuredEncoder, fit_encoder
from vista_nb.executor.downstream.split import Labels, encode_labels, held_out, in_wave, wave_fractions
from vista_nb.executor.inputs import ImageTables
from vista_nb.executor.probe_columns import check_keys
from vista_nb.executor.probe_images import labelled
from vista_nb.outcome.scores import RowCounts
from vista_nb.spec.model import Spec

__all__ = ["Rows", "Structured", "Vectors", "join_rows", "scan_rows"]

_ROWS_AT_A_TIME = 256


@dataclass(frozen=True)
class Structured:
    """T_str after its scan: rows with a key and a label. counts: what was left out."""

    table: pa.Table
    counts: RowCounts


@dataclass(frozen=True)
class Vectors:
    """Features of one layer, as they came: row i of `blocks`, counted through, belongs to digests[i]; the first row of
    a digest counts. blocks: float32 (images, width), views of Arrow's own memory where that is possible.
    """

    digests: tuple[str, ...]
    blocks: tuple[NDArray[np.float32], ...]
    width: int

    @classmethod
    def of(cls, table: pa.Table, width: int) -> Vectors:
        """From Arrow columns digest, vector (list<float32>)."""
        chunks = (np.asarray(c.flatten(), dtype=np.float32).reshape(-1, width) for c in table.column("vector").chunks)
        return cls(tuple(table.column("digest").to_pylist()), tuple(chunks), width)

    def __add__(self, more: Vectors) -> Vectors:
        return Vectors(self.digests + more.digests, self.blocks + more.blocks, self.width)

    def fill(self, out: NDArray[np.float32], digests: Sequence[str]) -> None:
        """Row i of `out` becomes the vector of digests[i]; no copy on the way is larger than a few rows.

        Raises VST513 where one has no features.
        """
        place = {digest: i for i, digest in reversed(list(enumerate(self.digests)))}
        missing = [digest for digest in digests if digest not in place]
        if missing:
            message = f"{len(missing)} images have no features, for example {missing[0][:12]}"
            raise VistaRunError("VST513", message, "please report this: it is a defect")
        sources = np.array([place[digest] for digest in digests], dtype=np.int64)
        first = 0
        for block in self.blocks:
            targets = np.flatnonzero((sources >= first) & (sources < first + len(block)))
            for start in range(0, len(targets), _ROWS_AT_A_TIME):
                some = targets[start : start + _ROWS_AT_A_TIME]
                out[some] = block[sources[some] - first]
            first += len(block)

    def at(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """A matrix in the order of `digests`."""
        out = np.empty((len(digests), self.width), dtype=np.float32)
        self.fill(out, digests)
        return out


@dataclass(frozen=True)
class Rows:
    """Joined records sorted by key. x: encoded structured features (n, d_s). digests: per view, one per row.

    table: the key and T_str's feature columns of these records, from which another split can learn its own encoding.
    test: no row where the spec scores with folds (`with_test` makes one fold's rows).
    """

    keys: tuple[str, ...]
    labels: Labels
    test: NDArray[np.bool_]
    wave: NDArray[np.float64]
    x: NDArray[np.float32]
    digests: tuple[tuple[str, ...], ...]
    encoder: StructuredEncoder
    table: pa.Table
    folds: int | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def below(self, high: float) -> Rows:
        """The rows a wave trains on. Raises VST351 or VST352 where they cannot train and score a model."""
        return self if high >= 1.0 else _checked(self._select(in_wave(self.wave, high)))

    def with_test(self, test: NDArray[np.bool_]) -> Rows:
        """The same rows with others held out: what is learnt of the train rows is learnt of these."""
        encoder = fit_encoder(self.table, self.encoder.features, ~test)
        x = encoder.transform(self.table)
        return replace(self, labels=self.labels.on(~test), test=test, x=x, encoder=encoder)

    def without(self, digests: Collection[str]) -> Rows:
        """The rows none of whose images is among `digests` (unreadable ones)."""
        if not digests:
            return self
        bad = set(digests)
        kept = [not any(view[i] in bad for view in self.digests) for i in range(len(self))]
        return self._select(np.array(kept, dtype=bool))

    def matrix(self, vectors: Vectors, views: str = "concat") -> NDArray[np.float32]:
        """(n, d_s + features): the table's columns first, then the photos', views side by side or averaged."""
        own, mean = self.x.shape[1], views == "mean"
        parts = 1 if mean else len(self.digests)
        whole = np.empty((len(self), own + parts * vectors.width), dtype=np.float32)
        whole[:, :own] = self.x
        for place, view in enumerate(self.digests[:parts]):
            low = own + place * vectors.width
            vectors.fill(whole[:, low : low + vectors.width], view)
        if mean and len(self.digests) > 1:
            for view in self.digests[1:]:
                whole[:, own:] += vectors.at(view)
            whole[:, own:] /= np.float32(len(self.digests))
        return whole

    def first_waves(self) -> dict[str, float]:
        """Digest -> the smallest wave fraction of its records: the wave that first needs it."""
        found: dict[str, float] = {}
        for view in self.digests:
            for digest, fraction in zip(view, self.wave.tolist(), strict=True):
                found[digest] = min(fraction, found.get(digest, 2.0))
        return found

    def _select(self, mask: NDArray[np.bool_]) -> Rows:
        kept = np.flatnonzero(mask)
        test = self.test[kept]
        return replace(
            self,
            keys=tuple(self.keys[i] for i in kept),
            labels=self.labels.select(kept, ~test),
            test=test,
            wave=self.wave[kept],
            x=self.x[kept],
            digests=tuple(tuple(view[i] for i in kept) for view in self.digests),
            table=self.table.take(pa.array(kept)),
        )


def scan_rows(table: pa.Table, workload: Workload) -> Structured:
    """T_str: rows with a key and a label, counted."""
    given = table.num_rows
    keyed, report = check_keys(table, workload.spec.on)
    kept = labelled(keyed, workload.label)
    null_key = max(report.null_key, given - keyed.num_rows)
    counts = RowCounts(structured=given, null_key=null_key, null_label=keyed.num_rows - kept.num_rows)
    return Structured(kept, counts)


def join_rows(structured: Structured, images: ImageTables, workload: Workload) -> Rows:
    """T_str with T_img's links, in key order; split, waves and encoder fitted here, on joined rows only."""
    spec = workload.spec
    by_key = _views_of(images)
    keys = structured.table.column(spec.on).to_pylist()
    order = sorted((i for i, key in enumerate(keys) if key in by_key), key=keys.__getitem__)
    table = structured.table.take(pa.array(order, pa.int64()))
    names = tuple(keys[i] for i in order)
    test = _held_out(names, spec)
    labels = encode_labels(table.column(workload.label), test, workload.label, task=workload.task, folds=spec.folds)
    wanted = {spec.on, *(use.column for use in workload.features)}  # the key: without columns a table has no rows
    used = table.select([name for name in table.column_names if name in wanted])
    encoder = fit_encoder(used, workload.features, ~test)
    linked: list[Any] = [by_key[name] for name in names]
    views = tuple(zip(*linked, strict=True))
    waves = wave_fractions(names, spec.seed)
    return Rows(names, labels, test, waves, encoder.transform(used), views, encoder, used, spec.folds)


def _held_out(keys: Sequence[str], spec: Spec) -> NDArray[np.bool_]:
    """With folds every row is scored by the model of its fold, so none is held out for good."""
    return held_out(keys, spec.seed, spec.test) if spec.folds is None else np.zeros(len(keys), dtype=np.bool_)


def _views_of(images: ImageTables) -> dict[str, tuple[str, ...]]:
    """Key -> digests by view."""
    found: dict[str, dict[int, str]] = {}
    columns = (images.links.column(name).to_pylist() for name in ("key", "view", "digest"))
    for key, view, digest in zip(*columns, strict=True):
        found.setdefault(key, {})[view] = digest
    return {key: tuple(digest for _, digest in sorted(views.items())) for key, views in found.items()}


def _checked(rows: Rows) -> Rows:
    if not rows.labels.is_regression and len(rows.labels.trained) < 2:
        raise VistaDataError("VST351", "its train rows hold fewer than two classes")
    if rows.folds is None and not rows.test.any():
        raise VistaDataError("VST352", "none of its rows is held out")
    return rows
