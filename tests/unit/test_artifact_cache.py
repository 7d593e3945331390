"""The artifacts on disk stay within their budget: least recently used first, nothing in use, two kernels at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.artifact_cache import BUDGET, budget, held_artifacts, in_use, making, trim


def artifact(root: Path, letter: str, size: int = 1000, age: float = 0.0) -> Path:
    """A folder of that size, last used `age` seconds ago."""
    folder = root / (letter * 32)
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(b"." * size)
    with in_use(folder):
        pass
    used = time.time() - age
    os.utime(folder.with_suffix(".use"), (used, used))
    return folder


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    """Only as many as must; other folders beside them are nobody's business."""
    a, b, c = (artifact(tmp_path, letter, age=age) for letter, age in (("a", 10), ("b", 30), ("c", 20)))
    (tmp_path / "slots").mkdir()
    assert [held.folder for held in held_artifacts(tmp_path)] == [b, c, a]
    assert trim(tmp_path, 3000) == ()
    assert trim(tmp_path, 2500) == (b,)
    assert [held.folder for held in held_artifacts(tmp_path)] == [c, a]
    with in_use(c):
        pass
    assert trim(tmp_path, 1000) == (a,)
    assert (tmp_path / "slots").is_dir()
    assert not list(tmp_path.glob(".writing-*"))


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    """Also where that leaves more than the budget."""
    a, b = artifact(tmp_path, "a", age=20), artifact(tmp_path, "b", age=10)
    with in_use(a), in_use(a):
        assert trim(tmp_path, 0) == (b,)
        assert (a / "weights.bin").exists()
    assert trim(tmp_path, 0) == (a,)


def test_what_is_being_made_stays(tmp_path: Path) -> None:
    """A stale artifact under its maker's lock."""
    a = artifact(tmp_path, "a")
    with making(a):
        assert trim(tmp_path, 0) == ()
    assert trim(tmp_path, 0) == (a,)


def test_another_kernel_holds_and_lets_go_when_it_dies(tmp_path: Path) -> None:
    """Two processes: what the other one uses stays; its death, however sudden, frees it."""
    a = artifact(tmp_path, "a")
    code = (
        "import sys, time, pathlib\n"
        "from vista_nb.executor.cnn.artifact_cache import in_use\n"
        "with in_use(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(a)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert trim(tmp_path, 0) == ()
        assert a.is_dir()
    finally:
        other.kill()
        other.wait()
    assert trim(tmp_path, 0) == (a,)


def test_remains_of_a_killed_maker_go(tmp_path: Path) -> None:
    """Half-written folders, once they are old."""
    old, fresh = tmp_path / ".writing-old", tmp_path / ".writing-new"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "weights.bin").write_bytes(b".")
    os.utime(old, (0, 0))
    trim(tmp_path, BUDGET)
    assert not old.exists()
    assert fresh.exists()


def test_the_budget_is_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 GB unless the variable says another; nonsense is a coded error."""
    monkeypatch.delenv("VISTA_NB_ARTIFACT_BYTES", raising=False)
    assert budget() == 4 * 10**9
    monkeypatch.setenv("VISTA_NB_ARTIFACT_BYTES", "500MB")
    assert budget() == 500 * 10**6
    monkeypatch.setenv("VISTA_NB_ARTIFACT_BYTES", "lots")
    with pytest.raises(VistaEnvironmentError, match=r"VST448.*lots"):
        budget()
