"""The disk store: whole writes, reads that dedupe, parts that are broken, versions, errors of the disk."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vista_nb.errors import VistaStoreError
from vista_nb.store.files import Store, store_root
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

FACTS = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_1", "max 2x2", "float32", 3)


def rows(names: list[str], value: float = 1.0) -> pa.Table:
    """One vector of three values per digest."""
    return pa.table({"digest": names, "vector": [[value, 2.0, 3.0]] * len(names)}, schema=schema())


def part_paths(store: Store) -> list[Path]:
    return sorted((store.root / "layers" / FACTS.key).glob("*.parquet"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Rows, facts and sizes come back, in another process's view of the store as well."""
    written = Store(tmp_path).write_table(FACTS, rows(["a", "b"]), "run 1", 0.25)
    store = Store(tmp_path)
    known = store.lookup(FACTS.key)
    assert known == written
    assert (known.facts, known.rows, known.run, known.seconds_per_image) == (FACTS, 2, "run 1", 0.25)
    assert known.size == sum(path.stat().st_size for path in part_paths(store))
    result = store.read(FACTS.key)
    assert result.notes == ()
    assert result.table.to_pydict() == {"digest": ["a", "b"], "vector": [[1.0, 2.0, 3.0]] * 2}
    assert result.table.schema == schema()
    assert store.digests(FACTS.key) == {"a", "b"}
    assert store.ls() == (known,)


def test_an_empty_store_answers(tmp_path: Path) -> None:
    """Looking creates no folder."""
    store = Store(tmp_path / "none")
    assert store.lookup(FACTS.key) is None
    assert store.usable(FACTS.key, {"a"}) is None
    assert store.read(FACTS.key).table.num_rows == 0
    assert store.paths(FACTS.key) == []
    assert store.ls() == ()
    assert not (tmp_path / "none").exists()


def test_a_digest_in_two_parts_is_read_once(tmp_path: Path) -> None:
    """The first part wins; `digests` limits what is read; the optimizer hears of the needed rows alone."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a", "b"], 1.0), "run 1")
    store.write_table(FACTS, rows(["b", "c", "c"], 9.0), "run 2")
    table = store.read(FACTS.key).table
    assert table.column("digest").to_pylist() == ["a", "b", "c"]
    assert [vector[0] for vector in table.column("vector").to_pylist()] == [1.0, 1.0, 9.0]
    assert store.read(FACTS.key, ["c", "z"]).table.column("digest").to_pylist() == ["c"]
    usable = store.usable(FACTS.key, ["a", "c", "z"])
    assert usable is not None
    assert (usable.layer, usable.rows, usable.run, usable.pooled) == ("conv5_1", 2, "run 2", True)


def test_files_of_an_engine_are_committed_together(tmp_path: Path) -> None:
    """Several staged files in Spark's own list layout become parts; empty ones are skipped; the stage disappears."""
    store = Store(tmp_path)
    stage = store.stage()
    staged = [stage / f"part-{i}.snappy.parquet" for i in range(3)]
    for i, path in enumerate(staged):
        pq.write_table(rows([f"d{i}"] if i else []), path, compression="snappy")
    layers = store.commit(FACTS, staged, "run", 0.5)
    store.release(stage)
    assert (layers.rows, len(layers.parts)) == (2, 2)
    assert list((store.root / "staging").iterdir()) == []
    assert sorted(store.paths(FACTS.key)) == part_paths(store)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"digest": ["a"], "vector": [[1.0, 2.0]]}, schema=schema()),
        pa.table({"digest": ["a"], "other": [1]}),
        pa.table({"digest": ["a"], "vector": pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float64()))}),
    ],
    ids=["short vectors", "other columns", "doubles"],
)
def test_a_staged_file_of_another_form_is_refused(tmp_path: Path, table: pa.Table) -> None:
    """Nothing of the commit stays, not even the good file beside the bad one."""
    store = Store(tmp_path)
    stage = store.stage()
    pq.write_table(rows(["good"]), stage / "good.parquet")
    pq.write_table(table, stage / "bad.parquet")
    with pytest.raises(VistaStoreError, match="VST606"):
        store.commit(FACTS, [stage / "good.parquet", stage / "bad.parquet"], "run")
    assert store.lookup(FACTS.key) is None
    assert part_paths(store) == []


@pytest.mark.parametrize("harm", ["truncated", "flipped", "gone"])
def test_a_broken_part_is_set_aside(tmp_path: Path, harm: str) -> None:
    """Its rows are missing, a note says so, the other part is read, and the manifest forgets it."""
    Store(tmp_path).write_table(FACTS, rows(["a"]), "run 1")
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["b"]), "run 2")
    broken = store.root / "layers" / FACTS.key / store.lookup(FACTS.key).parts[0].file
    content = bytearray(broken.read_bytes())
    if harm == "truncated":
        broken.write_bytes(content[:-20])
    elif harm == "flipped":
        content[30] ^= 4
        broken.write_bytes(content)
    else:
        broken.unlink()
    result = store.read(FACTS.key)
    assert result.table.column("digest").to_pylist() == ["b"]
    assert len(result.notes) == 1
    assert "1 rows" in result.notes[0]
    assert store.lookup(FACTS.key).rows == 1
    assert broken.with_suffix(".broken").exists() == (harm != "gone")
    assert store.read(FACTS.key).notes == ()
    assert Store(tmp_path).verify(FACTS.key) == ()


