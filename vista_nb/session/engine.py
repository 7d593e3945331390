"""The engine of this kernel as people handle it: what is up, stop it, start it anew.

Reads the JVM's state and the runs of this kernel, returns sentences. May touch: Spark's JVM. DESIGN.md section 10:
a session that the user made is used as it is, and never stopped.
"""

from __future__ import annotations

from vista_nb.errors import VistaUsageError
from vista_nb.session import jvm
from vista_nb.session.folders import cache_root
from vista_nb.session.runs import find_prepared, going, known_runs
from vista_nb.units import format_bytes

__all__ = ["facts", "restart", "stop"]

_NONE = "Spark is not up: the next run that needs it starts it"


def facts() -> tuple[tuple[str, str], ...]:
    """(what, value) of Spark, of the runs of this kernel, and where saved runs lie. Starts nothing."""
    runs = known_runs()
    left = going()
    said = f"{len(runs)}, going on: {', '.join(r.run_id for r in left)}" if left else f"{len(runs)}, none going on"
    return (("Spark", _spark_words()), ("runs of this kernel", said), ("saved runs", str(cache_root() / "runs")))


def _spark_words() -> str:
    session = jvm.current()
    if session is not None:
        heap = format_bytes(jvm.heap())
        return f"up, started by vista_nb: {session.sparkContext.master}, heap {heap}"
    return "your own session, used as it is" if jvm.has_users_session() else "not up"


def stop() -> str:
    """End the JVM that vista_nb started. Raises VistaUsageError VST015 while a run goes on."""
    _nobody_works()
    if jvm.current() is None:
        return "your own Spark session is left alone" if jvm.has_users_session() else _NONE
    jvm.stop()
    return "Spark is stopped; stored layers stay, and the next run starts it again"


def restart() -> str:
    """End it and start it as the last run's plan needs it; a JVM that died is replaced. Raises VST015."""
    _nobody_works()
    if jvm.current() is None and jvm.has_users_session():
        return "your own Spark session is left alone: restart it as you started it"
    jvm.stop()
    if not known_runs():
        return _NONE
    prepared = find_prepared(None)
    result = known_runs()[-1]
    session = jvm.acquire(result.plan, prepared.workload, lambda _: None)
    return f"Spark is up again: {session.sparkContext.master}, heap {format_bytes(jvm.heap())}; stored layers stay"


def _nobody_works() -> None:
    left = going()
    if left:
        name = left[-1].run_id
        hint = f"%vista wait {name}, or %vista cancel {name}"
        raise VistaUsageError("VST015", f"run {name} goes on and uses Spark", hint)
