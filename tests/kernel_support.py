"""A real kernel over its protocol: start it, run cells, gather what they put out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "TESTS",
    "errors_in",
    "kernel_in",
    "outputs",
    "run_cell",
    "said",
    "shown",
    "until_begun",
    "until_said",
    "wait_until",
]

TESTS = Path(__file__).resolve().parent


@contextmanager
def kernel_in(folder: Path, *setup: str) -> Iterator[tuple[Any, Any]]:
    """(manager, client) of a kernel that works in `folder` and finds the helpers of tests; `setup` cells run first.
    Nothing of CI decides how it shows a run.
    """
    from jupyter_client.manager import start_new_kernel

    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "VISTA_NB_UI")}
    manager, client = start_new_kernel(startup_timeout=300, cwd=str(folder), env=environment)
    try:
        for cell in (f"import sys; sys.path.insert(0, {str(TESTS)!r})", "%load_ext vista_nb", *setup):
            assert not errors_in(run_cell(client, cell))
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run_cell(client: Any, code: str, timeout: float = 180) -> list[dict[str, Any]]:
    """Execute and gather what the cell put out until the kernel is idle again."""
    return outputs(client, client.execute(code), timeout)


def outputs(client: Any, request: str, timeout: float = 180) -> list[dict[str, Any]]:
    """What belongs to one request, up to idle: each message's type and content."""
    found: list[dict[str, Any]] = []
    while True:
        message = client.get_iopub_msg(timeout=timeout)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return found
        found.append({"type": message["msg_type"], **message["content"]})


def until_begun(client: Any, request: str, timeout: float = 60) -> None:
    """Wait until the kernel has taken up the request, and a moment more: its code is at work."""
    while True:
        message = client.get_iopub_msg(timeout=timeout)
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == "execute_input":
            time.sleep(0.5)
            return


def until_said(client: Any, request: str, words: str, timeout: float = 60) -> None:
    """Wait until the cell that runs has printed `words`; what it puts out later is left for `outputs`."""
    text = ""
    while words not in text:
        message = client.get_iopub_msg(timeout=timeout)
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == "stream":
            text += message["content"]["text"]


def errors_in(found: list[dict[str, Any]]) -> list[str]:
    return [output["ename"] for output in found if output["type"] == "error"]


def said(found: list[dict[str, Any]]) -> str:
    """Standard output. Not standard error: py4j logs there, in whatever cell runs, that a killed JVM went away."""
    return "".join(output["text"] for output in found if output["type"] == "stream" and output["name"] == "stdout")


def shown(found: list[dict[str, Any]]) -> list[str]:
    """text/plain of everything displayed or returned."""
    return [
        output["data"].get("text/plain", "") for output in found if "data" in output and output["type"] != "comm_msg"
    ]


def wait_until(client: Any, code: str, wanted: str, seconds: float = 60) -> None:
    """Run `code` until it prints `wanted`."""
    end = time.monotonic() + seconds
    while wanted not in (text := said(run_cell(client, code))):
        assert time.monotonic() < end, text
        time.sleep(0.1)
