"""Start, watch and stop the JVM: the plan's memory regions become Spark's real settings.

Reads a Plan and a Workload, returns a SparkSession. May touch: the JVM, environment variables while it starts.
DESIGN.md section 10; paper: section 4.1 (memory apportioning). Settings by name are Spark 4.3's.

The JVM's own output goes to a log file, never into the notebook. `spark.executor.pyspark.memory` stays unset: it
limits virtual memory, and TensorFlow dies on it. Workers run this very Python (`PYSPARK_PYTHON`).
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.catalog.bind_cluster import cluster_of
from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cluster_settings import await_executors, cluster_settings, worker_python
from vista_nb.executor.environment import environment
from vista_nb.executor.java import java_home
from vista_nb.executor.java_archive import ClassArchive, class_archive
from vista_nb.executor.probe_machine import machine
from vista_nb.executor.shipping import on_cluster
from vista_nb.plan.candidate import Plan
from vista_nb.units import MIB

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["active_jobs", "cancel_group", "heap_bytes", "place", "run_session", "settings", "start", "stop"]

_LEAST_HEAP = 512 * MIB
_JVM_RESERVED = 300 * MIB  # Spark's own constant: spark.memory.fraction is of the heap without it
_SMALL_HEAP = 4096 * MIB
_ARROW_BATCH = 32 * MIB
_RETRIES = 2  # a worker that was killed is tried again; local[k] alone would not
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
# Java's optimising compiler (C2) at forty times its usual counts. A cold cell's JVM compiled what it ran a few thousand
# times, on the two cores that infer: 4 to 6 s of CPU. Loops that run long (MLlib's) still get there. ADR 31.
_LATE_C2 = "-XX:Tier4InvocationThreshold=200000 -XX:Tier4CompileThreshold=600000 -XX:Tier4BackEdgeThreshold=1600000"
_logs: dict[int, Path] = {}
_archives: dict[int, ClassArchive | None] = {}


def start(
    plan: Plan, workload: Workload, heap_cap: int | None = None, app_name: str = "vista_nb", cache: Path | None = None
) -> SparkSession:
    """A new session made for `plan`. heap_cap: the most bytes of heap. cache: for the private Java home.

    Raises VistaEnvironmentError VST40x: no Java, or the JVM did not come up (with its last words).
    """
    cache = cache or _cache_root()
    home = java_home(cache)
    archive = class_archive(home, cache)
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    conf = SparkConf(loadDefaults=False).setAppName(app_name)
    for name, value in settings(plan, workload, heap_cap).items():
        conf.set(name, value)
    given = _java_options(heap_bytes(plan, heap_cap), conf.get(_JAVA_OPTIONS, ""))
    conf.set(_JAVA_OPTIONS, f"{archive.options} {given}" if archive else given)
    log = Path(tempfile.mkstemp(prefix="vista_nb-spark-", suffix=".log")[1])
    with environment(_variables(home, workload)):
        context = _context(conf, log)
    session = SparkSession(context)
    _logs[id(context)] = log
    _archives[id(context)] = archive
    if on_cluster(session):
        _await(session, plan)
    return session


def _java_options(heap: int, given: str) -> str:
    """Ours, then the user's (`given`): of a flag that comes twice Java takes the later.

    In a small heap the serial collector, unless they name one. G1's regions are 1 or 2 MB then: every array of half of
    that takes whole ones, and cached vectors are such arrays (a plan for 3 GB ran out of heap). NewRatio: Storage
    Memory fits the old generation.
    """
    collector = "-XX:+UseSerialGC -XX:NewRatio=5" if heap < _SMALL_HEAP and "GC" not in given else ""
    return " ".join(filter(None, (_LATE_C2, collector, given)))


def _context(conf: Any, log: Path) -> Any:
    from pyspark import SparkContext

    gateway = _gateway(conf, log)
    try:
        return SparkContext(conf=conf, gateway=gateway)
    except Exception as error:  # py4j: the master refused, or a setting is wrong
        _end(gateway.proc)
        SparkContext._gateway = SparkContext._jvm = None
        first = next((line for line in str(error).splitlines() if "Exception" in line), str(error))
        hint = "is the master up and reachable? `resources: {master: ..., spark: {...}}` are what it was asked with"
        raise VistaEnvironmentError(
            "VST409", f"Spark did not start on {conf.get('spark.master')}: {first[:300]}", hint
        ) from error


def _await(session: SparkSession, plan: Plan) -> None:
    """A cluster that gives no executor is said at once, and leaves no session behind."""
    try:
        await_executors(session, plan.physical.nodes)
    except BaseException:
        stop(session)
        raise


def settings(plan: Plan, workload: Workload, heap_cap: int | None = None) -> dict[str, str]:
    """Spark's settings for a plan, the user's `resources.spark` last."""
    memory, resources = plan.memory, workload.spec.resources
    heap = heap_bytes(plan, heap_cap)
    unified = memory.core + memory.storage
    fraction = min(0.9, max(0.2, unified / max(1, heap - _JVM_RESERVED)))
    chosen = {
        "spark.memory.fraction": f"{fraction:.3f}",
        "spark.memory.storageFraction": f"{memory.storage / max(1, unified):.3f}",
        "spark.driver.maxResultSize": "0",  # the plan's driver region is the limit
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # the plan decides joins and partitions: Spark's own re-planning would undo it
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.shuffle.partitions": str(plan.physical.num_partitions),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(_ARROW_BATCH),
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "vista_nb-warehouse"),
        "spark.python.worker.reuse": "true",
        # a serialized table is read batch by batch; a stream that resets late holds on to all it has read
        "spark.serializer.objectStreamReset": "4",
        "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return chosen | _placement(plan, workload, heap) | dict(resources.spark)


def _placement(plan: Plan, workload: Workload, heap: int) -> dict[str, str]:
    """Where it runs: all in this machine's one JVM, or executors with the plan's regions as their memory."""
    resources = workload.spec.resources
    master = cluster_of(resources)
    if master is not None and not master.is_local:
        return cluster_settings(plan, workload, master, heap)
    cores = resources.cores or machine().cores
    return {
        "spark.master": resources.master or f"local[{max(cores, plan.physical.cpu)},{_RETRIES}]",
        "spark.driver.memory": f"{heap // MIB}m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }


def place(plan: Plan, workload: Workload) -> dict[str, str]:
    """What a session cannot change later: its master, and on a cluster the executors it asks for."""
    chosen = _placement(plan, workload, heap_bytes(plan)) | dict(workload.spec.resources.spark)
    names = ["spark.master"]
    if "spark.executor.instances" in chosen:  # a cluster; on a local master the heap is judged by `jvm`
        names += ["spark.task.cpus", "spark.driver.memory"]
        names += [f"spark.executor.{name}" for name in ("cores", "instances", "memoryOverhead")]
    return {name: chosen[name] for name in names}


def run_session(session: SparkSession, plan: Plan, workload: Workload) -> SparkSession:
    """A session for one run on the same JVM, with the plan's SQL settings; the given one keeps its own.

    What only a new JVM could set (heap, fractions) stays as it is: a later plan, or a user's own session.
    """
    fresh = session.newSession()
    for name, value in settings(plan, workload).items():
        if name.startswith("spark.sql.") and fresh.conf.isModifiable(name):
            fresh.conf.set(name, value)
    return fresh


def heap_bytes(plan: Plan, heap_cap: int | None = None) -> int:
    """-Xmx: the plan's heap, half of the worker at most (the JVM also needs memory outside it), 512 MiB at least."""
    limit = plan.memory.total // 2 if heap_cap is None else min(heap_cap, plan.memory.total // 2)
    return max(_LEAST_HEAP, min(plan.memory.heap, limit))


