"""The store under kill -9, a full disk, damaged files, two kernels and a small budget: is a feature ever wrong?

Writes features whose every value can be recomputed, harms the store, reads it back. Prints what was done and seen,
writes results/store_kills.csv. May touch: a folder of its own, a tmpfs where it may mount one (root).
DESIGN.md section 14. `python -m benchmarks.store_kills [--quick]`; tests/engine/test_store_durability.py does a few.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.record import Row, asked, ended, report
from benchmarks.store_child import LAYERS, facts_of, pooled, wrong_rows
from vista_nb.errors import VistaStoreError
from vista_nb.store.admin import clean, inventory, pin
from vista_nb.store.files import Store

__all__ = ["Tally", "budget_held", "damage", "full_disk", "kernels", "kills", "main", "small_disk"]


@dataclass
class Tally:
    """What was done, and what must be 0 or is good to know."""

    done: int = 0
    rows: int = 0  # read back and compared
    wrong: int = 0  # other values than were written
    lost: int = 0  # reported as committed, and not there
    broken: int = 0  # parts set aside
    repaired: int = 0  # notes that say what was found and done
    refused: int = 0  # coded errors
    peak: int = 0  # bytes of the folder
    seen: list[str] = field(default_factory=list)  # one example of each kind of note


def _compare(store: Store, tally: Tally, layers: tuple[str, ...] = LAYERS, *, raw: bool = True) -> dict[str, set[str]]:
    """Read everything back, compare each value; which images each set has."""
    held: dict[str, set[str]] = {}
    for layer in layers:
        for kind in (False, True) if raw else (False,):
            result = store.read(facts_of(layer, kind).key)
            tally.rows += result.table.num_rows
            tally.wrong += wrong_rows(layer, result.table)
            tally.broken += sum("broken part" in note for note in result.notes)
            held[f"{layer}/raw" if kind else layer] = set(result.table.column("digest").to_pylist())
    return held


def kills(folder: Path, count: int, seed: int = 0) -> Tally:
    """Kill a writer at a random moment, read everything back, go on with the same store."""
    chance, tally = random.Random(seed), Tally()
    promised: dict[str, dict[str, set[str]]] = {"pooled": {}, "raw": {}, "everything": {}}
    for number in range(count):
        job = list(promised)[number % 3]
        steps, seconds = chance.randrange(4), chance.random() * 0.06
        for line in _killed(job, folder / job, 1_000 * seed + number, steps, seconds):
            _, layer, first, rows = line.split()
            stem = first.rpartition("-")[0]
            promised[job].setdefault(layer, set()).update(f"{stem}-{i}" for i in range(int(rows)))
        store = Store(folder / job)
        store.release(store.stage())  # what the next run does first: it cleans up
        held = _compare(store, tally)
        tally.lost += sum(len(names - held[layer]) for layer, names in promised[job].items())
        told = store.notes()
        tally.repaired += bool(told)
        tally.seen = list(dict.fromkeys([*tally.seen, *told]))[:3]
        tally.done += 1
        if number % 30 >= 27:  # or reading back takes ever longer
            clean(store, 0)
            promised[job].clear()
    return tally


def _killed(job: str, folder: Path, seed: int, steps: int, seconds: float) -> list[str]:
    """Start a writer, kill it so many seconds after so many steps, whatever else this machine does; the commits it
    reported.
    """
    command = [sys.executable, "-m", "benchmarks.store_child", job, str(folder), str(seed)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdin is not None
    assert writer.stdout is not None
    if writer.stdout.readline() != "ready\n":
        raise RuntimeError("the writer did not start")
    writer.stdin.write("go\n")
    writer.stdin.flush()
    lines = [writer.stdout.readline() for _ in range(steps)]
    time.sleep(seconds)
    if writer.poll() is not None:
        raise RuntimeError(f"the writer ended by itself: {writer.returncode}")
    writer.kill()
    lines += writer.stdout.read().splitlines(keepends=True)
    writer.wait(timeout=60)
    return [line for line in lines if line.startswith("committed") and line.endswith("\n")]  # the last may be half


def damage(folder: Path, count: int, seed: int = 0) -> Tally:
    """Flip a bit or cut the end of a random file, read everything back, write what is missing, go on."""
    chance, tally = random.Random(seed), Tally()
    names = [f"d{i}" for i in range(60)]
    _fill(Store(folder), names)
    for number in range(count):
        victim = chance.choice([p for p in (folder / "v1" / "layers").rglob("*") if p.is_file() and p.stat().st_size])
        content = bytearray(victim.read_bytes())
        if number % 3 == 2:
            victim.write_bytes(content[: chance.randrange(len(content))])
        else:
            place = chance.randrange(len(content)) if number % 2 else -1 - chance.randrange(min(600, len(content)))
            content[place] ^= 1 << chance.randrange(8)  # every other one in the footer, which no page's checksum guards
            victim.write_bytes(content)
        os.utime(victim)
        store = Store(folder)
        for layer in LAYERS:  # what planning does before anything is verified
            store.digests(facts_of(layer).key)
        _compare(store, tally, raw=False)
        told = store.notes()
        matters = victim.name == "manifest.json" or victim.suffix == ".parquet"
        tally.repaired += bool(told) and matters
        tally.lost += matters and not told  # not said
        tally.seen = list(dict.fromkeys([*tally.seen, *(note.split(":")[1] for note in told)]))[:3]
        _fill(store, names)
        clean(store)
        tally.done += 1
    _compare(Store(folder), tally, raw=False)
    return tally


def _fill(store: Store, names: list[str]) -> None:
    """As a run does: infer what is missing, write it."""
    for layer in LAYERS:
        key = facts_of(layer).key
        missing = sorted(set(names) - store.take(key, names))
        for start in range(0, len(missing), 20):
            part = missing[start : start + 20]
            store.write_table(facts_of(layer), pooled(layer, part), "r")
        if store.take(key, names) != set(names):
            raise RuntimeError("the store was not repaired")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A tmpfs of so many bytes at `folder`; False where none can be mounted here."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    able = os.geteuid() == 0 and shutil.which("mount") is not None
    mounted = able and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def full_disk(folder: Path, rounds: int, seed: int = 0) -> Tally:
    """Write and read back while another program fills the disk up and frees it again, all the time, so that any
    single write may fail. `folder` lies on a small disk.
    """
    chance, tally, place = random.Random(seed), Tally(), folder / "store"
    for number in range(rounds):
        with _another_program(folder / "ballast", chance.random()):
            store = Store(place)
            for step in range(6):
                layer = LAYERS[step % 3]
                names = [f"{number}-{step}-{i}" for i in range(40)]
                try:
                    store.write_table(facts_of(layer), pooled(layer, names), "r")
                    store.take(facts_of(layer).key, names)
                except VistaStoreError as error:
                    if error.code != "VST601":
                        raise
                    tally.refused += 1
        _compare(Store(place), tally, raw=False)
        tally.done += 1
    _fill(Store(place), ["after"])  # with room again it works again
    return tally


@contextmanager
def _another_program(ballast: Path, seed: float) -> Iterator[None]:
    """Takes all that is free, or all but a little, for a moment, again and again."""
    chance, stop = random.Random(seed), threading.Event()

    def fill() -> None:
        while not stop.is_set():
            spare = chance.choice((0, 0, 5_000, 40_000, 90_000))
            with suppress(OSError), ballast.open("wb") as file:
                file.write(b"." * max(0, shutil.disk_usage(ballast.parent).free - spare))
            time.sleep(chance.random() * 0.01)
            ballast.unlink(missing_ok=True)
            time.sleep(chance.random() * 0.004)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        ballast.unlink(missing_ok=True)


KERNEL = """
import sys
from pathlib import Path
from benchmarks.store_child import LAYERS, facts_of, pooled, wrong_rows
from vista_nb.store.files import Store
folder, budget = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    names = [f"{line.strip()}-{i}" for i in range(60)] + [f"shared-{i}" for i in range(60)]
    store, rows, wrong, lost, inferred = Store(folder, budget, of_run=True), 0, 0, 0, 0
    for layer in LAYERS:
        key = facts_of(layer).key
        missing = sorted(set(names) - store.take(key, names))
        inferred += len(missing)
        if missing:
            store.write_table(facts_of(layer), pooled(layer, missing), "r")
    for layer in LAYERS:
        table = store.read(facts_of(layer).key, names).table
        rows, wrong, lost = rows + len(table), wrong + wrong_rows(layer, table), lost + len(names) - len(table)
    broken = sum("broken" in note or "readable" in note for note in store.notes())
    store.close()
    print(rows, wrong, lost, broken, inferred, flush=True)
