"""The processes that benchmarks/store_kills.py kills: writers of a store whose every vector can be recomputed.

`python -m benchmarks.store_child JOB FOLDER SEED`; it prints `ready`, waits for a line, works until it is killed, and
reports each commit. The value of a row is a function of its layer and its digest, so that any reader can check it.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vista_nb.errors import VistaStoreError
from vista_nb.store.admin import clean, drop, pin
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import PartWriter, schema

__all__ = ["LAYERS", "WIDTH", "facts_of", "main", "pooled", "right_vector", "wrong_rows"]

WIDTH = 512
LAYERS = ("low", "mid", "top")


def facts_of(layer: str, raw: bool = False) -> LayerSetFacts:
    pooling = "raw" if raw else "avg"
    return LayerSetFacts("d" * 64, "resnet50", "decode1:caffe:224x224", layer, pooling, "float32", WIDTH)


def right_vector(layer: str, digest: str, width: int = WIDTH) -> NDArray[np.float32]:
    """What the store must give for this image, if it gives anything."""
    seed = int.from_bytes(hashlib.sha256(f"{layer} {digest}".encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=width).astype(np.float32)


def pooled(layer: str, digests: Iterable[str], width: int = WIDTH) -> pa.Table:
    names = list(digests)
    vectors = [right_vector(layer, name, width) for name in names]
    return pa.table({"digest": names, "vector": pa.array(vectors, pa.list_(pa.float32()))}, schema=schema())


def raw_table(layer: str, digests: Iterable[str]) -> pa.Table:
    names = list(digests)
    rows = [
        [{"name": layer, "dtype": "float32", "shape": [WIDTH], "data": right_vector(layer, n).tobytes()}] for n in names
    ]
    return pa.table({"digest": names, "tensors": pa.array(rows, schema(raw=True).field("tensors").type)})


def wrong_rows(layer: str, table: pa.Table, width: int = WIDTH) -> int:
    """Rows that are not what was written: there must be none, whatever happened."""
    digests = table.column("digest").to_pylist()
    if "vector" in table.column_names:
        found = [np.array(vector, np.float32) for vector in table.column("vector").to_pylist()]
    else:
        found = [np.frombuffer(row[0]["data"], np.float32) for row in table.column("tensors").to_pylist()]
    return sum(not np.array_equal(f, right_vector(layer, d, width)) for f, d in zip(found, digests, strict=True))


def _pooled_writes(store: Store, seed: int) -> None:
    """One commit after another."""
    for number in range(1_000_000):
        layer = LAYERS[number % 3]
        names = [f"{seed}-{number}-{i}" for i in range(40)]
        store.write_table(facts_of(layer), pooled(layer, names), f"r{seed}", 0.1)
        print(f"committed {layer} {names[0]} {len(names)}", flush=True)


def _raw_writes(store: Store, seed: int) -> None:
    """Several files in one commit, as Spark's workers write them."""
    for number in range(1_000_000):
        layer = LAYERS[number % 3]
        names = [f"{seed}-{number}-{i}" for i in range(60)]
        stage = store.stage(4 * WIDTH * len(names) * 2, raw=True)
        try:
            paths = [stage / f"{place}.parquet" for place in range(3)]
            for place, path in enumerate(paths):
                with PartWriter(path, raw=True) as part:
                    part.write(raw_table(layer, names[20 * place : 20 * place + 20]))
            store.commit(facts_of(layer, raw=True), paths, f"r{seed}", 0.1)
        finally:
            store.release(stage)
        print(f"committed {layer}/raw {names[0]} {len(names)}", flush=True)


def _everything(store: Store, seed: int) -> None:
    """Under a tight budget: evictions, noted reads, pins, drops, cleaning. No commit is reported: it may be evicted."""
    chance = random.Random(seed)
    for number in range(1_000_000):
        layer = chance.choice(LAYERS)
        key = facts_of(layer).key
        try:
            match chance.randrange(8):
                case 0:
                    pin(store, key, chance.random() < 0.5) if store.lookup(key) else None
                case 1:
                    drop(store, key) if store.lookup(key) and chance.random() < 0.2 else None
                case 2:
                    clean(store, chance.randrange(2_000_000))
                case 3 | 4:
                    store.take(key, [f"{seed}-{number - back}-1" for back in range(9)])
                case _:
                    store.write_table(facts_of(layer), pooled(layer, [f"{seed}-{number}-{i}" for i in range(40)]), "r")
        except VistaStoreError as error:
            if error.code not in ("VST614", "VST617"):  # pinned or leased, as asked for
                raise
        print(f"step {number}", flush=True)


JOBS = {"pooled": _pooled_writes, "raw": _raw_writes, "everything": _everything}


def main() -> None:
    job, folder, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    store = Store(folder, 1_500_000 if job == "everything" else 10**12, of_run=job == "everything")
    pooled("low", ["warm"])
    print("ready", flush=True)
    sys.stdin.readline()
    JOBS[job](store, seed)


if __name__ == "__main__":
    main()
