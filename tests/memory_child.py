"""Run in a memory cgroup: a Spark table one partition of which eats all memory until the ladder's second rung.

    python memory_child.py LOG

Prints one JSON line: rows counted, the lines told to the user, the attempts per partition.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any


def eating(log: str) -> Any:
    """Body of `mapInArrow`: partition 3 allocates without end under batches of 8."""

    def work(batches: Iterator[Any]) -> Iterator[Any]:
        import time
        from pathlib import Path

        from pyspark import TaskContext

        from vista_nb.executor.cnn.first_to_go import volunteer
        from vista_nb.executor.cnn.rung import under_rung
        from vista_nb.executor.cnn.worker import InferenceTask

        volunteer()
        task = under_rung(InferenceTask("", 1, 1, "tf", ("a",), batch_size=8))
        context = TaskContext.get()
        assert context is not None
        with Path(log).open("a") as file:
            file.write(f"{context.partitionId()} {task.batch_size}\n")
        if context.partitionId() == 3 and task.batch_size == 8:
            time.sleep(1)  # the others are done by then
            held = []
            while True:
                held.append(b"x" * 50_000_000)
        yield from batches

    return work


def main(log: str) -> None:
    """As the backend does it, with another pass."""
    from executor_support import make_plan, small_workload

    from vista_nb.executor.descent import Descent
    from vista_nb.executor.region_guard import RegionGuard
    from vista_nb.executor.spark_session import start

    with tempfile.TemporaryDirectory() as folder:
        work = small_workload(Path(folder), rows=6)
        plan = make_plan(work)
        plan = replace(plan, ladder=(replace(plan.physical, batch_size=4),))
        session = start(plan, work, heap_cap=512 * 2**20)
        told: list[str] = []
        guard = RegionGuard(plan.memory, lambda: None)
        frame = session.range(60).repartition(6).mapInArrow(eating(log), "id long").persist()
        rows = Descent(session, plan, guard, threading.Event(), told.append).run(frame.count, "CNN")
    attempts: dict[str, list[str]] = {}
    for line in Path(log).read_text().splitlines():
        partition, batch = line.split()
        attempts.setdefault(partition, []).append(batch)
    print(json.dumps({"rows": rows, "told": told, "attempts": attempts}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
