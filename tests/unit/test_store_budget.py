"""The store within its bytes: least recently used parts go; pins, and what running cells rely on, stay."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.errors import VistaStoreError
from vista_nb.store import budget, room
from vista_nb.store.admin import clean, drop, inventory, pin
from vista_nb.store.budget import Candidate, least_recent, store_budget
from vista_nb.store.disk import bytes_under
from vista_nb.store.files import Store, store_root
from vista_nb.store.leases import Lease, leased, sweep_leases
from vista_nb.store.manifest import LayerSetFacts, Part
from vista_nb.store.parts import schema
from vista_nb.store.uses import read_uses

WIDTH = 2_000
PART = 12 * 4 * WIDTH  # bytes of vectors in one part of `noise`: they hardly compress


def facts(layer: str) -> LayerSetFacts:
    return LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", layer, "avg", "float32", WIDTH)


def noise(names: list[str]) -> pa.Table:
    vectors = np.random.default_rng(len(names)).normal(size=(len(names), WIDTH)).astype("float32")
    return pa.table({"digest": names, "vector": list(vectors)}, schema=schema())


def fill(store: Store, layer: str, first: int = 0) -> str:
    """One part of twelve images; its layer's key."""
    store.write_table(facts(layer), noise([f"d{first + i}" for i in range(12)]), "run 1", 0.5)
    return facts(layer).key


def layers_in(store: Store) -> list[str]:
    return [held.facts.layer for held in store.ls()]


def part(name: str, size: int) -> Part:
    return Part(f"{name * 32}.parquet", 1, size, "", "r1", 0.0, 0.0)


def test_the_least_recent_that_suffice_are_chosen() -> None:
    """Never more than must; nothing where all of them would not do."""
    given = [Candidate(3.0, "k", part("a", 10)), Candidate(1.0, "k", part("b", 10)), Candidate(2.0, "k", part("c", 10))]
    assert [c.last for c in least_recent(given, 15) or ()] == [1.0, 2.0]
    assert least_recent(given, 30) is not None
    assert least_recent(given, 31) is None
    assert least_recent([], 0) == []


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cell's kernel says, else the environment, else 20 GB; a mistake names the setting."""
    monkeypatch.delenv(budget.VARIABLE, raising=False)
    assert store_budget() == 20_000_000_000
    monkeypatch.setenv(budget.VARIABLE, "3GB")
    assert store_budget(None) == store_budget("") == 3_000_000_000
    assert store_budget("200 MB") == 200_000_000
    with pytest.raises(VistaStoreError, match=r"VST616.*store_budget='much'"):
        store_budget("much")
    monkeypatch.setenv(budget.VARIABLE, "little")
    with pytest.raises(VistaStoreError, match=r"VST616.*VISTA_NB_STORE_BYTES"):
        store_budget()


def test_many_layers_stay_within_few_bytes(tmp_path: Path) -> None:
    """Ten times the budget is written: at no moment does the folder hold more; what is read now and then stays."""
    store = Store(tmp_path, 5 * PART)
    kept = fill(store, "kept")
    for number in range(50):
        fill(store, f"layer {number}")
        assert bytes_under(tmp_path) <= 5 * PART
        assert store.take(kept, ["d1"]) == {"d1"}, "used a moment ago, so never the first to go"
    assert "layer 49" in layers_in(store)
    assert "layer 0" not in layers_in(store)
    assert "least recently used" in store.notes()[-1]
    assert store.read(kept).table.num_rows == 12


def test_pins_stay_and_what_cannot_fit_evicts_nothing(tmp_path: Path) -> None:
    """A refusal costs nobody anything; without the pin there is room."""
    store = Store(tmp_path, int(3.5 * PART))
    pinned = [fill(store, name) for name in ("a", "b")]
    for key in pinned:
        pin(store, key, True)
    fill(store, "c")
    fill(store, "d")
    assert layers_in(store) == ["a", "b", "d"]
    with pytest.raises(VistaStoreError, match=r"VST614.*budget of .*pinned or in use"):
        store.write_table(facts("e"), noise([f"d{i}" for i in range(24)]), "run 1")
    assert layers_in(store) == ["a", "b", "d"]
    assert list(store.layout.staging.iterdir()) == []
    pin(store, pinned[0], False)
    store.write_table(facts("e"), noise([f"d{i}" for i in range(24)]), "run 1")
    assert layers_in(store) == ["b", "e"]


