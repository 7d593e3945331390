"""The remote tier against an S3 API over HTTP: pyarrow's own client, moto's server in a process of its own.

moto needs botocore, which refuses this project's python-dateutil: it lies in an environment of its own, whose Python
VISTA_NB_MOTO names (docs/contributing.md). Where there is none the test is skipped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cells_support import cell
from executor_support import catalogue, tiny_cnn, workload
from remote_support import FACTS, bring, put

from vista_nb.outcome.events import LayerReused
from vista_nb.store import remote as remote_module
from vista_nb.store.admin import check, drop, inventory
from vista_nb.store.files import Store
from vista_nb.store.remote_admin import sweep_remote

MOTO = os.environ.get("VISTA_NB_MOTO", "")
pytestmark = pytest.mark.skipif(not Path(MOTO).is_file(), reason="VISTA_NB_MOTO names no Python that has moto")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server on loopback with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([MOTO, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)])
    try:
        address = f"http://127.0.0.1:{port}"
        _put_bucket(f"{address}/features")
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _put_bucket(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("moto did not start")


@pytest.fixture
def uri(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of the test's own; credentials as every S3 client finds them."""
    for name, value in (("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    for name in ("_known", "_down"):
        monkeypatch.setattr(remote_module, name, {})
    monkeypatch.setattr(remote_module, "_damaged", set())
    return f"s3://features/{request.node.name}?region=us-east-1&endpoint_override={endpoint}"


def test_parts_go_and_come(uri: str, tmp_path: Path) -> None:
    """What a second kernel reads is what the first wrote; nothing but parts and JSONs lies there."""
    told = put(tmp_path / "one", uri, ["a", "bb"])
    assert any("sent to s3://features/test_parts_go_and_come" in line and "127.0.0.1" not in line for line in told)
    found, notes = bring(tmp_path / "two", uri, ["a", "bb", "zzz"])
    assert (found, notes) == ({"a": [97.0, 1.0, 1.0], "bb": [98.0, 2.0, 1.0]}, ())
    store = Store(tmp_path / "two", remote=uri)
    assert sweep_remote(store, time.time() + 200_000.0) == (0, 0)
    assert check(store, [FACTS.key]).parts == 2
    (holding,) = inventory(store).holdings
    assert holding.remote_rows == 2
    drop(store, FACTS.key)
    assert inventory(Store(tmp_path / "two", remote=uri)).holdings == ()


def test_a_part_of_many_uploads(uri: str, tmp_path: Path) -> None:
    """30 MB: S3 takes it in pieces, and hands back the same bytes."""
    import pyarrow as pa

    from vista_nb.store.fetching import fetch
    from vista_nb.store.manifest import LayerSetFacts
    from vista_nb.store.parts import schema

    facts = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_2", "max 2x2", "float32", 8192)
    values = np.random.default_rng(0).standard_normal((1000, 8192)).astype(np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 8192)
    table = pa.table({"digest": [f"{i:064x}" for i in range(1000)], "vector": vectors.cast(schema().field(1).type)})
    store = Store(tmp_path / "one", of_run=True, remote=uri)
    store.write_table(facts, table, "r1")
    assert len(store.settle()) == 1
    store.close()
    other = Store(tmp_path / "two", remote=uri)
    names = set(table.column("digest").to_pylist())
    assert fetch(other, facts.key, names) == names
    assert other.read(facts.key).table.sort_by("digest").equals(table)
    assert other.verify(facts.key, again=True) == ()


def test_another_kernel_infers_nothing(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path / "store"))
    work = workload(catalogue(tmp_path), tiny_cnn(), ("mid", "top"))
    first = cell(work, tmp_path, remote=uri)
    shutil.rmtree(tmp_path / "store")
    second = cell(work, tmp_path, run="r2", remote=uri)
    assert (first.inferred, second.inferred) == (60, 0)
    assert [event.remote for event in second.events if isinstance(event, LayerReused)] == [True, True]
    for layer in ("mid", "top"):
        np.testing.assert_array_equal(first.features(layer), second.features(layer))


def test_no_server_is_a_note(tmp_path: Path, uri: str) -> None:
    """An endpoint that nobody listens at, and a bucket that is not there: what was made stays here."""
    nobody = "s3://features/x?region=us-east-1&endpoint_override=http://127.0.0.1:9"
    for wrong in (nobody, uri.replace("features", "no")):
        told = put(tmp_path / "one", wrong, ["a"])
        assert any("VST618" in line for line in told)
    assert Store(tmp_path / "one").digests(FACTS.key) == {"a"}
