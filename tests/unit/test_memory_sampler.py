"""Who counts as what: Python below the JVM is a worker, a throw-away process of the kernel is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from vista_nb.executor.memory_sampler import resident, worker_peaks

PYTHON = str(Path(sys.executable).resolve())
WAIT = "import sys; print('up', flush=True); sys.stdin.read()"
PARENT = f"import subprocess, sys; c = subprocess.Popen([{PYTHON!r}, '-S', '-c', {WAIT!r}]); c.wait()"


@contextmanager
def running(*command: str) -> Iterator[None]:
    """The process, up and waiting until the block ends."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def seen_with(*command: str) -> tuple[dict[str, int], dict[str, int], dict[int, int]]:
    """Resident bytes before and while `command` runs, and the high-water marks of Spark's workers meanwhile."""
    before = resident()
    with running(*command):
        return before, resident(), worker_peaks()


def seen_alone(*command: str) -> tuple[dict[str, int], dict[str, int], dict[int, int]]:
    """`seen_with` in a process of its own: below this one may be an earlier test's Spark, whose workers come and go."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        return alone.submit(seen_with, *command).result()


def test_a_throw_away_process_is_no_worker() -> None:
    """It makes or measures an artifact, and is gone when inference begins."""
    before, now, _ = seen_alone(PYTHON, "-S", "-c", WAIT)
    assert before["workers"] == now["workers"] == 0


def test_python_below_the_jvm_is_a_worker(tmp_path: Path) -> None:
    """A process called java, and a Python that it started; the high-water marks are of Spark's own workers only."""
    java = tmp_path / "java"
    java.symlink_to(PYTHON)
    before, now, peaks = seen_alone(str(java), "-S", "-c", PARENT)
    assert before["jvm"] == before["workers"] == 0
    assert now["jvm"] > 1_000_000
    assert now["workers"] > 1_000_000
    assert peaks == {}
