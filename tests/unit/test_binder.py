"""binder/ as repo2docker reads it, and the simulated launch's own parts. The launch itself: `./run bench binder`."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import binder, lab_client

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"


def lines(name: str) -> list[str]:
    """Without comments and empty lines."""
    text = (BINDER / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_there_is_one_folder_of_configuration() -> None:
    """repo2docker refuses two; with environment.yml it would ignore our Python, with a Dockerfile everything."""
    assert not (ROOT / ".binder").exists()
    present = {path.name for path in BINDER.iterdir() if path.name != "__pycache__"}
    assert present == {"apt.txt", "postBuild", "requirements.txt", "runtime.txt", "start"}


def test_the_package_is_installed_with_every_version_pinned() -> None:
    """By name, as nothing else there installs it; the constraints are found from the file's own folder."""
    pins, package = lines("requirements.txt")
    assert (BINDER / pins.removeprefix("-c ")).resolve() == ROOT / "constraints.txt"
    assert package == ".[lab]"


def test_its_python_and_java_are_ones_that_fit() -> None:
    """python-3.11 lies in requires-python; the JRE is one that Spark accepts, and headless."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["requires-python"]
    (runtime,) = lines("runtime.txt")
    assert f">={runtime.removeprefix('python-')}" in wanted
    (java,) = lines("apt.txt")
    assert java == "openjdk-17-jre-headless"


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_run_and_do_not_swallow_failures(name: str) -> None:
    """Executable, valid, `set -e` and friends."""
    path = BINDER / name
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in lines(name)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_start_hands_over_to_the_server() -> None:
    """The command it is given takes its place, with the settings in its environment."""
    done = subprocess.run(
        [str(BINDER / "start"), "sh", "-c", 'echo "$SPARK_LOCAL_IP"; exit 7'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, "127.0.0.1\n")


def test_a_launch_sees_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No PYTHONPATH, no store, no setting of CI; the new environment comes first on the path."""
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("VISTA_NB_UI", "static")
    monkeypatch.setenv("CI", "true")
    seen = binder._environment(tmp_path)
    assert {"PYTHONPATH", "VISTA_NB_UI", "CI"}.isdisjoint(seen)
    assert seen["PATH"].startswith(f"{tmp_path}/venv/bin:")


class Channels:
    """A kernel's websocket: answers each request with what the test says."""

    def __init__(self, *answers: tuple[str, dict[str, Any]]) -> None:
        self.answers, self.waiting, self.asked = answers, list[str](), list[str]()

    def send(self, text: str) -> None:
        header = json.loads(text)["header"]
        self.asked.append(json.loads(text)["content"]["code"])
        self.waiting = [
            json.dumps(
                {"header": {"msg_type": kind}, "parent_header": {"msg_id": header["msg_id"]}, "content": content}
            )
            for kind, content in self.answers
        ]

    def recv(self) -> str:
        return self.waiting.pop(0)


REPLY, IDLE = ("execute_reply", {}), ("status", {"execution_state": "idle"})


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([("status", {"execution_state": "busy"}), ("stream", {"text": "x"}), REPLY, IDLE], None),
        ([IDLE, REPLY], None),
        ([("error", {"ename": "VistaDataError", "evalue": "VST301: no photo"}), REPLY, IDLE], "VistaDataError: VST301"),
        ([("status", {"execution_state": "autorestarting"})], "the kernel died"),
    ],
)
def test_a_cell_ends_when_both_channels_say_so(answers: list[tuple[str, dict[str, Any]]], error: str | None) -> None:
    """Whichever comes first; an error is kept, a killed kernel is not waited for."""
    found = lab_client._execute(Channels(*answers), "1 + 1")
    assert (found is None) if error is None else str(found).startswith(error)


@pytest.mark.parametrize(
    ("tags", "fails", "cells", "error"),
    [
        ([], False, 2, None),
        ([], True, 0, "ValueError: no"),
        (["raises-exception"], True, 2, None),
        (["raises-exception"], False, 0, "no error, where one is to be shown"),
    ],
)
def test_an_error_that_is_to_be_shown_is_none(
    monkeypatch: pytest.MonkeyPatch, tags: list[str], fails: bool, cells: int, error: str | None
) -> None:
    """As JupyterLab does it: the tag lets a cell fail, and the notebook goes on; and then it has to fail."""
    broken = [("error", {"ename": "ValueError", "evalue": "no"})] if fails else []
    answers = {"first": Channels(*broken, REPLY, IDLE), "second": Channels(REPLY, IDLE)}

    class Kernel:
        def send(self, text: str) -> None:
            self.now = answers[json.loads(text)["content"]["code"]]
            self.now.send(text)

        def recv(self) -> str:
            return self.now.recv()

        def close(self) -> None:
            pass

    monkeypatch.setattr("websocket.create_connection", lambda url, timeout: Kernel())
    code = [{"source": ["first"], "metadata": {"tags": tags}}, {"source": ["second"], "metadata": {}}]
    found = lab_client.LabClient("127.0.0.1:1")._run("kernel", code)
    assert (found.cells, found.error) == (cells, error)
