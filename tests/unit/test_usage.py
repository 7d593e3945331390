"""What a worker tells of itself: counted per process and pass, read back by the kernel, never in the way."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from vista_nb.executor.cnn import model_cache, usage
from vista_nb.executor.cnn.usage import decoding, own_peak, told, watched


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a worker that has just been forked."""
    monkeypatch.setattr(usage, "_passes", {})
    monkeypatch.setattr(usage, "_ever", [])
    monkeypatch.setattr(model_cache, "_loads", ["one"])


def busy(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def work(decode: float, infer: float) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """A task's body that takes so long over each batch."""

    def body(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            with decoding(batch.num_rows):
                busy(decode)
            busy(infer)
            yield batch

    return body


def batches(count: int, rows: int) -> Iterator[pa.RecordBatch]:
    return iter([pa.record_batch({"a": list(range(rows))})] * count)


def test_two_tasks_of_one_process_add_up(tmp_path: Path) -> None:
    """Only the process' first batch is start-up; decoding is told apart; every batch comes through."""
    for _ in range(2):
        assert len(list(watched(str(tmp_path), work(0.02, 0.04), batches(3, 10)))) == 3
    (found,) = told(str(tmp_path))
    assert (found.process, found.images, found.batches) == (os.getpid(), 50, 5)
    assert (found.decoded, found.first_images, found.alone) == (60, 10, True)
    # lower bounds only: the work took at least so long, whatever else this process did
    assert found.decode_seconds >= 0.12
    assert found.infer_seconds >= 0.0035
    assert found.start > 0
    assert found.peak > 10_000_000


def test_a_second_pass_of_the_same_worker_has_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was running already; and once it has loaded another artifact its peak is not this one's alone."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        list(watched(str(folder), work(0, 0), batches(2, 4)))
        monkeypatch.setattr(model_cache, "_loads", ["one", "two"])
    (before,), (after,) = told(str(first)), told(str(second))
    assert before.start > 0
    assert before.alone
    assert after.start == 0
    assert not after.alone
    assert (after.images, after.decoded) == (4, 8)


def test_an_empty_partition_tells_nothing_wrong(tmp_path: Path) -> None:
    """No batch, no image."""
    assert list(watched(str(tmp_path), work(0, 0), iter([]))) == []
    (found,) = told(str(tmp_path))
    assert (found.images, found.infer_seconds, found.start) == (0, 0.0, 0.0)


def test_no_shared_folder_and_broken_files_are_no_error(tmp_path: Path) -> None:
    """A worker of another machine, or one that runs again after the pass; half a file."""
    gone = tmp_path / "gone"
    gone.mkdir()
    shutil.rmtree(gone)
    assert len(list(watched(str(gone), work(0, 0), batches(2, 1)))) == 2
    assert told(str(gone)) == ()
    (tmp_path / "1.json").write_text("{")
    (tmp_path / "2.json").write_text('{"other": 1}')
    assert told(str(tmp_path)) == ()


def test_own_peak_never_falls() -> None:
    """A large list that is gone again still counts."""
    before = own_peak()
    assert before is not None
    held = bytearray(before)
    held[::4096] = b"1" * len(held[::4096])
    size = len(held)
    del held
    after = own_peak()
    assert after is not None
    assert after >= size
