"""A run's digest and artifacts come from one TensorFlow process, which ends with them and never outlives its kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaCancelled, VistaDataError, VistaRunError
from vista_nb.executor.cnn import throwaway
from vista_nb.executor.cnn.prepare import end_process, one_process, prepare_artifact, resolve_model
from vista_nb.executor.cnn.throwaway import Lasting
from vista_nb.spec.model import Pooling

pytestmark = pytest.mark.tf

SMALL = load_roster().find("mobilenet_025")
ECHO = """
import os, sys, time
from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.throwaway import serving
def work(request):
    print("noise on stdout")
    if request["do"] == "die":
        print("last words", file=sys.stderr)
        os._exit(3)
    if request["do"] == "fail":
        raise VistaDataError("VST341", "it does not fit", "another one")
    if request["do"] == "sleep":
        time.sleep(600)
    return {"pid": os.getpid(), "said": request["do"]}
sys.exit(serving(work))
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every process that was started."""
    processes: list[Any] = []
    begin = subprocess.Popen

    def popen(*args: Any, **kwargs: Any) -> Any:
        processes.append(begin(*args, **kwargs))
        return processes[-1]

    monkeypatch.setattr(throwaway.subprocess, "Popen", popen)
    return processes


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lasting]:
    """A process without TensorFlow that does as it is told."""
    (tmp_path / "echo_process.py").write_text(ECHO)
    paths = (str(tmp_path), os.environ.get("PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    process = Lasting("echo_process")
    yield process
    process.close()


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_one_process_for_digest_and_artifacts(tmp_path: Path, started: list[Any]) -> None:
    """Two cuts: still one. It is ended as soon as nothing more is needed; the next one would be another."""
    with one_process():
        source = resolve_model(SMALL, "random", 0, tmp_path)
        whole = prepare_artifact(source, SMALL, None, ("conv_pw_11_relu",), None, "float32", tmp_path)
        onward = prepare_artifact(
            source, SMALL, "conv_pw_11_relu", ("conv_pw_13_relu",), Pooling.AVG, "float32", tmp_path
        )
        assert len(started) == 1
        assert started[0].poll() is None
        end_process()
        assert started[0].poll() is not None
    assert (whole / "graph.pb").exists()
    assert (onward / "graph.pb").exists()
    alone = resolve_model(SMALL, "random", 0, tmp_path / "other")
    assert alone.digest == source.digest
    assert len(started) == 2
    assert started[1].poll() is not None


def test_errors_are_coded_and_the_process_goes_on(echo: Lasting, started: list[Any]) -> None:
    """What the process prints elsewhere does not disturb."""
    first = echo.ask({"do": "a"})
    with pytest.raises(VistaDataError, match=r"VST341.*does not fit"):
        echo.ask({"do": "fail"})
    assert echo.ask({"do": "b"}) == {"pid": first["pid"], "said": "b"}
    assert len(started) == 1


def test_a_crash_is_reported_and_the_next_request_starts_anew(echo: Lasting) -> None:
    """With its last words and its status."""
    first = echo.ask({"do": "a"})
    with pytest.raises(VistaRunError, match=r"VST540.*status 3.*last words"):
        echo.ask({"do": "die"})
    assert echo.ask({"do": "b"})["pid"] != first["pid"]


def test_a_cancel_ends_the_process(echo: Lasting, started: list[Any]) -> None:
    """In the middle of a request, at once."""
    cancel = threading.Event()
    pid = echo.ask({"do": "a"})["pid"]
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(VistaCancelled):
        echo.ask({"do": "sleep"}, cancel)
    assert started[0].poll() is not None
    assert gone(pid)


def test_no_orphan_of_a_killed_kernel(echo: Lasting, tmp_path: Path) -> None:
    """The kernel dies without a word: its process sees the end of its input."""
    code = (
        "import time\n"
        "from vista_nb.executor.cnn.throwaway import Lasting\n"
        "kept = Lasting('echo_process')\n"
        "print(kept.ask({'do': 'a'})['pid'], flush=True)\n"
        "time.sleep(60)\n"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    pid = int(kernel.stdout.readline())
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    assert gone(pid)
