"""A throw-away process: `python -m MODULE REQUEST.json`, one marked JSON line back, nothing left behind.
Or one that lasts a while: `python -m MODULE`, a request a line on stdin, a marked line back for each.

Reads a request, returns the answer or raises the process' coded error. May touch: a temporary folder in the room it
is given, subprocesses. TensorFlow never gives memory back, so nothing of it may run in the kernel (DESIGN.md
section 8). `answering` and `serving` are the process' end, `ask` and `Lasting` the kernel's.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TextIO

from vista_nb import errors
from vista_nb.errors import VistaCancelled, VistaError, VistaRunError

__all__ = ["Lasting", "answering", "ask", "serving"]

_CHATTER = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} |\d{4}-\d\d-\d\d .*: [IW] |To enable ")
"""What TensorFlow says of its start: never why a process died."""
_PREFIX = "VISTA_NB_ANSWER "
_POLL_SECONDS = 0.05
_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def answering(work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> int:
    """The process' `main`: exit status 0 with an answer, 1 with a coded error; anything else is a crash."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ.update(_ENVIRONMENT)
    # Keras draws download bars on stdout; the answer alone may go there
    answer_stream, sys.stdout = sys.stdout, sys.stderr
    answer = _answer(work, request)
    _write(answer_stream, answer)
    return 1 if "error" in answer else 0


def serving(work: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> int:
    """The `main` of a process that answers until its stdin ends, as it does when the kernel dies."""
    os.environ.update(_ENVIRONMENT)
    answer_stream, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        _write(answer_stream, _answer(work, json.loads(line)))
    return 0


def _answer(work: Callable[[Mapping[str, Any]], Mapping[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(work(request))
    except VistaError as error:
        return {"error": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}


def _write(stream: TextIO, answer: Mapping[str, Any]) -> None:
    stream.write(_PREFIX + json.dumps(answer) + "\n")
    stream.flush()


def ask(
    module: str,
    request: Mapping[str, Any],
    folder: Path,
    cancel: threading.Event | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    doing: str = "preparing",
    step: str = "prepare",
    what: str = "the CNN",
) -> dict[str, Any]:
    """One process of `module`; its answer, or its coded error raised here.

    folder: where the request lies meanwhile. doing, step and what: for the message of a crash (VST540). Raises
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
    return _checked(output, complaint, process.returncode, doing, step, what)


class Lasting:
    """A process of `module` (`serving`) for one request after another; started by the first, ended by `close`.

    doing and step: as for `ask`, whose errors it raises. After a crash or a cancel the next request starts anew.
    """

    def __init__(self, module: str, doing: str = "preparing", step: str = "prepare") -> None:
        self._module, self._doing, self._step = module, doing, step
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, Any], cancel: threading.Event | None = None) -> dict[str, Any]:
        """The answer, or its coded error. Raises VistaCancelled when `cancel` is set; the process ends with it."""
        with self._lock:
            try:
                line = self._asked(self._running(), json.dumps(request).encode() + b"\n", cancel)
            except BaseException:  # an interrupt too: no orphan process may go on
                self.close()
                raise
            if line:
                return _checked(line, "", 0, self._doing, self._step)
            assert self._complaints is not None
            self._complaints.seek(0)
            complaint = self._complaints.read().decode(errors="replace")
            return _checked("", complaint, self.close(), self._doing, self._step)

    def close(self) -> int:
        """The exit status; callable more than once."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            _end(process)
        for stream in (process.stdin, process.stdout, self._complaints):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        return int(process.returncode)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,  # as in `ask`
            )
        return self._process

    def _asked(self, process: subprocess.Popen[bytes], line: bytes, cancel: threading.Event | None) -> str:
        """The marked line; empty where the process ended without one."""
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it died: what it said is read below
            process.stdin.write(line)
            process.stdin.flush()
        held = b""
        while True:
            if cancel is not None and cancel.is_set():
                raise VistaCancelled(f"cancelled while {self._doing} the CNN")
            if not select.select([process.stdout], [], [], _POLL_SECONDS)[0]:
                continue
            more = os.read(process.stdout.fileno(), 1 << 16)
            held += more
            *lines, _ = held.decode(errors="replace").split("\n")
            found = [each for each in lines if each.startswith(_PREFIX)]
            if found:
                return found[-1]
            if not more:
                process.wait()
                return ""


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


def _checked(output: str, complaint: str, status: int, doing: str, step: str, what: str = "the CNN") -> dict[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith(_PREFIX)]
    if not lines:
        said = [line.strip() for line in complaint.splitlines() if line.strip() and not _CHATTER.match(line)]
        tail = f": {' | '.join(said[-3:])[:500]}" if said else ""
        hint = (
            "too little memory, most likely: free some, or take a smaller CNN"
            if status == -signal.SIGKILL
            else "`vista-nb doctor` checks the installation"
        )
        raise VistaRunError("VST540", f"{doing} {what} failed (status {status}){tail}", hint, step)
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix(_PREFIX))
    if "error" in answer:
        kind = getattr(errors, answer["error"], VistaRunError)
        if not (isinstance(kind, type) and issubclass(kind, VistaError)):
            kind = VistaRunError
        raise kind(answer["code"], answer["message"], answer["hint"])
    return answer
