"""A plan's regions as the settings of a cluster's executors, and how those reach the driver.

Reads a Plan and a Workload, returns Spark settings (4.3's names). May touch: the routing table, to learn by which
address the master's network sees this machine (no packet is sent). DESIGN.md section 10; paper: section 4.1. One
executor per node: `dl_execution` lies beside its heap, as overhead, and a task may use the cores that one inference
worker's TensorFlow uses.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

from vista_nb.catalog.masters import Master
from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.probe_machine import machine
from vista_nb.plan.candidate import Plan
from vista_nb.units import MIB

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["await_executors", "cluster_settings", "driver_heap", "worker_python"]

_LEAST_HEAP = 512 * MIB
_LEAST_OVERHEAD = 384 * MIB  # Spark's own
_PHOTO_COPIES = 3  # of packed photos in the driver's heap: photo_tables
WAIT_SECONDS = 60
_POLL_SECONDS = 0.2


def cluster_settings(plan: Plan, workload: Workload, master: Master, heap: int) -> dict[str, str]:
    """heap: of one executor."""
    resources, physical = workload.spec.resources, plan.physical
    cores = resources.cores or master.cores or physical.cpu * physical.threads_per_task
    chosen = {
        "spark.master": master.url,
        "spark.driver.memory": f"{driver_heap(plan) // MIB}m",
        "spark.executor.memory": f"{heap // MIB}m",
        "spark.executor.memoryOverhead": f"{max(_LEAST_OVERHEAD, plan.memory.dl_execution) // MIB}m",
        "spark.executor.cores": str(cores),
        "spark.executor.instances": str(physical.nodes),
        "spark.cores.max": str(cores * physical.nodes),  # a standalone master gives all it has, else
        "spark.task.cpus": str(min(cores, physical.threads_per_task)),
        "spark.submit.deployMode": "client",  # the notebook is the driver
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        # a worker that dies takes its tasks along, never the run; a task that fails by itself is given up on in the end
        "spark.task.maxFailures": "4",
    }
    return chosen | _address(master)


def driver_heap(plan: Plan) -> int:
    """Of the driver's JVM: half of the driver's region, or what packed photos need, within half of this machine."""
    region = plan.driver_node.driver if plan.driver_node else plan.memory.driver
    wanted = max(_LEAST_HEAP, min(region // 2, 4 * _LEAST_HEAP), _PHOTO_COPIES * plan.sizes.t_img + 256 * MIB)
    return max(_LEAST_HEAP, min(wanted, machine().memory // 2))


def worker_python(spark: dict[str, str], executable: str) -> str:
    """The workers' Python: the spec's `spark.pyspark.python`, PYSPARK_PYTHON, else the path of the kernel's."""
    return spark.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON") or executable


def _address(master: Master) -> dict[str, str]:
    """Where executors find the driver. A master on loopback has its workers there; others must be able to reach us."""
    if master.on_loopback:
        return {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if os.environ.get("SPARK_LOCAL_IP") and not os.environ["SPARK_LOCAL_IP"].startswith("127."):
        return {}  # the user has said it
    own = next(filter(None, map(_seen_from, master.hosts)), None)
    if own is None:  # YARN, or a name that is not known here: Spark takes the address of this machine's name
        return {"spark.driver.bindAddress": "0.0.0.0"}  # noqa: S104 (executors come from other machines)
    return {"spark.driver.host": own, "spark.driver.bindAddress": "0.0.0.0"}  # noqa: S104


def _seen_from(host: str) -> str | None:
    """Our address on the way to `host`; None where there is none, or only loopback."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # UDP: only looks up the route
            own = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if own.startswith("127.") or own == "::1" else own


def await_executors(session: SparkSession, nodes: int) -> int:
    """How many executors have come, all or whoever came in time. Raises VST409 where none did."""
    state = session.sparkContext._jsc.sc()
    deadline, came = time.monotonic() + WAIT_SECONDS, 0
    while time.monotonic() < deadline and not state.isStopped():
        came = len(state.statusTracker().getExecutorInfos()) - 1  # the driver is one of them
        if came >= nodes:
            return came
        time.sleep(_POLL_SECONDS)
    if came > 0 and not state.isStopped():
        return came
    conf = session.sparkContext.getConf()
    asked = f"{conf.get('spark.executor.cores')} cores, {conf.get('spark.executor.memory')} of heap"
    message = f"no executor of {session.sparkContext.master} came ({asked} were asked for, per node)"
    hint = "is the master up, and has a free worker that much? resources: {cores: ..., memory: ...}"
    raise VistaEnvironmentError("VST409", message, hint)
