"""A throw-away process: `python -m MODULE REQUEST.json`, one marked JSON line back, nothing left behind.

Reads a request, returns the answer or raises the process' coded error. May touch: a temporary folder in the room it
is given, subprocesses. TensorFlow never gives memory back, so nothing of it may run in the kernel (DESIGN.md
section 8). `answering` is the process' end, `ask` the kernel's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vista_nb import errors
from vista_nb.errors import VistaCancelled, VistaError, VistaRunError

__all__ = ["answering", "ask"]

_PREFIX = "VISTA_NB_ANSWER "
_POLL_SECONDS = 0.05
_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def answering(work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> int:
    """The process' `main`: exit status 0 with an answer, 1 with a coded error; anything else is a crash."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ.update(_ENVIRONMENT)
    # Keras draws download bars on stdout; the answer alone may go there
    answer_stream, sys.stdout = sys.stdout, sys.stderr
    try:
        answer = dict(work(request))
    except VistaError as error:
        answer = {"error": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
    answer_stream.write(_PREFIX + json.dumps(answer) + "\n")
    answer_stream.flush()
    return 1 if "error" in answer else 0


def ask(
    module: str,
    request: Mapping[str, Any],
    folder: Path,
    cancel: threading.Event | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    doing: str = "preparing",
    step: str = "prepare",
) -> dict[str, Any]:
    """One process of `module`; its answer, or its coded error raised here.

    folder: where the request lies meanwhile. doing and step: for the message of a crash (VST540). Raises
    VistaCancelled when `cancel` is set; the process and whatever it started end with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{step}-") as room:
        place = Path(room)
        (place / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(place / "request.json")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **_ENVIRONMENT, **(environment or {})},
                start_new_session=True,  # a notebook's interrupt must not reach it half way: we end it ourselves
            )
            _wait(process, cancel, doing)
        output = (place / "out").read_text(encoding="utf-8", errors="replace")
        complaint = (place / "err").read_text(encoding="utf-8", errors="replace")
    return _checked(output, complaint, process.returncode, doing, step)


def _wait(process: subprocess.Popen[bytes], cancel: threading.Event | None, doing: str) -> None:
    try:
        while process.poll() is None:
            if cancel is None:
                process.wait()
            elif cancel.wait(_POLL_SECONDS):
                raise VistaCancelled(f"cancelled while {doing} the CNN")
    except BaseException:  # an interrupt too: no orphan process may go on
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _checked(output: str, complaint: str, status: int, doing: str, step: str) -> dict[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith(_PREFIX)]
    if not lines:
        tail = " | ".join([line.strip() for line in complaint.splitlines() if line.strip()][-3:])
        hint = "too little memory?" if status == -signal.SIGKILL else "`vista-nb doctor` checks the installation"
        raise VistaRunError("VST540", f"{doing} the CNN failed (status {status}): {tail[:500]}", hint, step)
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(_PREFIX))
    if "error" in answer:
        kind = getattr(errors, answer["error"], VistaRunError)
        if not (isinstance(kind, type) and issubclass(kind, VistaError)):
            kind = VistaRunError
        raise kind(answer["code"], answer["message"], answer["hint"])
    return answer
