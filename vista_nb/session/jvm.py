"""The JVM of this kernel: started once, kept with its first heap, handed to every run.

Reads a plan; returns a SparkSession. May touch: the JVM, atexit. DESIGN.md section 10: later plans fit into the
first heap as into a user's own SparkSession; only where nothing fits is it restarted, said in one line.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vista_nb.catalog.masters import is_local_master
from vista_nb.catalog.workload import Workload
from vista_nb.plan.candidate import Plan
from vista_nb.units import format_bytes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["acquire", "current", "has_users_session", "heap", "owns", "stop"]

_lock = threading.Lock()
_owned: dict[str, Any] = {}


def acquire(plan: Plan, workload: Workload, say: Callable[[str], None]) -> SparkSession:
    """The session to run on: the user's own, ours, or a new one made for this plan."""
    with _lock:
        ours = _alive(_owned.get("session"))
        if ours is None:
            _forget_dead()
            users = _users_session()
            return users if users is not None else _start(plan, workload)
        why = _too_small(plan) or _elsewhere(plan, workload)
        if why is None:
            return ours
        say(f"restarting Spark: {why}")
        _stop_ours()
        return _start(plan, workload)


def owns(session: SparkSession) -> bool:
    """Whether vista_nb started it; else it is the user's, used as it is."""
    ours = _owned.get("session")
    return ours is not None and ours.sparkContext is session.sparkContext


def _too_small(plan: Plan) -> str | None:
    needed = plan.memory.user + plan.memory.core
    if _owned["heap"] >= needed:
        return None
    return f"this plan needs {format_bytes(needed)} of heap, the JVM has {format_bytes(_owned['heap'])}"


def _elsewhere(plan: Plan, workload: Workload) -> str | None:
    """A session belongs to its master; on a cluster also to the size of the executors it asked for."""
    from vista_nb.executor.spark_session import place
    from vista_nb.session.given_session import size_of

    wanted, had = place(plan, workload), _owned["place"]
    master, named = "spark.master", workload.spec.resources.master
    if wanted[master] != had[master] and (named is not None or not is_local_master(had[master])):
        return f"this plan runs on {wanted[master]}, the session on {had[master]}"
    for name in sorted((wanted.keys() & had.keys()) - {master}):
        if size_of(wanted[name]) > size_of(had[name]):
            return f"this plan needs {name} {wanted[name]}, the session has {had[name]}"
    return None


def current() -> SparkSession | None:
    """The session vista_nb started, if it lives."""
    return _alive(_owned.get("session"))


def heap() -> int:
    """Bytes of heap of the session vista_nb started; 0 without one."""
    return int(_owned["heap"]) if "session" in _owned else 0


def has_users_session() -> bool:
    """Whether the notebook's own Spark is up. Imports and starts nothing."""
    import sys

    if "pyspark" not in sys.modules:
        return False
    from pyspark import SparkContext

    context, ours = SparkContext._active_spark_context, _owned.get("session")
    return context is not None and (ours is None or ours.sparkContext is not context)


def stop() -> None:
    """Stop the session that vista_nb started; a user's own is left alone."""
    with _lock:
        _stop_ours()


def _start(plan: Plan, workload: Workload) -> SparkSession:
    from vista_nb.executor.spark_session import heap_bytes, place, start
    from vista_nb.session.folders import cache_root

    session = start(plan, workload, cache=cache_root())
    if "registered" not in _owned:
        atexit.register(stop)
    _owned.update(session=session, heap=heap_bytes(plan), place=place(plan, workload), registered=True)
    return session


def _stop_ours() -> None:
    session = _owned.pop("session", None)
    if session is not None:
        from vista_nb.executor.spark_session import stop as stop_session

        stop_session(session)


def _alive(session: Any) -> Any:
    """The session unless its JVM has gone."""
    if session is None:
        return None
    try:
        return None if session.sparkContext._jsc.sc().isStopped() else session
    except Exception:  # py4j raises many kinds when the JVM is gone
        return None


def _users_session() -> Any:
    """The session of the notebook's own Spark, whichever thread made it (`getActiveSession` is per thread)."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is None:
        return None
    try:
        return _alive(SparkSession.builder.getOrCreate())
    except Exception:  # py4j raises many kinds when the JVM is gone: nothing of that session can be used
        if SparkSession._instantiatedSession is not None:
            from vista_nb.executor.spark_session import stop as stop_session

            stop_session(SparkSession._instantiatedSession)
        return None


def _forget_dead() -> None:
    """Clear away a session of ours whose JVM died, so that the next one can start; a user's own is not touched."""
    from pyspark import SparkContext

    session = _owned.get("session")
    if session is not None and SparkContext._active_spark_context in (None, session.sparkContext):
        _stop_ours()
