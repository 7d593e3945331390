"""Workers get ready while the tables are read and joined: TensorFlow imported, the artifact loaded, once through it.

Reads what a pass will need; starts a thread whose Spark job does that in every worker, and returns at once. May touch:
the Spark session; in the workers TensorFlow and the artifact. DESIGN.md section 8: start-up counts as much as speed on
a thousand photos. Planning and joining keep one core busy in the JVM, and no task slot: the workers take the other.
Executors of a cluster are left alone: which of them a task reaches is Spark's to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vista_nb.errors import VistaCancelled
from vista_nb.executor.cnn.worker import InferenceTask, ready_batches

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["WarmUp"]

_PATIENCE = 1.0  # seconds for an artifact that is on the disk; one that has to be made takes many


class WarmUp:
    """At most one warm-up of one run."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def start(
        self,
        session: SparkSession,
        group: str,
        workers: int,
        task: InferenceTask,
        artifact: Callable[[float], Path],
        cancelled: threading.Event,
    ) -> None:
        """As a job of `group`. artifact: waits at most so many seconds for the folder, or raises.

        What goes wrong here goes wrong again in the pass, which says so.
        """
        if session.sparkContext.master.startswith("local["):
            arguments = (session, group, workers, task, artifact, cancelled)
            self._thread = threading.Thread(target=_warm, args=arguments, name="vista-warm-up", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Until it has ended, as it does soon after its job group was cancelled."""
        if self._thread is not None:
            self._thread.join()


def _warm(
    session: SparkSession,
    group: str,
    workers: int,
    task: InferenceTask,
    artifact: Callable[[float], Path],
    cancelled: threading.Event,
) -> None:
    with suppress(Exception, VistaCancelled):
        task = replace(task, artifact=str(artifact(_PATIENCE)))
    if cancelled.is_set():
        return
    with suppress(Exception):
        session.sparkContext.setJobGroup(group, "vista_nb: Start the workers", interruptOnCancel=True)
        ids = session.range(workers, numPartitions=workers)
        ids.mapInArrow(partial(ready_batches, task), "id long").count()
