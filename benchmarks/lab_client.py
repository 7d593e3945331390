"""What JupyterLab does when "Run All Cells" is clicked, without a browser: the server's REST interface and websocket.

Reads a notebook's cells, returns how many ran and what failed. May touch: a Jupyter server on loopback, by its address.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["LabClient", "NotebookRun", "free_port"]

_CELL_SECONDS = 900
_START_SECONDS = 180
_DIED = "the kernel died"


@dataclass(frozen=True)
class NotebookRun:
    """cells: code cells that ran to their end; error: the name and words of the one after them that did not."""

    cells: int
    error: str | None = None


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LabClient:
    """address: host and port of a server without a token."""

    def __init__(self, address: str) -> None:
        self.address = address

    def wait(self, gone: Callable[[], bool]) -> float:
        """Seconds until the server answered; not longer than it lives. Raises TimeoutError."""
        began = time.monotonic()
        while time.monotonic() - began < _START_SECONDS and not gone():
            try:
                self._ask("GET", "status")
            except OSError:
                time.sleep(0.2)
            else:
                return time.monotonic() - began
        raise TimeoutError("JupyterLab did not start: see server.log")

    def run_notebook(self, root: Path, name: str) -> NotebookRun:
        """Open it with a kernel of its own, run its code cells up to the first that fails, shut the kernel down."""
        cells = json.loads((root / name).read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
        kernel = {"name": "python3"}
        session = self._ask("POST", "sessions", {"path": name, "name": name, "type": "notebook", "kernel": kernel})
        try:
            return self._run(session["kernel"]["id"], code)
        finally:
            self._ask("DELETE", f"sessions/{session['id']}")

    def shut_down(self) -> None:
        """The server ends, and its kernels with it; nothing to do where it never came up."""
        try:
            self._ask("POST", "shutdown")
        except OSError:
            return

    def _run(self, kernel: str, cells: list[dict[str, Any]]) -> NotebookRun:
        """A cell tagged `raises-exception` is there to show its error, and has to."""
        import websocket

        url = f"ws://{self.address}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        channels = websocket.create_connection(url, timeout=_CELL_SECONDS)
        try:
            for done, cell in enumerate(cells):
                error = _execute(channels, "".join(cell["source"]))
                if "raises-exception" in cell["metadata"].get("tags", ()) and error != _DIED:
                    error = None if error is not None else "no error, where one is to be shown"
                if error is not None:
                    return NotebookRun(done, error)
            return NotebookRun(len(cells))
        finally:
            channels.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}/api/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def _execute(channels: Any, source: str) -> str | None:
    """One cell: what failed, None where it ended well. A kernel that died is said as such."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "",
        "version": "5.3",
    }
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channels.send(json.dumps(request | {"buffers": []}))
    error: str | None = None
    waiting = {"idle", "reply"}  # both channels have to say that it is over
    while waiting:
        message = json.loads(channels.recv())
        content, kind = message["content"], message["header"]["msg_type"]
        if kind == "status" and content["execution_state"] in ("restarting", "autorestarting", "dead"):
            return _DIED
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if kind == "status" and content["execution_state"] == "idle":
            waiting.discard("idle")
        elif kind == "execute_reply":
            waiting.discard("reply")
        elif kind == "error":
            error = f"{content['ename']}: {content['evalue']}"
    return error
