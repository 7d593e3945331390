"""A user's own SparkSession: the plan as it can hold it, and what could not be set, in one line.

Reads a running session's settings, the plan and the snapshot; returns the plan to walk. May touch: the session (asks
only). DESIGN.md section 10: a session that is not ours is used as it is; a plan that it cannot hold is refused here
rather than dying in it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.errors import VistaPlanError
from vista_nb.optimizer.applied import SparkFacts, apply_to_session
from vista_nb.optimizer.memory import reserved
from vista_nb.plan.candidate import Plan
from vista_nb.units import MIB, parse_bytes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["fitted", "size_of", "spark_facts"]

_JVM_OUTSIDE = 200 * MIB  # of a JVM beside its heap
_DEFAULT_HEAP = 1024 * MIB  # spark.executor.memory
_OVERHEAD_PERCENT, _LEAST_OVERHEAD = 10, 384 * MIB  # spark.executor.memoryOverheadFactor and its floor


def fitted(session: SparkSession, plan: Plan, snapshot: Snapshot, say: Callable[[str], None]) -> Plan:
    """The plan as this session runs it. Raises VistaPlanError VST207 where no way down makes it fit."""
    applied = apply_to_session(plan, snapshot, spark_facts(session, plan, snapshot))
    if applied.constraint is not None:
        hint = "give it more when you build it, or stop it (spark.stop()): vista_nb then starts one that fits"
        raise VistaPlanError("VST207", f"your SparkSession cannot hold this plan: {applied.constraint}", hint)
    lines = [*_other_master(session, snapshot), *applied.lines]
    if not lines:
        return applied.plan
    line = f"your own SparkSession is used as it is: {'; '.join(lines)}"
    say(line)
    return replace(applied.plan, notes=(*applied.plan.notes, line))


def spark_facts(session: SparkSession, plan: Plan, snapshot: Snapshot) -> SparkFacts:
    """What the session has. Its conf says it, or Spark's defaults where it does not."""
    from vista_nb.executor.shipping import on_cluster, slots

    conf = session.sparkContext.getConf()
    fraction = float(conf.get("spark.memory.fraction", "0.6") or 0.6)
    tasks, system = slots(session), snapshot.system
    if not on_cluster(session):
        heap = int(session.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory())
        kept = reserved(system.memory)[0] + plan.memory.driver + _JVM_OUTSIDE
        return SparkFacts(heap, max(0, system.memory - kept - heap), tasks, 1, fraction)
    executors = max(1, len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1)
    heap = size_of(conf.get("spark.executor.memory"), _DEFAULT_HEAP)
    overhead = size_of(conf.get("spark.executor.memoryOverhead"), max(_LEAST_OVERHEAD, heap * _OVERHEAD_PERCENT // 100))
    if session.sparkContext.master.startswith("spark://") and not system.is_local:
        overhead = max(overhead, system.memory - reserved(system.memory)[0] - heap)  # nothing there holds it to less
    return SparkFacts(heap, overhead, max(1, tasks // executors), executors, fraction)


def size_of(text: str | None, otherwise: int = 0) -> int:
    """Bytes of Spark's sizes: binary units (`2g`), MiB without one."""
    with suppress(ValueError, TypeError, AttributeError):
        low = text.strip().lower().removesuffix("b") if text else ""
        return parse_bytes(low + "ib") if low and low[-1] in "kmgt" else int(low) * MIB
    return otherwise


def _other_master(session: SparkSession, snapshot: Snapshot) -> list[str]:
    wanted = snapshot.workload.spec.resources.master
    own = session.sparkContext.master
    return [f"it runs on {own} instead of {wanted}"] if wanted is not None and wanted != own else []
