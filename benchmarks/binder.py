"""Binder without Binder: the image's steps in a fresh environment, then its server and notebooks in 2 GB of memory.

    python -m benchmarks.binder [FOLDER] [--python python3.11] [--limit 2g] [--notebook NAME ...]

Reads the repository's last commit and its `binder/`; prints seconds and most memory of every step and notebook (01 to
03) and returns 0 where all cells ran and nothing was killed. May touch: FOLDER (else a temporary one; what it holds of
an earlier try is used again), a memory cgroup, a JupyterLab server on loopback. One kernel at a time, as binder/ is
made for. Not simulated: `apt.txt` (Java must be there), Ubuntu, and the slower disk and processors of a public hub.
DESIGN.md section 15.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from benchmarks.lab_client import LabClient, free_port
from benchmarks.memory_group import Ended, run_limited, why_not
from vista_nb.units import GB, parse_bytes

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 1800


def main(words: Sequence[str]) -> int:
    """2: not possible on this machine."""
    asked = _arguments(words)
    reason = why_not()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    if asked.folder is not None:
        return _simulate(asked.folder.resolve(), asked)
    with tempfile.TemporaryDirectory() as folder:
        return _simulate(Path(folder), asked)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.binder")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--python", default="python3.11")
    parser.add_argument("--limit", default=2 * GB, type=parse_bytes)
    parser.add_argument("--notebook", dest="notebooks", action="append", default=[])
    return parser.parse_args(words)


def _simulate(folder: Path, asked: argparse.Namespace) -> int:
    environment = _environment(folder)
    _build(folder, asked.python, environment)
    notebooks = asked.notebooks or sorted(path.name for path in (folder / "repo/notebooks").glob("0[123]*.ipynb"))
    return _launch(folder, environment, asked.limit, notebooks)


def _environment(folder: Path) -> dict[str, str]:
    """What a launch on Binder has: a path and a home; of ours only what the package client needs."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or name == "LANG"}
    path = f"{folder / 'venv/bin'}:/usr/local/bin:/usr/bin:/bin"
    return kept | {"PATH": path, "HOME": str(folder / "home"), "SHELL": "/bin/bash"}


def _build(folder: Path, python: str, environment: dict[str, str]) -> None:
    """The steps that repo2docker makes an image of, in its order, from what is committed."""
    repository = folder / "repo"
    (folder / "home").mkdir(parents=True, exist_ok=True)
    if repository.is_dir():
        subprocess.run(["git", "-C", str(repository), "pull", "--quiet", "--ff-only"], check=True)
    else:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(repository)], check=True)
    if not (folder / "venv/bin/pip").exists():
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
    for step in ("pip install --quiet -r binder/requirements.txt", "binder/postBuild"):
        began = time.monotonic()
        # as on Binder: by a shell with the environment's path, from the repository's root
        subprocess.run(["/bin/bash", "-c", step], cwd=repository, env=environment, check=True)
        print(f"{step}: {time.monotonic() - began:.0f} s", flush=True)


def _launch(folder: Path, environment: dict[str, str], limit: int, notebooks: Sequence[str]) -> int:
    """The server and all it starts live in the group; this process, in the browser's place, does not."""
    port = free_port()
    server = ["binder/start", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    server += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(folder / "repo"), *server]
    client, samples, failed = LabClient(f"127.0.0.1:{port}"), [0], 0
    with ThreadPoolExecutor(1) as pool:
        ran: Future[Ended] = pool.submit(
            run_limited, command, limit, env=environment, timeout=SECONDS, sampled=samples.append
        )
        try:
            print(f"server: {client.wait(ran.done):.0f} s, {max(samples) / GB:.2f} GB", flush=True)
            for name in notebooks:
                samples[:] = [0]
                failed += _notebook(client, folder / "repo", name, samples)
        finally:
            client.shut_down()
            ended = ran.result()
            (folder / "server.log").write_text(ended.out + ended.err, encoding="utf-8")
    print(
        f"in all: most resident {ended.resident / GB:.2f} GB, with page cache {ended.peak / GB:.2f} GB "
        f"of {limit / GB:.2f} GB; processes killed: {ended.kills}"
    )
    return 1 if failed or ended.kills else 0


def _notebook(client: LabClient, repository: Path, name: str, samples: list[int]) -> int:
    """1 where a cell failed."""
    began = time.monotonic()
    found = client.run_notebook(repository, f"notebooks/{name}")
    seconds = time.monotonic() - began
    how = f"{found.cells} cells" if found.error is None else f"FAILED after {found.cells} cells: {found.error}"
    print(f"{name}: {seconds:.0f} s, most resident {max(samples) / GB:.2f} GB, {how}", flush=True)
    return int(found.error is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
