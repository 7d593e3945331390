"""A memory cgroup of our own to run a command in: limit, peaks, kills; gone afterwards.

Reads the memory controller (cgroup v1) of this machine, returns what the command printed and what the group held. May
touch: a folder of its own below this process' group, and the processes that are in it. Nothing else: no other group,
no swap setting but the new group's own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "run_limited", "why_not"]

_TOP = Path("/sys/fs/cgroup/memory")
_PERIOD = 0.25
_JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'  # in the child: whatever it starts inherits the group


@dataclass(frozen=True)
class Ended:
    """code: of the command, negative where a signal ended it, None where the time was up. peak: the most bytes the
    group was charged with, page cache included; resident: the most without it (sampled). kills: by the kernel.
    """

    code: int | None
    out: str
    err: str
    peak: int
    resident: int
    kills: int
    seconds: float


def why_not() -> str | None:
    """Why no memory cgroup can be made here; None where one can."""
    if not (_TOP / "cgroup.procs").is_file():
        return "there is no memory controller of cgroup v1 here"
    try:
        with _group(2**30):
            return None
    except OSError as error:
        return f"a memory cgroup cannot be made here: {error.strerror or error}"


def run_limited(
    command: Sequence[str],
    limit: int,
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    sampled: Callable[[int], object] | None = None,
) -> Ended:
    """Run to the end, or `timeout` seconds, with `limit` bytes for it and everything it starts, swap off.

    sampled: told the resident bytes four times a second, from another thread.
    """
    with _group(limit) as group, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began, done = time.monotonic(), threading.Event()
        most = [0]
        sampler = threading.Thread(target=_sample, args=(group, done, most, sampled), daemon=True)
        sampler.start()
        child = subprocess.Popen(
            ["/bin/sh", "-c", _JOIN, str(group), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env
        )
        try:
            code: int | None = child.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also where this process is told to end: the group is about to go
            done.set()
            sampler.join()
        seconds = time.monotonic() - began
        kills = _kills(group)
        _empty(group)
        child.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
        return Ended(code, texts[0], texts[1], _number(group / "memory.max_usage_in_bytes"), most[0], kills, seconds)


@contextmanager
def _group(limit: int) -> Iterator[Path]:
    """A child of this process' own group, so that limits above it go on holding."""
    folder = _own() / f"vista_nb-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        (folder / "memory.limit_in_bytes").write_text(str(limit))
        (folder / "memory.swappiness").write_text("0")
        yield folder
    finally:
        _empty(folder)
        folder.rmdir()


def _own() -> Path:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "memory" in names.split(","):
            own = _TOP / path.lstrip("/")
            return own if own.is_dir() else _TOP
    return _TOP


def _empty(folder: Path) -> None:
    """End what still runs in the group: all of it was started by our command."""
    for _ in range(100):
        left = [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _sample(group: Path, done: threading.Event, most: list[int], sampled: Callable[[int], object] | None) -> None:
    while not done.wait(_PERIOD):
        found = re.search(r"^total_rss (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        resident = int(found.group(1)) if found else 0
        most[0] = max(most[0], resident)
        if sampled is not None:
            sampled(resident)


def _kills(group: Path) -> int:
    found = re.search(r"^oom_kill (\d+)$", (group / "memory.oom_control").read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def _number(path: Path) -> int:
    return int(path.read_text())
