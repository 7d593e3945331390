"""Where memory runs out, the kernel shall end a process that can be replaced: an inference worker, not the JVM.

Reads nothing, returns nothing. May touch: this process' /proc/self/oom_score_adj (raising it needs no rights). Linux
only; nothing happens elsewhere. docs/adr/0018: a lost worker costs its partitions, a lost JVM or notebook the run.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["volunteer"]

_SCORE = "800"  # of 1000: ahead of every process that did not ask for it


def volunteer() -> None:
    """Make this process, where it is a Spark worker, the first that the memory killer takes."""
    from pyspark import TaskContext

    if TaskContext.get() is None:
        return
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_SCORE, encoding="ascii")
