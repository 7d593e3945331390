"""The materialization store's disk tier: pooled features or raw tensors of a layer, by the digest of the image.

Reads and writes `<root>/v1/layers/<layer key>/`, returns layer sets and Arrow tables. May touch: that folder only.
DESIGN.md sections 9 and 14: two kernels may use one store, and a killed one leaves nothing half-written, because a
part exists only once the manifest, replaced in one step under a lock, names it. No eviction yet.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from filelock import FileLock, Timeout

from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.errors import VistaStoreError
from vista_nb.store.disk import coded, free_bytes, hold, replace_text, sha256_of, sync_folder
from vista_nb.store.manifest import FORMAT, LayerSet, LayerSetFacts, Part, is_key, parse, render
from vista_nb.store.parts import BrokenPart, inspect_part, read_digests, read_part, schema, write_part
from vista_nb.units import format_bytes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ReadResult", "Store", "store_root"]

MANIFEST = "manifest.json"
STALE_SECONDS = 86_400.0
DISK_FLOOR = 2_000_000_000  # free bytes that raw tensors leave to everyone else

_whole: set[tuple[str, int, int]] = set()  # (path, size, mtime) whose SHA-256 this process has seen to be right


class ReadResult(NamedTuple):
    """Rows read, each digest once; `notes` says in one line each which broken part was set aside."""

    table: pa.Table
    notes: tuple[str, ...]


def store_root() -> Path:
    """VISTA_NB_STORE_DIR, else `store` in the user's cache folder."""
    chosen = os.environ.get("VISTA_NB_STORE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("vista_nb") / "store"


class Store:
    """Opening a store touches nothing; its folders appear with the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root / f"v{FORMAT}"
        self._stages: dict[Path, FileLock] = {}
        self._notes: list[str] = []

    # -- looking ---------------------------------------------------------------------------------------------------

    def lookup(self, key: str) -> LayerSet | None:
        """The layer set of `key`, from its manifest alone; None where the store has no row of it."""
        with coded("reading the store", self.root):
            found = self._manifest(key)
        return found if found and found.parts else None

    def ls(self) -> tuple[LayerSet, ...]:
        """Every layer set with rows, ordered by CNN, layer, key."""
        with coded("reading the store", self.root):
            folders = list((self.root / "layers").iterdir()) if (self.root / "layers").is_dir() else []
        found = [self.lookup(folder.name) for folder in folders if is_key(folder.name)]
        return tuple(sorted(filter(None, found), key=lambda s: (s.facts.cnn, s.facts.layer, s.key)))

    def digests(self, key: str) -> set[str]:
        """Which images have a row; reads the digest columns alone. A part that cannot be read is set aside."""
        known = self.lookup(key)
        found: set[str] = set()
        for part in known.parts if known else ():
            try:
                found.update(read_digests(self._sized(key, part)))
            except BrokenPart as reason:
                self._set_aside(key, part, reason)
        return found

    def usable(self, key: str, needed: Collection[str]) -> StoredLayer | None:
        """What the optimizer may know of this layer set; None where no needed image has a row."""
        known = self.lookup(key)
        rows = len(self.digests(key).intersection(needed)) if known else 0
        if known is None or rows == 0:
            return None
        facts = known.facts
        return StoredLayer(
            facts.layer, key, rows, known.size, known.run, known.created, known.seconds_per_image, not facts.raw
        )

    def notes(self) -> tuple[str, ...]:
        """Every note since this store was opened: broken parts, in the order they were met."""
        return tuple(self._notes)

    # -- reading ---------------------------------------------------------------------------------------------------

    def verify(self, key: str) -> tuple[str, ...]:
        """Check size and SHA-256 of every part now (once per process); returns a note per part set aside.

        Call it before a plan relies on the rows: `digests` reads one column and cannot see a flipped bit elsewhere.
        """
        before = len(self._notes)
        known = self.lookup(key)
        for part in known.parts if known else ():
            self._checked(key, part)
        return tuple(self._notes[before:])

    def paths(self, key: str) -> list[Path]:
        """The verified parts, for an engine that reads Parquet itself. A digest may stand in two of them."""
        known = self.lookup(key)
        found = [self._checked(key, part) for part in (known.parts if known else ())]
        return [path for path in found if path is not None]

    def read(self, key: str, digests: Collection[str] | None = None) -> ReadResult:
        """The rows of `digests` (None: all), columns digest and vector | tensors. Rows of a broken part are missing."""
        import pyarrow as pa

        before = len(self._notes)
        known = self.lookup(key)
        empty = schema(known is not None and known.facts.raw).empty_table()
        wanted = None if digests is None else set(digests)
        seen: set[str] = set()
        tables = []
        for part in known.parts if known else ():
            table = self._table(key, part, known.facts) if known else None
            if table is not None:
                tables.append(_first_rows(table, wanted, seen))
        return ReadResult(pa.concat_tables([empty, *tables]), tuple(self._notes[before:]))

    # -- writing ---------------------------------------------------------------------------------------------------

    def stage(self) -> Path:
        """An empty folder for files that are being written; it is this process's until `release`."""
        folder = self.root / "staging" / uuid4().hex
        with coded("writing to the store", self.root):
            folder.mkdir(parents=True)
            # released from whichever thread ends the run, hence not thread-local
            lock = FileLock(folder.with_suffix(".lock"), timeout=0, thread_local=False)
            lock.acquire()
            self._stages[folder] = lock
            self.sweep()
        return folder

    def make_room(self, size: int) -> None:
        """Raises VST613 where `size` more bytes would leave less than DISK_FLOOR free: nobody's disk is filled."""
        with coded("writing to the store", self.root):
            free = free_bytes(self.root)
        if free - size < DISK_FLOOR:
            left, floor = format_bytes(free), format_bytes(DISK_FLOOR)
            message = f"{format_bytes(size)} more would leave less than {floor} of the {left} free on the disk"
            raise VistaStoreError("VST613", message, "free some space, or set VISTA_NB_STORE_DIR to a larger disk")

    def release(self, stage: Path) -> None:
        """Drop a staging folder and whatever was not committed from it."""
        shutil.rmtree(stage, ignore_errors=True)
        lock = self._stages.pop(stage, None)
        if lock is not None:
            lock.release()
        stage.with_suffix(".lock").unlink(missing_ok=True)

    def commit(
        self, facts: LayerSetFacts, staged_files: Sequence[Path], run: str, seconds_per_image: float = 0.0
    ) -> LayerSet:
        """Make staged Parquet files part of a layer set: all of them or, on any error, none. Empty ones are skipped."""
        with coded("writing to the store", self.root):
            looked = [(path, inspect_part(path, facts, run, seconds_per_image)) for path in staged_files]
            parts = [(path, part) for path, part in looked if part is not None]
            folder = self._folder(facts.key)
            folder.mkdir(parents=True, exist_ok=True)
            with hold(self._lock(facts.key)):
                known = self._manifest(facts.key, writing=True) or LayerSet(facts.key, facts)
                if known.facts.width != facts.width:
                    message = f"layer {facts.layer}: vectors of {facts.width} values, the store has {known.facts.width}"
                    raise VistaStoreError("VST606", message)
                return self._publish(folder, known, parts)

    def write_table(self, facts: LayerSetFacts, table: pa.Table, run: str, seconds_per_image: float = 0.0) -> LayerSet:
        """Store one Arrow table (digest, vector | tensors) that is already on the driver."""
        stage = self.stage()
        try:
            with coded("writing to the store", self.root):
                write_part(table, stage / "part.parquet", facts.raw)
            return self.commit(facts, [stage / "part.parquet"], run, seconds_per_image)
        finally:
            self.release(stage)

    def sweep(self) -> None:
        """Remove what killed writers left: staging folders and unnamed files older than a day, with no live lock."""
        for folder in _older(self.root / "staging", "*"):
            if folder.suffix == ".lock":
                continue
            with suppress(Timeout, OSError), FileLock(folder.with_suffix(".lock"), timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink(missing_ok=True)
        for folder in (self.root / "layers").glob("*"):
            strays = [p for p in _older(folder, "*") if p.name != MANIFEST]
            if strays and is_key(folder.name):
                self._remove_unnamed(folder, strays)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _folder(self, key: str) -> Path:
        if not is_key(key):
            raise ValueError(f"not a layer key: {key!r}")
        return self.root / "layers" / key

    def _lock(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"

    def _manifest(self, key: str, writing: bool = False) -> LayerSet | None:
        """The manifest as it is now. A writer must not replace one of another version, nor lose an unreadable one."""
        path = self._folder(key) / MANIFEST
        try:
            found = parse(path.read_text(encoding="utf-8"), key)
        except FileNotFoundError:
            return None
        except ValueError:
            if writing:
                path.replace(path.with_name(f"{MANIFEST}.{uuid4().hex}.broken"))
            return None
        if found is None and writing:
            message = f"layer set {key} was written by another version of vista_nb"
            raise VistaStoreError("VST607", message, "use another VISTA_NB_STORE_DIR for this version")
        return found

    def _publish(self, folder: Path, known: LayerSet, staged: Sequence[tuple[Path, Part]]) -> LayerSet:
        """Rename the parts in, then name them in the manifest; called under the layer's lock."""
        grown = known.with_parts(tuple(part for _, part in staged))
        try:
            for path, part in staged:
                path.replace(folder / part.file)
            sync_folder(folder)
            replace_text(folder / MANIFEST, render(grown))
        except BaseException:
            now = self._manifest(known.key)
            named = {part.file for part in now.parts} if now else set()
            for _, part in staged:
                if part.file not in named:
                    (folder / part.file).unlink(missing_ok=True)
            raise
        return grown

    def _sized(self, key: str, part: Part) -> Path:
        path = self._folder(key) / part.file
        try:
            size = path.stat().st_size
        except OSError as error:
            raise BrokenPart(error.strerror or str(error)) from error
        if size != part.bytes:
            raise BrokenPart(f"{size} bytes, the manifest says {part.bytes}")
        return path

    def _checked(self, key: str, part: Part) -> Path | None:
        """The part's path once its bytes are known to be right; None after setting it aside."""
        try:
            path = self._sized(key, part)
            seen = (str(path), part.bytes, path.stat().st_mtime_ns)
            if seen not in _whole:
                if sha256_of(path) != part.sha256:
                    raise BrokenPart("its bytes changed since it was written")
                _whole.add(seen)
        except (BrokenPart, OSError) as reason:
            self._set_aside(key, part, reason)
            return None
        return path

    def _table(self, key: str, part: Part, facts: LayerSetFacts) -> pa.Table | None:
        path = self._checked(key, part)
        try:
            return read_part(path, facts) if path else None
        except BrokenPart as reason:
            self._set_aside(key, part, reason)
            return None

    def _set_aside(self, key: str, part: Part, reason: Exception) -> None:
        """Drop a broken part from the manifest and rename it; where the store is read-only, only say so."""
        path = self._folder(key) / part.file
        done = "set aside"
        try:
            with coded("setting a part aside", self.root), hold(self._lock(key)):
                known = self._manifest(key)
                if known is not None and part in known.parts:
                    replace_text(path.with_name(MANIFEST), render(known.without(part.file)))
                if path.exists():
                    os.utime(path)  # kept for a day from now, for whoever wants to look
                    path.replace(path.with_suffix(".broken"))
        except VistaStoreError:
            done = "ignored"
        self._notes.append(f"store: {done} a broken part of layer set {key[:12]} ({part.rows} rows): {reason}")

    def _remove_unnamed(self, folder: Path, strays: Sequence[Path]) -> None:
        """Under the lock, because a commit renames parts in before it names them."""
        with suppress(Timeout, OSError, ValueError), FileLock(self._lock(folder.name), timeout=0):
            named: set[str] = set()
            if (folder / MANIFEST).exists():
                known = parse((folder / MANIFEST).read_text(encoding="utf-8"), folder.name)
                named = {part.file for part in known.parts} if known else {path.name for path in strays}
            for path in strays:
                if path.name not in named:
                    path.unlink(missing_ok=True)


def _older(folder: Path, pattern: str) -> list[Path]:
    """What lies in `folder` untouched for a day."""
    limit = time.time() - STALE_SECONDS
    found = []
    for path in folder.glob(pattern):
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                found.append(path)
    return found


def _first_rows(table: pa.Table, wanted: set[str] | None, seen: set[str]) -> pa.Table:
    """Rows of wanted digests not seen before; adds them to `seen`."""
    import pyarrow as pa

    mask = []
    for digest in table.column("digest").to_pylist():
        take = digest not in seen and (wanted is None or digest in wanted)
        if take:
            seen.add(digest)
        mask.append(take)
    return table if all(mask) else table.filter(pa.array(mask, pa.bool_()))
