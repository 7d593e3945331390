"""What runs in a Spark worker, run here: batches of any cut, bad pictures, raw tensors, stored starts, slots."""

from __future__ import annotations

import multiprocessing
import pickle
import time

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from vista_nb.catalog.roster import load_roster
from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
from vista_nb.executor.cnn.slots import slot
from vista_nb.executor.cnn.tensors import from_arrow, to_array
from vista_nb.executor.cnn.worker import (
    InferenceTask,
    PoolTask,
    infer_batches,
    output_ddl,
    output_schema,
    pool_batches,
    pool_ddl,
)
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

SMALL = load_roster().find("mobilenet_025")
LAYERS = ("conv_pw_11_relu", "conv_pw_13_relu", "predictions")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(cache):
    return resolve_model(SMALL, "random", 1, cache)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Eleven JPEGs; the fourth is truncated, the seventh is missing."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    paths = []
    for i in range(11):
        path = folder / f"é photo {i}.jpg"
        Image.fromarray(random.integers(0, 255, (60 + i, 80, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    paths[3].write_bytes(paths[3].read_bytes()[:-300])
    paths[6].unlink()
    return paths


def task(source, cache, start=None, layers=LAYERS, pooling=Pooling.MAX_2X2, size=4):
    artifact = prepare_artifact(source, SMALL, start, layers, pooling, "float32", cache)
    return InferenceTask(
        str(artifact), 224, 224, "tf", layers, start=start, pooled=pooling is not None, batch_size=size
    )


def table(photos):
    return pa.table({"digest": [f"d{i}" for i in range(len(photos))], "path": [str(path) for path in photos]})


def run(task, batches):
    done = list(infer_batches(pickle.loads(pickle.dumps(task)), iter(batches)))
    for batch in done:
        batch.validate(full=True)
        assert batch.schema == output_schema(task)
    return done


def matrix(table, column):
    return np.stack([np.asarray(value.as_py(), np.float32) for value in table.column(column) if value.is_valid])


def test_pictures_to_pooled_features(source, cache, photos):
    """Batches of exactly 4 whatever Spark sends; two bad pictures are error rows in their place."""
    done = run(task(source, cache), table(photos).to_batches(max_chunksize=3))
    assert [batch.num_rows for batch in done] == [4, 4, 3]
    result = pa.Table.from_batches(done)
    assert result.column("digest").to_pylist() == [f"d{i}" for i in range(11)]
    errors = result.column("error").to_pylist()
    assert [i for i, error in enumerate(errors) if error] == [3, 6]
    assert "truncated" in errors[3]
    assert "No such file" in errors[6]
    assert [len(result.column(f"f{i}")[0].as_py()) for i in range(3)] == [512, 1024, 1000]
    assert result.column("f0").null_count == 2


def test_features_do_not_depend_on_batches(source, cache, photos):
    """Another batch size, other Arrow batches, bytes for paths: the same numbers."""
    whole = pa.Table.from_batches(run(task(source, cache, size=32), table(photos).to_batches()))
    ones = pa.Table.from_batches(run(task(source, cache, size=1), table(photos).to_batches(max_chunksize=5)))
    content = [path.read_bytes() if path.exists() else None for path in photos]
    given = pa.table({"digest": table(photos).column("digest"), "content": pa.array(content, pa.binary())})
    sent = pa.Table.from_batches(run(task(source, cache), given.to_batches()))
    for column in ("f0", "f1", "f2"):
        expected = matrix(whole, column)
        assert np.abs(matrix(ones, column) - expected).max() <= 1e-4 * np.abs(expected).max()
        assert np.abs(matrix(sent, column) - expected).max() <= 1e-4 * np.abs(expected).max()


def test_staged_and_pulled_up_equal_one_pass(source, cache, photos):
    """Raw layer, then from its stored tensors to the next, pooled in numpy: the features of the fused pass."""
    fused = pa.Table.from_batches(run(task(source, cache), table(photos).to_batches()))
    low = run(task(source, cache, layers=LAYERS[:1], pooling=None), table(photos).to_batches())
    assert low[0].schema.field("tensors").type == pa.list_(low[0].schema.field("tensors").type.value_type)
    (record,) = from_arrow(low[0].column("tensors")[0])
    assert (record.name, record.shape, to_array(record).dtype) == (LAYERS[0], (14, 14, 128), np.float32)
    high = run(task(source, cache, LAYERS[0], LAYERS[1:2], None), [batch.drop_columns("error") for batch in low])
    for column, layer, raw in (("f0", LAYERS[0], low), ("f1", LAYERS[1], high)):
        pooled = pa.Table.from_batches(pool_batches(PoolTask(layer, Pooling.MAX_2X2), iter(raw)))
        assert pooled.column("error").null_count == 9
        expected = matrix(fused, column)
        assert np.abs(matrix(pooled, "f0") - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_batch_of_only_bad_pictures(source, cache):
    """No good row at all: error rows, null features, no crash."""
    (batch,) = run(task(source, cache), [pa.record_batch({"digest": ["a", "b"], "path": ["/none", None]})])
    assert batch.column("f0").null_count == 2
    assert all(batch.column("error").to_pylist())


def test_empty_partition_loads_nothing(source, cache, monkeypatch):
    """Spark gives empty partitions too."""
    monkeypatch.setattr("vista_nb.executor.cnn.worker._model", None)
    empty = pa.record_batch({"digest": pa.array([], pa.string()), "path": pa.array([], pa.string())})
    assert run(task(source, cache), []) == []
    assert run(task(source, cache), [empty]) == []


@pytest.mark.spark
def test_inside_real_spark_workers(spark, source, cache, photos):
    """The same through mapInArrow in other processes: DDL, error rows and numbers agree."""
    job = task(source, cache)
    frame = spark.createDataFrame(table(photos).to_pandas()).repartition(2)
    found = frame.mapInArrow(lambda batches: infer_batches(job, batches), output_ddl(job)).toArrow().sort_by("digest")
    here = pa.Table.from_batches(run(job, table(photos).to_batches())).sort_by("digest")
    assert found.column("error").null_count == here.column("error").null_count == 9
    for column in ("f0", "f2"):
        expected = matrix(here, column)
        assert np.abs(matrix(found, column) - expected).max() <= 1e-4 * np.abs(expected).max()
    assert 0 not in set(found.column("worker").to_pylist())
    raw = task(source, cache, layers=LAYERS[:1], pooling=None)
    tensors = frame.mapInArrow(lambda batches: infer_batches(raw, batches), output_ddl(raw)).drop("error", "worker")
    pool = PoolTask(LAYERS[0], Pooling.MAX_2X2)
    pooled = tensors.mapInArrow(lambda batches: pool_batches(pool, batches), pool_ddl()).toArrow().sort_by("digest")
    assert np.abs(matrix(pooled, "f0") - matrix(here, "f0")).max() <= 1e-4 * np.abs(matrix(here, "f0")).max()


def _hold(folder, limit, times):
    with slot(folder, limit):
        start = time.monotonic()
        time.sleep(0.2)
        times.put((start, time.monotonic()))


def test_slots_limit_the_holders(tmp_path):
    """Five processes, two slots: never more than two inside at once."""
    context = multiprocessing.get_context("spawn")
    times = context.Queue()
    workers = [context.Process(target=_hold, args=(tmp_path / "slots", 2, times)) for _ in range(5)]
    for worker in workers:
        worker.start()
    spans = [times.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert len(spans) == 5
    for start, _ in spans:
        assert sum(begin <= start < end for begin, end in spans) <= 2