def stop(session: SparkSession) -> None:
    """Stop the session and its JVM, so that the next one can have another heap. Safe when the JVM is gone already."""
    from pyspark import SparkContext

    context, gateway = session.sparkContext, SparkContext._gateway
    with suppress(Exception):  # whatever a dead or dying JVM makes py4j raise
        session.stop()
    with suppress(Exception):
        gateway.shutdown()
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is context:  # a dead JVM makes session.stop() give up half way
        SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = None
    process = getattr(gateway, "proc", None)
    archive = _archives.pop(id(context), None)
    if process is not None:
        _end(process, archive)
    SparkContext._gateway = None
    SparkContext._jvm = None
    log = _logs.pop(id(context), None)
    if log is not None:
        log.unlink(missing_ok=True)


def active_jobs(session: SparkSession, group: str | None = None) -> int:
    """Jobs that run now, of one group or of all."""
    tracker = session.sparkContext.statusTracker()
    running = set(tracker.getActiveJobsIds())
    return len(running if group is None else running & set(tracker.getJobIdsForGroup(group)))


def cancel_group(session: SparkSession, group: str, *, for_good: bool = False) -> None:
    """Cancel every job of a group; callable from any thread, and when nothing runs.

    for_good: jobs that another thread is about to start as well. The ladder's next try needs the group.
    """
    with suppress(Exception):  # the JVM may be gone: then nothing runs
        if for_good:
            session.sparkContext._jsc.sc().cancelJobGroupAndFutureJobs(group)
        else:
            session.sparkContext.cancelJobGroup(group)


def _gateway(conf: Any, log: Path) -> Any:
    from pyspark import SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway

    if SparkContext._gateway is not None:  # a JVM without a session: a user's, stopped; its heap stays as it is
        return SparkContext._gateway
    try:
        with log.open("wb") as out:
            return launch_gateway(conf, {"stdout": out, "stderr": subprocess.STDOUT})
    except PySparkRuntimeError as error:
        words = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-3:]
        said = " | ".join(words)[:400] or "nothing"
        hint = "less heap may help: resources: {memory: ...}; `vista-nb doctor` checks Java"
        raise VistaEnvironmentError("VST404", f"Spark's JVM did not start; it said: {said}", hint) from error


def _variables(home: Path, workload: Workload) -> dict[str, str]:
    """What Spark's scripts and the driver read while they start."""
    resources, python = workload.spec.resources, sys.executable
    master = cluster_of(resources)
    if master is not None and not master.is_local:
        python = worker_python(dict(resources.spark), python)
    wanted = {"JAVA_HOME": str(home), "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": sys.executable}
    root = str(Path(__file__).resolve().parents[2])
    if root not in site.getsitepackages():  # a checkout: workers must find this very package
        wanted["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return wanted


def _end(process: subprocess.Popen[bytes], archive: ClassArchive | None = None) -> None:
    """The JVM ends when its stdin closes; one that hangs is ended by its id. Writing an archive takes some seconds."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(10 if archive is None or archive.part is None else 40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    if archive is not None:
        archive.keep(process.returncode)


def _cache_root() -> Path:
    given = os.environ.get("VISTA_NB_CACHE_DIR")
    if given:
        return Path(given)
    from platformdirs import user_cache_path

    return user_cache_path("vista_nb")