def test_parts_go_one_by_one(tmp_path: Path) -> None:
    """One layer set may hold the photos of many tables: the oldest photos go, not the set."""
    store = Store(tmp_path, int(3.5 * PART))
    for first in (0, 100, 200):
        key = fill(store, "low", first)
    assert store.take(key, ["d0"]) == {"d0"}
    fill(store, "low", 300)
    assert {"d0", "d200", "d300"} <= store.digests(key)
    assert "d100" not in store.digests(key)


def test_what_a_run_relies_on_stays(tmp_path: Path) -> None:
    """Until it is closed; what it wrote itself as well."""
    run, other = Store(tmp_path, int(2.5 * PART), of_run=True), Store(tmp_path, int(2.5 * PART))
    old = fill(other, "old")
    assert run.take(old, ["d1", "z"]) == {"d1"}
    new = fill(run, "new")
    assert leased(run.layout.leases) == {part.file for key in (old, new) for part in run.lookup(key).parts}
    with pytest.raises(VistaStoreError, match="VST614"):
        fill(other, "more")
    with pytest.raises(VistaStoreError, match=r"VST617.*running cell uses resnet50 old"):
        drop(other, old)
    assert layers_in(other) == ["new", "old"]
    assert {holding.in_use for holding in inventory(other).holdings} == {True}
    run.close()
    run.close()
    assert leased(run.layout.leases) == frozenset()
    fill(other, "more")
    assert layers_in(other) == ["more", "new"]


LEASED = """
import sys, time
from pathlib import Path
from vista_nb.store.files import Store
run = Store(Path(sys.argv[1]), of_run=True)
print(run.take(sys.argv[2], ["d1"]), flush=True)
time.sleep(600)
"""


def test_a_run_relies_on_the_parts_it_reads_alone(tmp_path: Path) -> None:
    """The photos of other tables in the same layer set may go meanwhile."""
    run, other = Store(tmp_path, int(2.5 * PART), of_run=True), Store(tmp_path, int(2.5 * PART))
    for first in (0, 100):
        key = fill(other, "low", first)
    assert run.take(key, ["d1"]) == {"d1"}
    fill(other, "more")
    assert run.digests(key) == {f"d{i}" for i in range(12)}
    run.close()


