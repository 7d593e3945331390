"""The store under processes that die or race, and file systems that are full or closed: real ones, no stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.errors import VistaStoreError
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

FACTS = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_1", "max 2x2", "float32", 3)


def rows(names: list[str]) -> pa.Table:
    """One vector of three values per digest."""
    return pa.table({"digest": names, "vector": [[1.0, 2.0, 3.0]] * len(names)}, schema=schema())


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
facts = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_1", "max 2x2", "float32", 3)
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[3])):
    names = [f"{sys.argv[2]}-{i}-{j}" for j in range(50)]
    store.write_table(facts, pa.table({"digest": names, "vector": [[float(i), 2.0, 3.0]] * 50}), sys.argv[2])
    print(i, flush=True)
"""


def start_writer(root: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), name, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_commit_at_once(tmp_path: Path) -> None:
    """No commit is lost and none overwritten."""
    writers = [start_writer(tmp_path, name, 10) for name in ("one", "two")]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    store = Store(tmp_path)
    assert len(store.lookup(FACTS.key).parts) == 20
    assert store.read(FACTS.key).table.num_rows == 2 * 10 * 50
    assert store.read(FACTS.key).notes == ()


def test_a_killed_writer_leaves_whole_parts_only(tmp_path: Path) -> None:
    """`kill -9` while commits go on: every commit that was reported is there, every part there is whole."""
    reported = 0
    for attempt in range(4):
        writer = start_writer(tmp_path, f"try{attempt}", 10_000)
        writer.stdin.write("go\n")
        writer.stdin.flush()
        for _ in range(2 + attempt):
            assert writer.stdout.readline() != ""
        time.sleep(0.003 * attempt)
        writer.kill()
        reported += 2 + attempt + len(writer.stdout.read().splitlines())
        writer.wait(timeout=30)
    store = Store(tmp_path)
    result = store.read(FACTS.key)
    assert result.notes == ()
    assert result.table.num_rows % 50 == 0
    assert reported <= result.table.num_rows // 50 <= reported + 4
    store.write_table(FACTS, rows(["after"]), "run")
    assert "after" in store.digests(FACTS.key)


def test_a_full_disk(tmp_path: Path) -> None:
    """A real file system of two megabytes: the write fails with a code, what was there stays readable."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        store = Store(tmp_path)
        store.write_table(FACTS, rows(["a"]), "run 1")
        wide = LayerSetFacts("m" * 64, "resnet50", "p", "big", "none", "float32", 100_000)
        noise = np.random.default_rng(0).normal(size=(12, 100_000)).astype("float32")
        table = pa.table({"digest": [str(i) for i in range(12)], "vector": list(noise)}, schema=schema())
        with pytest.raises(VistaStoreError, match="VST601"):
            store.write_table(wide, table, "run 2")
        assert store.lookup(wide.key) is None
        assert store.read(FACTS.key).table.num_rows == 1
        store.write_table(FACTS, rows(["b"]), "run 3")
        assert store.digests(FACTS.key) == {"a", "b"}
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_closed_folder(tmp_path: Path) -> None:
    """No right to write (root is asked on a read-only file system): a coded error, and reading goes on."""
    Store(tmp_path).write_table(FACTS, rows(["a"]), "run 1")
    if os.geteuid() == 0:
        bind = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
        close, reopen = bind, f"umount {tmp_path}"
    else:
        close, reopen = f"chmod -R a-w {tmp_path}", f"chmod -R u+w {tmp_path}"
    closed = subprocess.run(close, shell=True, capture_output=True, check=False)
    if closed.returncode:
        pytest.skip(f"cannot close a folder here: {closed.stderr.decode().strip()}")
    try:
        store = Store(tmp_path)
        with pytest.raises(VistaStoreError, match="VST602"):
            store.write_table(FACTS, rows(["b"]), "run 2")
        assert store.read(FACTS.key).table.num_rows == 1
    finally:
        subprocess.run(reopen, shell=True, check=True)
