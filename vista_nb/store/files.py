"""The materialization store's disk tier: pooled features or raw tensors of a layer, by the digest of the image.

Reads and writes `<root>/v1/` (layout.py says what lies where), returns layer sets and Arrow tables. May touch: that
folder only. DESIGN.md sections 9 and 14; ADR 21: two kernels may use one store, and a killed one leaves nothing
half-written, because a part exists only once the manifest, replaced in one step under a lock, names it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from filelock import FileLock

from vista_nb.catalog.snapshot import StoredLayer
from vista_nb.errors import VistaStoreError
from vista_nb.store.budget import store_budget
from vista_nb.store.disk import coded, hold, sync_folder
from vista_nb.store.layout import Layout
from vista_nb.store.leases import Lease
from vista_nb.store.manifest import LayerSet, LayerSetFacts, Part
from vista_nb.store.notes import Notes
from vista_nb.store.parts import inspect_part, schema, write_part
from vista_nb.store.place import store_root
from vista_nb.store.reading import PartReader
from vista_nb.store.remote import Remote
from vista_nb.store.room import RESERVED, held_bytes, make_room, spare_bytes
from vista_nb.store.sending import Sending
from vista_nb.store.sweep import Swept, sweep
from vista_nb.store.uses import note_uses

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DISK_FLOOR", "ReadResult", "Store", "store_root"]

DISK_FLOOR = 2_000_000_000  # free bytes that raw tensors leave to everyone else


class ReadResult(NamedTuple):
    """Rows read, each digest once; `notes` says in one line each which broken part was set aside."""

    table: pa.Table
    notes: tuple[str, ...]


class Store:
    """Opening a store touches nothing; its folders appear with the first write.

    budget: bytes it may take (None: the setting's). of_run: what this object reads or writes is under a lease until
    `close`, so that nobody evicts it while a cell runs. remote: the address of the tier behind it (fetching.py brings
    parts from there, a run's own parts go there: sending.py); remote_trouble: why that could not be asked.
    """

    def __init__(
        self, root: Path, budget: int | None = None, *, of_run: bool = False, remote: str | None = None
    ) -> None:
        self.layout = Layout(root)
        self.root = self.layout.root
        self._budget = budget
        self._lease = Lease(self.layout.leases) if of_run else None
        self._stages: dict[Path, FileLock] = {}
        self._notes = Notes(root, told_later=not of_run)
        self._parts = PartReader(self.layout, self._notes)
        self._swept = False
        self.remote = Remote(remote, self.say) if remote else None
        self.remote_trouble: VistaStoreError | None = None
        self._sending = Sending(self.remote, self.layout) if self.remote and of_run else None

    @property
    def budget(self) -> int:
        """Raises VST616 for a setting that is no size."""
        return store_budget() if self._budget is None else self._budget

    def close(self) -> None:
        """What this object relied on may go. Callable more than once."""
        self.stop_sending()
        if self._lease is not None:
            self._lease.close()

    def settle(self) -> tuple[str, ...]:
        """Wait until the remote tier has what this run wrote; what to tell of it."""
        return self._sending.settle() if self._sending is not None else ()

    def stop_sending(self) -> None:
        """Whoever waits for it waits no more. From any thread; callable more than once."""
        if self._sending is not None:
            self._sending.stop()

    # -- looking ---------------------------------------------------------------------------------------------------

    def lookup(self, key: str) -> LayerSet | None:
        """The layer set of `key`, from its manifest alone; None where the store has no row of it."""
        self.layout.folder(key)  # a ValueError for what is no key
        with coded("reading the store", self.root):
            try:
                found = self.layout.load(key)
            except ValueError as reason:
                self._notes.unreadable(key, reason)
                return None
        return found if found and found.parts else None

    def ls(self) -> tuple[LayerSet, ...]:
        """Every layer set with rows, ordered by CNN, layer, key."""
        with coded("reading the store", self.root):
            keys = self.layout.layer_keys()
        found = filter(None, map(self.lookup, keys))
        return tuple(sorted(found, key=lambda s: (s.facts.cnn, s.facts.layer, s.key)))

    def digests(self, key: str) -> set[str]:
        """Which images have a row; reads the digest columns alone. A part that cannot be read is set aside."""
        return {digest for _, digests in self._parts.in_each(self.lookup(key)) for digest in digests}

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
        """What happened since this store was opened: broken parts in the order they were met, then what went."""
        return self._notes.lines(self._budget)

    def say(self, text: str) -> None:
        """One more of them, once."""
        self._notes.say(text)

    def tell_later(self) -> None:
        """The run that opens this store next tells its notes, for one that only prepares it."""
        self._notes.wait()

    def held(self) -> int:
        """Bytes of the whole store on disk."""
        with coded("reading the store", self.root):
            return held_bytes(self.layout)

    def spare(self) -> int:
        """Bytes that can be written without evicting anything."""
        with coded("reading the store", self.root):
            return spare_bytes(self.layout, self.budget)

    # -- reading ---------------------------------------------------------------------------------------------------

    def verify(self, key: str, needed: Iterable[str] | None = None, *, again: bool = False) -> tuple[str, ...]:
        """Check size and SHA-256 of every part now (once per process, or again); returns a note per part set aside.

        needed: of those parts alone that these images would be read from: a set may hold many tables' photos. Call it
        before a plan relies on the rows: `digests` reads one column and cannot see a flipped bit elsewhere.
        """
        before = len(self._notes)
        for part in self._meant(key, needed):
            self._parts.checked(key, part, again=again)
        return self._notes.since(before)

    def take(self, key: str, needed: Iterable[str]) -> set[str]:
        """The needed images that this run may read from now on: verified, under its lease, and noted as used."""
        wanted, found, saved = set(needed), set[str](), dict[str, float]()
        meant = list(self._parts.holding(self.lookup(key), wanted))
        there = self._leased(key, [part for part, _ in meant])
        for part, digests in meant:
            fresh = digests - found
            if part.file in there and fresh and self._parts.checked(key, part) is not None:
                found |= fresh
                saved[part.file] = part.seconds_per_image * len(fresh)
        if saved:
            self._note_uses(key, saved)
            self._send(key, saved)
        return found

    def paths(self, key: str, needed: Iterable[str] | None = None) -> list[Path]:
        """The verified parts (with rows of `needed`), for an engine that reads Parquet. A digest may stand in two."""
        found = [self._parts.checked(key, part) for part in self._meant(key, needed)]
        return [path for path in found if path is not None]

    def read(self, key: str, digests: Collection[str] | None = None) -> ReadResult:
        """The rows of `digests` (None: all), columns digest and vector | tensors. Rows of a broken part are missing."""
        import pyarrow as pa

        before = len(self._notes)
        known = self.lookup(key)
        empty = schema(known is not None and known.facts.raw).empty_table()
        tables = []
        seen: set[str] = set()
        wanted = None if digests is None else set(digests)
        for part, _ in self._parts.in_each(known) if wanted is None else self._parts.holding(known, wanted):
            assert known is not None
            table = self._parts.table(key, part, known.facts)
            if table is not None:
                tables.append(_first_rows(table, wanted, seen))
        return ReadResult(pa.concat_tables([empty, *tables]), self._notes.since(before))

    # -- writing ---------------------------------------------------------------------------------------------------

    def stage(self, size: int = 0, *, raw: bool = False) -> Path:
        """An empty folder for files that are being written; it is this process's until `release`.

        size: bytes that will come at most: room is made for them now and kept for them. Raises VST614 (budget),
        VST601 (disk), VST613 (disk; raw tensors, which are large, leave DISK_FLOOR of it to everyone else).
        """
        folder = self.layout.staging / uuid4().hex
        with coded("writing to the store", self.root):
            self._sweep_once()
            with hold(self.layout.room_lock):
                self._notes.freed(make_room(self.layout, size, self.budget, DISK_FLOOR if raw else 0))
                folder.parent.mkdir(parents=True, exist_ok=True)
                # released from whichever thread ends the run, hence not thread-local
                lock = FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0, thread_local=False)
                lock.acquire()
                self._stages[folder] = lock
                folder.mkdir()
                if size:
                    (folder / RESERVED).write_text(str(size), encoding="utf-8")
        return folder

    def release(self, stage: Path) -> None:
        """Drop a staging folder and whatever was not committed from it."""
        shutil.rmtree(stage, ignore_errors=True)
        lock = self._stages.pop(stage, None)
        if lock is not None:
            lock.release()
        with suppress(OSError):
            stage.with_name(f"{stage.name}.lock").unlink(missing_ok=True)

    def commit(
        self,
        facts: LayerSetFacts,
        staged_files: Sequence[Path],
        run: str,
        seconds_per_image: float = 0.0,
        created: float | None = None,
    ) -> LayerSet:
        """Make staged Parquet files part of a layer set: all of them or, on any error, none. Empty ones are skipped.

        created: when they were made, of those that came from the remote tier.
        """
        with coded("writing to the store", self.root):
            looked = [(path, inspect_part(path, facts, run, seconds_per_image)) for path in staged_files]
            parts = [(path, part) for path, part in looked if part is not None]
            if created is not None:
                parts = [(path, replace(part, created=created)) for path, part in parts]
            for stage in {path.parent for path, _ in parts} & self._stages.keys():
                (stage / RESERVED).unlink(missing_ok=True)  # what came is counted, not what was to come
            with hold(self.layout.room_lock):
                self._notes.freed(make_room(self.layout, 0, self.budget, 0))
                with hold(self.layout.lock(facts.key)):
                    grown = self._publish(facts, parts)
        if created is None:
            self._send(facts.key, {part.file for _, part in parts})
        return grown

    def write_table(self, facts: LayerSetFacts, table: pa.Table, run: str, seconds_per_image: float = 0.0) -> LayerSet:
        """Store one Arrow table (digest, vector | tensors) that is already on the driver."""
        stage = self.stage(table.nbytes)
        try:
            with coded("writing to the store", self.root):
                write_part(table, stage / "part.parquet", facts.raw)
            return self.commit(facts, [stage / "part.parquet"], run, seconds_per_image)
        finally:
            self.release(stage)

    def sweep(self, broken_seconds: float | None = None) -> Swept:
        """Remove what killed writers left: stages without a living writer, files without a name in a manifest."""
        with coded("cleaning the store", self.root), hold(self.layout.room_lock):  # no stage is being opened meanwhile
            found = sweep(self.layout, broken_seconds=broken_seconds)
        self._notes.swept(found)
        return found

    # -- inside ----------------------------------------------------------------------------------------------------

    def _sweep_once(self) -> None:
        if not self._swept:
            self._swept = True
            self.sweep()

    def _meant(self, key: str, needed: Iterable[str] | None) -> list[Part]:
        """All parts, or those with rows of `needed`."""
        known = self.lookup(key)
        if needed is None:
            return list(known.parts) if known else []
        return [part for part, _ in self._parts.holding(known, set(needed))]

    def _leased(self, key: str, meant: Sequence[Part]) -> set[str]:
        """File names of those of these parts that are still there, under this run's lease from now on.

        A store that cannot be written is read without one: nobody evicts from it either.
        """
        if self._lease is not None and meant:
            lock = self.layout.lock(key)
            with suppress(VistaStoreError, ValueError), coded("reading the store", self.root), hold(lock):
                now = self.layout.load(key)
                there = {part.file for part in meant}.intersection(p.file for p in now.parts) if now else set()
                self._lease.add(there)
                return there
        return {part.file for part in meant}

    def _send(self, key: str, files: Collection[str]) -> None:
        """To the remote tier, beside the run, what it lacks of these parts."""
        known = self.lookup(key) if self._sending is not None else None
        if known is not None and self._sending is not None:
            self._sending.send(known.facts, [part for part in known.parts if part.file in files])

    def _note_uses(self, key: str, saved: dict[str, float]) -> None:
        with suppress(VistaStoreError), coded("reading the store", self.root), hold(self.layout.lock(key)):
            known = self.layout.load(key)
            if known is not None:
                note_uses(self.layout.folder(key), known, saved, time.time())

    def _publish(self, facts: LayerSetFacts, staged: Sequence[tuple[Path, Part]]) -> LayerSet:
        """Rename the parts in, then name them in the manifest; called under the layer's lock."""
        folder = self.layout.folder(facts.key)
        folder.mkdir(parents=True, exist_ok=True)
        known = self.layout.load_to_write(facts.key) or LayerSet(facts.key, facts)
        if known.facts.width != facts.width:
            message = f"layer {facts.layer}: vectors of {facts.width} values, the store has {known.facts.width}"
            raise VistaStoreError("VST606", message)
        grown = known.with_parts(tuple(part for _, part in staged))
        try:
            for path, part in staged:
                path.replace(folder / part.file)
            sync_folder(folder)
            self.layout.replace(grown)
        except BaseException:
            with suppress(OSError, ValueError):
                self._unpublish(facts.key, [part for _, part in staged])
            raise
        if self._lease is not None:
            with suppress(OSError):
                self._lease.add(part.file for _, part in staged)
        return grown

    def _unpublish(self, key: str, parts: Sequence[Part]) -> None:
        """Renamed in but not named: the manifest could not be replaced."""
        now = self.layout.load(key)
        named = {part.file for part in now.parts} if now else set()
        for part in parts:
            if part.file not in named:
                (self.layout.folder(key) / part.file).unlink(missing_ok=True)


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
