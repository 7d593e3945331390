"""Kernels that die or race while they send to one remote store: real processes, killed at random moments."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from remote_support import FACTS, bring

from vista_nb.store import remote as remote_module
from vista_nb.store.files import Store
from vista_nb.store.remote import Remote
from vista_nb.store.remote_admin import sweep_remote

WRITER = """
import sys
from pathlib import Path
import numpy as np
import pyarrow as pa
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
facts = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_1", "max 2x2", "float32", 3)
store = Store(Path(sys.argv[1]), of_run=True, remote=sys.argv[2])
print("ready", flush=True)
for i in range(int(sys.argv[4])):
    names = [f"{sys.argv[3]}-{i}-{j}" for j in range(400)]
    values = [[float(i), float(j), 3.0] for j in range(400)]
    store.write_table(facts, pa.table({"digest": names, "vector": values}), sys.argv[3])
    store.settle()
"""


def start(folder: Path, uri: str, name: str, count: int) -> subprocess.Popen[str]:
    """A kernel that sends part after part, once it has said that it is ready."""
    command = [sys.executable, "-c", WRITER, str(folder), uri, name, str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def check(uri: str, folder: Path) -> int:
    """Every part that exists comes whole, nothing is said, and every row is the one of its digest; how many rows."""
    remote_module._known.clear()
    names = {digest for part in Remote(uri, print).parts(FACTS.key) for digest in part.digests}
    found, notes = bring(folder, uri, sorted(names))
    assert notes == ()
    assert found.keys() == names
    for name, vector in found.items():
        _, number, row = name.split("-")
        assert vector == [float(number), float(row), 3.0]
    return len(names)


def test_kill_9_at_random_moments(tmp_path: Path) -> None:
    """Whatever was being sent does not exist; what `gc` finds after a day is no more than one part of each."""
    (tmp_path / "bucket").mkdir()
    uri = (tmp_path / "bucket").as_uri()
    chance = random.Random(7)
    for number in range(6):
        writer = start(tmp_path / "store", uri, f"w{number}", 1_000)
        time.sleep(chance.uniform(0.0, 1.0))
        writer.kill()
        writer.wait()
        check(uri, tmp_path / "reader")
    swept = sweep_remote(Store(tmp_path / "reader", remote=uri), time.time() + 2 * 86_400.0)
    assert swept.files <= 6 * 2
    assert len(list(tmp_path.rglob("bucket/v1/*/*.json"))) == len(list(tmp_path.rglob("bucket/v1/*/*.parquet")))
    check(uri, tmp_path / "reader")


def test_two_kernels_send_at_once(tmp_path: Path) -> None:
    """Neither waits for the other, and no part is lost."""
    (tmp_path / "bucket").mkdir()
    uri = (tmp_path / "bucket").as_uri()
    writers = [start(tmp_path / name, uri, name, 10) for name in ("one", "two")]
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "bucket" / "v1").exists():
            check(uri, tmp_path / "reader")
    assert [writer.returncode for writer in writers] == [0, 0]
    assert check(uri, tmp_path / "reader") == 2 * 10 * 400