def test_a_killed_run_relies_on_nothing(tmp_path: Path) -> None:
    """Its lease protects while it lives, from other processes too, and goes with it."""
    store = Store(tmp_path, int(1.5 * PART))
    key = fill(store, "old")
    run = subprocess.Popen([sys.executable, "-c", LEASED, str(tmp_path), key], stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout is not None
        assert run.stdout.readline() == "{'d1'}\n"
        with pytest.raises(VistaStoreError, match="VST614"):
            fill(store, "new")
    finally:
        run.kill()
        run.wait(timeout=30)
    fill(store, "new")
    assert layers_in(store) == ["new"]
    sweep_leases(store.layout.leases)
    assert list(store.layout.leases.iterdir()) == []


def test_a_lease_is_nothing_before_its_first_part(tmp_path: Path) -> None:
    """Looking writes nothing."""
    lease = Lease(tmp_path / "leases")
    lease.add([])
    lease.close()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_count_on_the_same_bytes(tmp_path: Path) -> None:
    """What one has reserved is not there for the other, though not a byte of it is written yet."""
    one, two = Store(tmp_path, 3 * PART), Store(tmp_path, 3 * PART)
    stage = one.stage(2 * PART)
    with pytest.raises(VistaStoreError, match="VST614"):
        two.stage(2 * PART)
    one.release(stage)
    two.release(two.stage(2 * PART))
    assert two.spare() == 3 * PART - bytes_under(one.root)


def test_a_full_disk_evicts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free bytes of the disk are a limit like the budget; the code tells them apart."""
    store = Store(tmp_path)
    fill(store, "a")
    fill(store, "b")
    before = bytes_under(tmp_path)
    monkeypatch.setattr(room, "free_bytes", lambda _: before + PART // 2 - bytes_under(tmp_path))
    fill(store, "c")
    assert layers_in(store) == ["b", "c"]
    with pytest.raises(VistaStoreError, match="VST601"):
        store.stage(10 * PART)
    assert layers_in(store) == ["b", "c"]


def test_uses_are_counted_and_their_loss_loses_nothing(tmp_path: Path) -> None:
    """Times, seconds saved, the last use; a broken file is as none."""
    store = Store(tmp_path)
    key = fill(store, "low")
    began = time.time()
    store.take(key, ["d1", "d2", "z"])
    store.take(key, ["d1"])
    (use,) = read_uses(store.layout.folder(key)).values()
    assert (use.times, use.seconds) == (2, 1.5)
    assert began <= use.last <= time.time()
    (holding,) = inventory(store).holdings
    assert (holding.times, holding.saved, holding.used, holding.in_use) == (2, 1.5, use.last, False)
    for text in ("", "[]", '{"x": 3}', '{"x": [1]}', "\x00"):
        (store.layout.folder(key) / "uses.json").write_text(text)
        assert read_uses(store.layout.folder(key)) == {}
    assert store.take(key, ["d1"]) == {"d1"}
    assert inventory(store).holdings[0].times == 1


def test_only_parts_that_are_needed_are_checked(tmp_path: Path) -> None:
    """A set may hold the photos of many tables: a cell over one of them does not read the others' gigabytes."""
    store = Store(tmp_path)
    for first in (0, 100):
        key = fill(store, "low", first)
    other, mine = (store.layout.folder(key) / part.file for part in store.lookup(key).parts)
    content = bytearray(other.read_bytes())
    content[len(content) // 2] ^= 1
    other.write_bytes(content)
    assert store.take(key, ["d101", "z"]) == {"d101"}
    assert store.verify(key, ["d101"]) == ()
    assert store.paths(key, ["d101"]) == [mine]
    assert store.read(key, ["d101"]).table.num_rows == 1
    assert store.notes() == ()
    assert store.take(key, ["d1", "d101"]) == {"d101"}, "the broken one is found when it is wanted"
    assert "a broken part of resnet50 low (12 rows) was set aside" in store.notes()[0]
    assert Store(tmp_path).verify(key) == ()


def test_cleaning_goes_below_the_budget_when_asked(tmp_path: Path) -> None:
    """Leftovers and broken parts first, then the oldest parts; pins stay whatever is asked for."""
    store = Store(tmp_path)
    keys = [fill(store, name) for name in ("a", "b", "c")]
    pin(store, keys[0], True)
    (store.layout.folder(keys[1]) / f"{'f' * 32}.broken").write_bytes(b"12345")
    gone = clean(store, 2 * PART + PART // 2)
    assert (gone.parts, gone.swept) == (1, (1, 5))
    assert layers_in(store) == ["a", "c"]
    assert clean(store, 0).parts == 1
    assert layers_in(store) == ["a"]
    assert clean(store) == (0, 0, (0, 0))


def test_dropping(tmp_path: Path) -> None:
    """The folder goes, with the leftovers in it; a pinned set does not."""
    store = Store(tmp_path)
    key = fill(store, "low")
    store.take(key, ["d1"])
    pin(store, key, True)
    with pytest.raises(VistaStoreError, match=r"VST617.*resnet50 low is pinned"):
        drop(store, key)
    pin(store, key, False)
    assert drop(store, key) > PART // 2
    assert store.lookup(key) is None
    assert not store.layout.folder(key).exists()


def test_other_versions_are_told_and_left_alone(tmp_path: Path) -> None:
    """Whatever lies in the folder of another format."""
    (tmp_path / "v7" / "layers").mkdir(parents=True)
    (tmp_path / "v7" / "layers" / "x").write_bytes(b"1234")
    (tmp_path / "views").mkdir()
    store = Store(tmp_path, 1_000_000)
    fill(store, "low")
    found = inventory(store)
    assert found.others == ((tmp_path / "v7", 4),)
    clean(store, 0)
    assert (tmp_path / "v7" / "layers" / "x").exists()


def test_an_address_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pyarrow does not open would become a folder called `s3a:`: refused with what to do."""
    monkeypatch.setenv("VISTA_NB_STORE_DIR", "s3a://bucket/store")
    with pytest.raises(VistaStoreError, match=r"VST615.*s3a://bucket/store"):
        store_root()


def test_a_manifest_of_the_first_days_is_read(tmp_path: Path) -> None:
    """It had no checksum of its own; the next write gives it one, and any change of it is seen from then on."""
    store = Store(tmp_path)
    key = fill(store, "low")
    path = store.layout.folder(key) / "manifest.json"
    body = json.loads(path.read_text())
    del body["check"]
    path.write_text(json.dumps(body))
    assert store.lookup(key) is not None
    fill(store, "low", 50)
    assert "check" in json.loads(path.read_text())
    path.write_text(path.read_text().replace('"rows": 12', '"rows": 13'))
    assert store.lookup(key) is None
    assert "no readable manifest" in store.notes()[0]
