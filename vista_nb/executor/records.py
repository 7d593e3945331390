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
    """Joined records sorted by key. x: encoded structured features (n, d_s). digests: per view, one per row."""

    keys: tuple[str, ...]
    labels: Labels
    test: NDArray[np.bool_]
    wave: NDArray[np.float64]
    x: NDArray[np.float32]
    digests: tuple[tuple[str, ...], ...]
    encoder: StructuredEncoder

    def __len__(self) -> int:
        return len(self.keys)

    def below(self, high: float) -> Rows:
        """The rows a wave trains on. Raises VST351 or VST352 where they cannot train and score a model."""
        return self if high >= 1.0 else _checked(self._select(in_wave(self.wave, high)))

    def without(self, digests: Collection[str]) -> Rows:
        """The rows none of whose images is among `digests` (unreadable ones)."""
        if not digests:
            return self
        bad = set(digests)
        kept = [not any(view[i] in bad for view in self.digests) for i in range(len(self))]
        return self._select(np.array(kept, dtype=bool))

    def matrix(self, vectors: Vectors, views: str = "concat") -> NDArray[np.float32]:
        """(n, d_s + features): the table's columns first, then the photos', views side by side or averaged."""
        own = self.x.shape[1]
        if views == "mean" and len(self.digests) > 1:
            blocks = [vectors.at(view) for view in self.digests]
            return np.hstack([self.x, np.mean(blocks, axis=0, dtype=np.float32)])
        whole = np.empty((len(self), own + len(self.digests) * vectors.width), dtype=np.float32)
        whole[:, :own] = self.x
        for place, view in enumerate(self.digests):
            low = own + place * vectors.width
            vectors.fill(whole[:, low : low + vectors.width], view)
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
        index = self.labels.index[kept]
        test = self.test[kept]
        labels = replace(self.labels, index=index, nulls=0, trained=tuple(int(c) for c in np.unique(index[~test])))
        return replace(
            self,
            keys=tuple(self.keys[i] for i in kept),
            labels=labels,
            test=test,
            wave=self.wave[kept],
            x=self.x[kept],
            digests=tuple(tuple(view[i] for i in kept) for view in self.digests),
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
    test = held_out(names, spec.seed, spec.test)
    labels = encode_labels(table.column(workload.label), test, workload.label)
    encoder = fit_encoder(table, workload.features, ~test)
    linked: list[Any] = [by_key[name] for name in names]
    views = tuple(zip(*linked, strict=True))
    return Rows(names, labels, test, wave_fractions(names, spec.seed), encoder.transform(table), views, encoder)


def _views_of(images: ImageTables) -> dict[str, tuple[str, ...]]:
    """Key -> digests by view."""
    found: dict[str, dict[int, str]] = {}
    columns = (images.links.column(name).to_pylist() for name in ("key", "view", "digest"))
    for key, view, digest in zip(*columns, strict=True):
        found.setdefault(key, {})[view] = digest
    return {key: tuple(digest for _, digest in sorted(views.items())) for key, views in found.items()}


def _checked(rows: Rows) -> Rows:
    if len(rows.labels.trained) < 2:
        raise VistaDataError("VST351", "its train rows hold fewer than two classes")
    if not rows.test.any():
        raise VistaDataError("VST352", "none of its rows is held out")
    return rows
