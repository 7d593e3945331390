"""Layer sets for tests of the remote tier: one part of a few rows, sent and fetched by stores of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from vista_nb.store import remote as remote_module
from vista_nb.store.fetching import fetch
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema

__all__ = ["AWAY", "FACTS", "bring", "forget_what_is_known", "put", "rows"]

AWAY = "gs://anonymous@bucket/x?scheme=http&endpoint_override=127.0.0.1:9&retry_limit_seconds=0.3"
"""A bucket where nobody answers: pyarrow's client for Google Cloud, told to give up soon."""

FACTS = LayerSetFacts("m" * 64, "resnet50", "decode1:caffe:224x224", "conv5_1", "max 2x2", "float32", 3)


def forget_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has learnt of object stores: from here on it is another process."""
    monkeypatch.setattr(remote_module, "_known", {})
    monkeypatch.setattr(remote_module, "_damaged", set())
    monkeypatch.setattr(remote_module, "_down", {})


def rows(names: Sequence[str]) -> pa.Table:
    """One vector of three values per digest, which the digest says."""
    vectors = [[float(ord(name[0])), float(len(name)), 1.0] for name in names]
    return pa.table({"digest": list(names), "vector": vectors}, schema=schema())


def put(folder: Path, remote: str, names: Sequence[str], run: str = "r1") -> tuple[str, ...]:
    """A run that writes these rows into its own store and sends them; what it told."""
    store = Store(folder, of_run=True, remote=remote)
    try:
        store.write_table(FACTS, rows(names), run, 0.5)
        return (*store.settle(), *store.notes())
    finally:
        store.close()


def bring(folder: Path, remote: str, names: Sequence[str]) -> tuple[dict[str, list[float]], tuple[str, ...]]:
    """Another kernel with its own store: digest -> vector of what came, and what it told."""
    store = Store(folder, remote=remote)
    came = fetch(store, FACTS.key, set(names))
    found = store.read(FACTS.key, came).table if came else rows([])
    vectors = found.column("vector").to_pylist()
    return dict(zip(found.column("digest").to_pylist(), vectors, strict=True)), store.notes()
