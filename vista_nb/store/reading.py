"""Parts that hold: no byte of a part is handed on before it is known to be right; one that is not is set aside.

Reads parts of a store, returns paths, digests, tables. May touch: broken parts and the manifest that names them.
DESIGN.md sections 9 and 14; ADR 21. The SHA-256 of a part is compared once per process, size and time of the file; the
digest column alone, which planning reads, is guarded by Parquet's checksum of each page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.errors import VistaStoreError
from vista_nb.store.disk import coded, hold, sha256_of
from vista_nb.store.layout import Layout
from vista_nb.store.manifest import LayerSet, LayerSetFacts, Part
from vista_nb.store.notes import Notes
from vista_nb.store.parts import BrokenPart, read_digests, read_part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartReader"]

_whole: set[tuple[str, int, int]] = set()  # (path, size, mtime) whose SHA-256 this process has seen to be right


class PartReader:
    """Of one open store. What had to be set aside goes into its notes."""

    def __init__(self, layout: Layout, notes: Notes) -> None:
        self._layout = layout
        self._notes = notes

    def in_each(self, known: LayerSet | None) -> Iterator[tuple[Part, list[str]]]:
        """Each part that can be read, with the digests in it."""
        for part in known.parts if known else ():
            assert known is not None
            try:
                digests = read_digests(self._sized(known.key, part))
            except BrokenPart as reason:
                self._set_aside(known.key, part, reason)
            else:
                yield part, digests

    def holding(self, known: LayerSet | None, wanted: set[str]) -> Iterator[tuple[Part, set[str]]]:
        """The parts with rows of `wanted`, and which: a set may hold the photos of many tables."""
        for part, digests in self.in_each(known):
            found = wanted.intersection(digests)
            if found:
                yield part, found

    def checked(self, key: str, part: Part, *, again: bool = False) -> Path | None:
        """The part's path once its bytes are known to be right; None after setting it aside."""
        try:
            path = self._sized(key, part)
            seen = (str(path), part.bytes, path.stat().st_mtime_ns)
            if again or seen not in _whole:
                if sha256_of(path) != part.sha256:
                    raise BrokenPart("its bytes changed since it was written")
                _whole.add(seen)
        except (BrokenPart, OSError) as reason:
            self._set_aside(key, part, reason)
            return None
        return path

    def table(self, key: str, part: Part, facts: LayerSetFacts) -> pa.Table | None:
        """The whole part; None after setting it aside."""
        path = self.checked(key, part)
        try:
            return read_part(path, facts) if path else None
        except BrokenPart as reason:
            self._set_aside(key, part, reason)
            return None

    def _sized(self, key: str, part: Part) -> Path:
        path = self._layout.folder(key) / part.file
        try:
            size = path.stat().st_size
        except OSError as error:
            raise BrokenPart(error.strerror or str(error)) from error
        if size != part.bytes:
            raise BrokenPart(f"{size} bytes, the manifest says {part.bytes}")
        return path

    def _set_aside(self, key: str, part: Part, reason: Exception) -> None:
        """Drop a broken part from the manifest and rename it; where the store is read-only, only say so."""
        path, known, done = self._layout.folder(key) / part.file, None, True
        try:
            with coded("setting a part aside", self._layout.root), hold(self._layout.lock(key)):
                with suppress(ValueError):
                    known = self._layout.load(key)
                if known is not None and part not in known.parts:
                    return  # evicted, or set aside by another kernel, since this one looked
                if known is not None:
                    self._layout.replace(known.without(part.file))
                if path.exists():
                    os.utime(path)  # kept for a day from now, for whoever wants to look
                    path.replace(path.with_suffix(".broken"))
        except VistaStoreError:
            done = False
        self._notes.broken(key, known, part, reason, done)
