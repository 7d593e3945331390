"""A real standalone cluster on loopback: a master and workers, each with its own folders; and Pythons that lack things.

The cluster's driver runs in a child process (`cluster_child.py`): a second SparkContext cannot live beside the one that
the other tests share.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

HOST = "127.0.0.1"
_PATIENCE = 180


@dataclass
class Standalone:
    """`with Standalone(folder) as cluster`: its URL, and its workers' process ids."""

    folder: Path
    java: Path
    workers: int = 2
    cores: int = 1
    memory: str = "2g"
    url: str = ""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Standalone:
        port, self._ui = _free_port(), _free_port()
        self.url = f"spark://{HOST}:{port}"
        try:
            self._start("master", "master.Master", "--host", HOST, "--port", str(port), "--webui-port", str(self._ui))
            self._until("the master is up", lambda: self.alive() is not None)
            for number in range(self.workers):
                self.add_worker(number)
            self._until("all workers are there", lambda: self.alive() == self.workers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            kill_tree(process.pid)
            process.wait(20)

    @property
    def worker_pids(self) -> list[int]:
        return [process.pid for process in self._processes[1:]]

    def add_worker(self, number: int) -> None:
        """With work and spill folders that no other process has."""
        work = self.folder / f"work{number}"
        size = ("-c", str(self.cores), "-m", self.memory, "-d", str(work), "--webui-port", "0")
        self._start(f"worker{number}", "worker.Worker", "--host", HOST, *size, self.url)

    def alive(self) -> int | None:
        """Workers that the master counts; None while it does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with suppress(OSError, ValueError), opener.open(f"http://{HOST}:{self._ui}/json/", timeout=2) as page:
            return int(json.load(page)["aliveworkers"])
        return None

    def _start(self, name: str, kind: str, *arguments: str) -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        own = {"SPARK_HOME": home, "JAVA_HOME": self.java, "SPARK_LOCAL_IP": HOST, "SPARK_DAEMON_MEMORY": "256m"}
        own["SPARK_LOCAL_DIRS"] = self.folder / f"{name}-spill"
        environment = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "PYSPARK_PYTHON")}
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [home / "bin" / "spark-class", f"org.apache.spark.deploy.{kind}", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env=environment | {n: str(v) for n, v in own.items()},
            )  # fmt: skip
        self._processes.append(process)

    def _until(self, what: str, ready: Any) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ready():
            if time.monotonic() > deadline or any(p.poll() is not None for p in self._processes):
                logs = "\n".join(
                    f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in self.folder.glob("*.log")
                )
                raise AssertionError(f"waited in vain until {what}\n{logs}")
            time.sleep(0.2)


def kill_tree(pid: int) -> None:
    """SIGKILL for a process and all below it, as when a machine loses power."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                one.kill()


def python_without(folder: Path, *packages: str) -> Path:
    """A Python like this one, with this environment's packages but those; vista_nb itself is never among them."""
    venv.create(folder, with_pip=False, symlinks=True)
    farm = folder / "packages"
    farm.mkdir()
    left_out = {"vista_nb", *packages}
    for place in {sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]}:
        for entry in Path(place).iterdir():
            name = entry.name.split("-")[0]
            if not {name, entry.name} & left_out and not (farm / entry.name).exists():
                (farm / entry.name).symlink_to(entry)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages" / "farm.pth").write_text(f"{farm}\n")
    return folder / "bin" / "python"


def child(request: dict[str, Any], folder: Path, python: Path | None = None, limit: int = 500) -> dict[str, Any]:
    """`cluster_child.py` with a request; its answer. python: the workers'."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "request.json").write_text(json.dumps(request))
    environment = dict(os.environ, SPARK_LOCAL_IP=HOST, PYTHONPATH=str(Path(__file__).parent))
    environment.pop("PYSPARK_PYTHON", None)
    if python is not None:
        environment["PYSPARK_PYTHON"] = str(python)
    script = Path(__file__).with_name("cluster_child.py")
    done = subprocess.run(
        [sys.executable, script, folder], env=environment, cwd=folder, capture_output=True, text=True, timeout=limit
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