@pytest.mark.parametrize("place", range(0, 400, 40))
def test_every_flipped_byte_is_seen(tmp_path: Path, place: int) -> None:
    """`verify` and `paths` read the bytes; no flip anywhere in the file is handed to an engine."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")
    (part,) = part_paths(store)
    content = bytearray(part.read_bytes())
    content[place % len(content)] ^= 1
    part.write_bytes(content)
    assert store.paths(FACTS.key) == []
    assert len(store.notes()) == 1


def test_another_version_is_ignored_and_not_replaced(tmp_path: Path) -> None:
    """A manifest of format 2 gives nothing, and a writer of format 1 leaves it alone."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")
    manifest = store.root / "layers" / FACTS.key / "manifest.json"
    newer = manifest.read_text().replace('"format": 1', '"format": 2')
    manifest.write_text(newer)
    assert store.lookup(FACTS.key) is None
    assert store.ls() == ()
    with pytest.raises(VistaStoreError, match="VST607"):
        store.write_table(FACTS, rows(["b"]), "run 2")
    assert manifest.read_text() == newer
    (tmp_path / "v2" / "layers" / FACTS.key).mkdir(parents=True)
    assert Store(tmp_path).ls() == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "facts": {}, "parts": 3}'])
def test_an_unreadable_manifest_names_nothing(tmp_path: Path, text: str) -> None:
    """A later write starts anew and keeps the old text aside."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")
    manifest = store.root / "layers" / FACTS.key / "manifest.json"
    manifest.write_text(text)
    assert store.lookup(FACTS.key) is None
    assert [store.lookup(FACTS.key), len(store.notes())] == [None, 1], "said once"
    assert "no readable manifest" in store.notes()[0]
    store.write_table(FACTS, rows(["b"]), "run 2")
    assert store.digests(FACTS.key) == {"b"}
    assert len(list(manifest.parent.glob("*.broken"))) == 1


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    """Names in a manifest are checked: no path leads out of the layer's folder, no other key is accepted."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")
    manifest = store.root / "layers" / FACTS.key / "manifest.json"
    body = json.loads(manifest.read_text())
    body["parts"][0]["file"] = "../../../../etc/passwd"
    del body["check"]  # as in the first manifests, which had none
    manifest.write_text(json.dumps(body))
    assert store.lookup(FACTS.key) is None
    with pytest.raises(ValueError, match="not a layer key"):
        store.lookup("../" + FACTS.key[3:])


def test_keys_differ_in_every_fact_but_the_names_of_things() -> None:
    """Model digest, preprocessing, layer, pooling and precision make the key; the CNN's name does not."""
    base = ["d", "resnet50", "p", "conv5", "avg", "float32"]
    others = [[*base[:i], "other", *base[i + 1 :]] for i in range(6)]
    keys = [LayerSetFacts(*facts, 3).key for facts in [base, *others]]
    assert keys[0] == keys[2]  # the name
    assert len(set(keys)) == 6


def test_unnamed_files_do_not_exist(tmp_path: Path) -> None:
    """A part that a killed writer renamed in, but never named, is not read, and goes with the next writer."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")
    orphan = store.root / "layers" / FACTS.key / ("0" * 32 + ".parquet")
    pq.write_table(rows(["ghost"]), orphan)
    assert store.digests(FACTS.key) == {"a"}
    other = Store(tmp_path)
    other.write_table(FACTS, rows(["b"]), "run 2")
    assert not orphan.exists()
    assert "1 unfinished file of runs that were killed" in other.notes()[0]
    assert store.digests(FACTS.key) == {"a", "b"}


def test_stale_stages_go_and_live_ones_stay(tmp_path: Path) -> None:
    """A staging folder goes only when nobody holds its lock; a broken part is kept for a day."""
    store = Store(tmp_path)
    live = store.stage()
    dead = store.root / "staging" / "dead"
    dead.mkdir()
    (dead / "half.parquet").write_bytes(b"PAR1")
    dead.with_name("dead.lock").touch()
    store.write_table(FACTS, rows(["a"]), "run 1")
    broken = [part_paths(store)[0].with_name(f"{name * 32}.broken") for name in "12"]
    for path in broken:
        path.touch()
    os.utime(broken[0], (time.time() - 90_000, time.time() - 90_000))
    assert Store(tmp_path).sweep() == (2, 4)
    assert live.exists()
    assert not dead.exists()
    assert [path.exists() for path in broken] == [False, True]
    store.release(live)
    assert list((store.root / "staging").iterdir()) == []


def test_a_failing_manifest_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up just as the manifest is written: the old rows stay, the new part goes, the error is coded."""
    store = Store(tmp_path)
    store.write_table(FACTS, rows(["a"]), "run 1")

    def full(path: Path, text: str, *, durable: bool = True) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vista_nb.store.layout.replace_text", full)
    with pytest.raises(VistaStoreError, match="VST601"):
        store.write_table(FACTS, rows(["b"]), "run 2")
    assert store.digests(FACTS.key) == {"a"}
    assert len(part_paths(store)) == 1
    assert list((store.root / "staging").iterdir()) == []


def test_a_root_that_is_a_file(tmp_path: Path) -> None:
    """A setting that names a file is a coded error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(VistaStoreError, match=r"VST604.*file"):
        Store(tmp_path / "file").write_table(FACTS, rows(["a"]), "run")


def test_the_root_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VISTA_NB_STORE_DIR, else a folder in the user's cache."""
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path))
    assert store_root() == tmp_path
    monkeypatch.delenv("VISTA_NB_STORE_DIR")
    assert store_root().parts[-2:] == ("vista_nb", "store")
