"""Raw layer sets on disk: lists of named tensors, whole or absent, under keys of their own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from executor_support import tiny_cnn

from vista_nb.errors import VistaStoreError
from vista_nb.executor.cnn.tensors import TENSORS_TYPE, from_arrow, tensors_column, to_array
from vista_nb.executor.inputs import TensorRecord
from vista_nb.plan.fingerprint import raw_pooling
from vista_nb.store import files, room
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import GROUP_BYTES, PartWriter, schema, write_part

FACTS = LayerSetFacts("m" * 64, "resnet50", "decode2:caffe:224x224", "conv5_1", "raw skip", "float32", 14)


def tensors(names: list[str], seed: int = 0) -> pa.Table:
    """Per digest a 2x2x3 tensor of the layer and a vector of 2 beside it."""
    chance = np.random.default_rng(seed)
    layers = {
        "conv5_1": chance.random((len(names), 2, 2, 3), np.float32),
        "skip": chance.random((len(names), 2), np.float32),
    }
    return pa.table({"digest": names, "tensors": tensors_column(layers, [True] * len(names))})


def test_named_tensors_come_back(tmp_path: Path) -> None:
    """Names, types, shapes and bytes, also of two bytes a value; the optimizer hears that they are raw."""
    table = tensors(["a", "b"])
    bfloat16 = TensorRecord("skip", "bfloat16", (3,), b"\x80\x3f\x00\x40\x40\x40")
    row = [{"name": bfloat16.name, "dtype": bfloat16.dtype, "shape": [3], "data": bfloat16.data}]
    more = pa.table({"digest": ["c"], "tensors": pa.array([row], TENSORS_TYPE)})
    Store(tmp_path).write_table(FACTS, table, "run 1", 0.5)
    store = Store(tmp_path)
    store.write_table(FACTS, more, "run 2")
    found = store.read(FACTS.key).table
    assert found.schema == schema(raw=True)
    assert found.slice(0, 2).equals(table.cast(schema(raw=True)))
    assert from_arrow(found.column("tensors")[2]) == (bfloat16,)
    assert [r.name for r in from_arrow(found.column("tensors")[0])] == ["conv5_1", "skip"]
    assert to_array(from_arrow(found.column("tensors")[0])[0]).shape == (2, 2, 3)
    usable = store.usable(FACTS.key, ["a", "z"])
    assert usable is not None
    assert (usable.layer, usable.rows, usable.pooled) == ("conv5_1", 1, False)


def test_the_arrow_type_is_the_executors() -> None:
    """Two rooms that may not import each other name the same type."""
    assert schema(raw=True).field("tensors").type == TENSORS_TYPE


def test_keys_tell_raw_from_pooled_and_cut_from_cut() -> None:
    """Neither another pooling nor another choice of the cut's tensors is taken for this set."""
    assert len({replace(FACTS, pooling=p).key for p in ("max 2x2", "none", "raw", "raw skip", "raw skip other")}) == 5
    assert [replace(FACTS, pooling=p).raw for p in ("none", "raw", "raw skip")] == [False, True, True]
    low = tiny_cnn().layers[0]
    assert raw_pooling(low) == "raw"
    assert raw_pooling(replace(low, cut=((low.node, low.shape), ("skip", (2,))))) == "raw skip"


@pytest.mark.parametrize("harm", ["truncated", "flipped"])
def test_a_broken_part_is_set_aside(tmp_path: Path, harm: str) -> None:
    """Before an engine is handed its path: the other part stays, the note counts the images."""
    store = Store(tmp_path)
    store.write_table(FACTS, tensors(["a", "b"]), "run 1")
    store.write_table(FACTS, tensors(["c"]), "run 2")
    broken = store.root / "layers" / FACTS.key / store.lookup(FACTS.key).parts[0].file
    content = bytearray(broken.read_bytes())
    content[60] ^= 1
    broken.write_bytes(content if harm == "flipped" else content[:-9])
    assert len(store.paths(FACTS.key)) == 1
    assert store.digests(FACTS.key) == {"c"}
    assert "2 rows" in store.notes()[0]


