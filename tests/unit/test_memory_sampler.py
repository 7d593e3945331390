"""Who counts as what: Python below the JVM is a worker, a throw-away process of the kernel is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def test_a_throw_away_process_is_no_worker() -> None:
    """It makes or measures an artifact, and is gone when inference begins."""
    before = resident()["workers"]
    with running(PYTHON, "-S", "-c", WAIT):
        assert resident()["workers"] == before


def test_python_below_the_jvm_is_a_worker(tmp_path: Path) -> None:
    """A process called java, and a Python that it started; the high-water marks are of Spark's own workers only."""
    java = tmp_path / "java"
    java.symlink_to(PYTHON)
    before = resident()
    with running(str(java), "-S", "-c", PARENT):
        now = resident()
        assert now["jvm"] > before["jvm"] + 1_000_000
        assert now["workers"] > before["workers"] + 1_000_000
        assert worker_peaks() == {}