"""


def kernels(folder: Path, rounds: int, budget: int = 10**12) -> Tally:
    """Two processes at once write and read the same layers: half of the images of a round are both's."""
    command = [sys.executable, "-c", KERNEL, str(folder), str(budget)]
    pair = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    tally = Tally()
    try:
        for kernel in pair:
            assert kernel.stdout is not None
            assert kernel.stdout.readline() == "ready\n"
        for number in range(rounds):
            for kernel in pair:
                assert kernel.stdin is not None
                kernel.stdin.write(f"{number}\n")
                kernel.stdin.flush()
            for kernel in pair:
                assert kernel.stdout is not None
                rows, wrong, lost, broken, _ = map(int, kernel.stdout.readline().split())
                tally.rows, tally.wrong = tally.rows + rows, tally.wrong + wrong
                tally.lost, tally.broken = tally.lost + lost, tally.broken + broken
            tally.done += 1
    finally:
        for kernel in pair:
            kernel.kill()
            kernel.wait(timeout=60)
    return tally


def budget_held(folder: Path, budget: int, total: int, part: int) -> Tally:
    """Write `total` bytes of layers, `part` bytes each, into a budget; the first layer is pinned. peak: the folder's
    bytes, looked at all the time, also while files are being written.
    """
    store, tally, stop = Store(folder, budget), Tally(), threading.Event()
    width = 4096
    rows = part // (4 * width)

    def watch() -> None:
        while not stop.is_set():
            tally.peak = max(tally.peak, _bytes_now(folder))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    for number in range(total // part):
        facts = facts_of(f"layer {number}")
        facts = type(facts)(**(vars(facts) | {"width": width}))
        store.write_table(facts, pooled(f"layer {number}", [f"d{i}" for i in range(rows)], width), "r")
        if number == 0:
            pin(store, facts.key, True)
        tally.done += part
    stop.set()
    watcher.join()
    holdings = inventory(store).holdings
    tally.lost = int(not any(h.pinned and h.layers.facts.layer == "layer 0" for h in holdings))
    for holding in holdings:
        table = store.read(holding.layers.key).table
        tally.rows += len(table)
        tally.wrong += wrong_rows(holding.layers.facts.layer, table, width)
    tally.seen = list(store.notes())
    return tally


def _bytes_now(folder: Path) -> int:
    """Each file once, also one that is renamed while one looks."""
    sizes = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = (Path(place) / name).lstat()
                sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def _rows(quick: bool, folder: Path) -> Iterator[Row]:
    few = 10 if quick else 1
    found = kills(folder / "kills", 12 if quick else 120)
    note = f"{found.rows} rows compared; cleaned up and said {found.repaired} times; {'; '.join(found.seen[:1])}"
    yield ended("killed writers", found.done, "kills", note=note)
    yield ended("killed writers: wrong features", found.wrong, "rows", "<= 0")
    yield ended("killed writers: commits lost", found.lost, "rows", "<= 0")
    yield ended("killed writers: broken parts left", found.broken, "parts", "<= 0")
    found = damage(folder / "damage", 300 // few)
    yield ended("flipped bits and cut files", found.done, "files", note=f"{found.rows} rows compared")
    yield ended("damaged files: wrong features", found.wrong, "rows", "<= 0", note="; ".join(found.seen))
    yield ended("damaged files: not said", found.lost, "files", "<= 0")
    yield from _disk_rows(folder, 40 // few)
    for name, budget in (("no limit", 10**12), ("3 MB", 3_000_000)):
        found = kernels(folder / f"kernels {name}", 20 if not quick else 4, budget)
        yield ended(f"two kernels, {name}", found.done, "rounds", note=f"{found.rows} rows read")
        bad = found.wrong + found.lost + found.broken
        yield ended(f"two kernels, {name}: wrong, lost or broken", bad, "rows", "<= 0")
    budget, total = 200_000_000 // few, 2_000_000_000 // few
    found = budget_held(folder / "budget", budget, total, 25_000_000 // few)
    yield ended("written under a budget", found.done / 1e6, "MB", note="; ".join(found.seen))
    yield ended("the folder at its largest, of its budget", found.peak / budget, "share", "<= 1.0")
    yield ended("wrong features, or the pinned layer gone", found.wrong + found.lost, "rows", "<= 0")


def _disk_rows(folder: Path, rounds: int) -> Iterator[Row]:
    with small_disk(folder / "disk", 4_000_000) as mounted:
        if not mounted:
            print("no tmpfs can be mounted here: the full disk is left out")
            return
        found = full_disk(folder / "disk", rounds)
    yield ended("full disk", found.done, "rounds", note=f"{found.refused} writes refused with VST601")
    yield ended("full disk: wrong features or broken parts", found.wrong + found.broken, "rows", "<= 0")


def main() -> int:
    """Prints the table; 1 where a feature was wrong, lost or over the budget."""
    given = asked("store_kills", sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        return report("store_kills", _rows(given.quick, Path(folder)), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main())