def test_a_raw_part_is_no_pooled_part(tmp_path: Path) -> None:
    """What was staged for the one kind of set is refused by the other."""
    store = Store(tmp_path)
    stage = store.stage()
    write_part(tensors(["a"]), stage / "raw.parquet", raw=True)
    write_part(pa.table({"digest": ["a"], "vector": [[1.0]]}, schema=schema()), stage / "pooled.parquet")
    with pytest.raises(VistaStoreError, match="VST606"):
        store.commit(replace(FACTS, pooling="avg"), [stage / "raw.parquet"], "run")
    with pytest.raises(VistaStoreError, match="VST606"):
        store.commit(FACTS, [stage / "pooled.parquet"], "run")
    store.release(stage)
    assert store.ls() == ()


def test_a_reader_never_needs_more_than_a_small_group(tmp_path: Path) -> None:
    """Spark's reader holds a whole row group: tensors are cut into groups of few megabytes."""
    names = [f"d{i}" for i in range(12)]
    big = {"conv5_1": np.zeros((12, 1024, 1024), np.float32)}
    table = pa.table({"digest": names, "tensors": tensors_column(big, [True] * 12)})
    with PartWriter(tmp_path / "part.parquet", raw=True) as part:
        part.write(table)
    groups = pq.ParquetFile(tmp_path / "part.parquet").metadata
    assert groups.num_rows == 12
    assert max(groups.row_group(i).num_rows for i in range(groups.num_row_groups)) <= GROUP_BYTES // (4 * 1024 * 1024)


KILLED = """
import os, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from vista_nb.executor.cnn.tensors import tensors_column
from vista_nb.store.files import Store
from vista_nb.store.parts import PartWriter
store = Store(Path(sys.argv[1]))
stage = store.stage()
part = PartWriter(stage / "part.parquet", raw=True)
batch = {"conv5_1": np.ones((4, 2, 2, 3), np.float32)}
part.write(pa.table({"digest": list("abcd"), "tensors": tensors_column(batch, [True] * 4)}))
os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    """Half a file in a staging folder is nobody's, and goes as soon as another writer comes: its lock is free."""
    died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert died.returncode == -9
    store = Store(tmp_path)
    assert store.lookup(FACTS.key) is None
    (left,) = [path for path in (store.root / "staging").iterdir() if path.is_dir()]
    store.release(store.stage())
    assert not left.exists()
    assert list((store.root / "staging").iterdir()) == []


def test_two_kernels_may_keep_the_same_cut(tmp_path: Path) -> None:
    """Both commit; a digest that stands twice is read once, and the engine is told."""
    one, other = Store(tmp_path), Store(tmp_path)
    stages = [store.stage() for store in (one, other)]
    for stage, names in zip(stages, (["a", "b"], ["b", "c"]), strict=True):
        write_part(tensors(names), stage / "part.parquet", raw=True)
    for store, stage in zip((one, other), stages, strict=True):
        store.commit(FACTS, [stage / "part.parquet"], "run")
        store.release(stage)
    known = Store(tmp_path).lookup(FACTS.key)
    assert known is not None
    assert (known.rows, len(one.digests(FACTS.key))) == (4, 3)
    assert one.read(FACTS.key).table.column("digest").to_pylist() == ["a", "b", "c"]


def test_raw_tensors_leave_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fits above the floor is refused before a byte is written."""
    store = Store(tmp_path)
    monkeypatch.setattr(room, "free_bytes", lambda _: files.DISK_FLOOR + 1_000)
    store.release(store.stage(1_000, raw=True))
    with pytest.raises(VistaStoreError, match="VST613"):
        store.stage(1_001, raw=True)
    store.release(store.stage(1_001))
    assert list((store.root / "staging").iterdir()) == []
