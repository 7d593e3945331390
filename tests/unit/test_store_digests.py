"""Known digests: right while a file is unchanged, forgotten the moment it is not, and never needed for the answer."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from vista_nb.store import digests
from vista_nb.store.digests import digest_bytes, digest_files


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were really read."""
    seen: list[Path] = []
    real = digests.sha256_of

    def counted(path: Path) -> str:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(digests, "sha256_of", counted)
    return seen


def old_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    before = time.time_ns() - 60_000_000_000
    os.utime(path, ns=(before, before))
    return path


def test_an_unchanged_file_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    """The second call reads nothing; `reread` reads again."""
    photo, cache = old_file(tmp_path / "ä 'x\udcff.jpg", b"photo"), tmp_path / "c" / "digests.sqlite"
    first = digest_files([photo, photo], cache)
    assert first[photo].digest == hashlib.sha256(b"photo").hexdigest() == digest_bytes(b"photo")
    assert first[photo].size == 5
    assert digest_files([photo], cache) == first
    assert len(reads) == 1
    assert digest_files([photo], cache, reread=True) == first
    assert len(reads) == 2


def test_a_changed_file_is_read_again(tmp_path: Path, reads: list[Path]) -> None:
    """Other bytes of the same length, with another mtime or (mtime kept) another inode."""
    photo, cache = old_file(tmp_path / "a.jpg", b"photo"), tmp_path / "digests.sqlite"
    stamp = photo.stat().st_mtime_ns
    digest_files([photo], cache)
    photo.write_bytes(b"other")
    os.utime(photo, ns=(stamp + 1, stamp + 1))
    assert digest_files([photo], cache)[photo].digest == digest_bytes(b"other")
    other = old_file(tmp_path / "b.jpg", b"third")
    os.utime(other, ns=(stamp + 1, stamp + 1))
    other.replace(photo)
    assert digest_files([photo], cache)[photo].digest == digest_bytes(b"third")
    assert len(reads) == 3


def test_a_file_just_written_is_not_remembered(tmp_path: Path, reads: list[Path]) -> None:
    """It may change again within the clock's grain."""
    photo, cache = tmp_path / "a.jpg", tmp_path / "digests.sqlite"
    photo.write_bytes(b"photo")
    digest_files([photo], cache)
    digest_files([photo], cache)
    assert len(reads) == 2


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe that would block, an empty file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    names = ["missing", "pipe", "", "empty"]
    found = digest_files([tmp_path / name for name in names], tmp_path / "digests.sqlite")
    errors = [found[tmp_path / name].error for name in names]
    assert errors == ["No such file or directory", "not a regular file", "not a regular file", ""]
    assert [bool(entry.digest) for entry in found.values()] == [False, False, False, True]


@pytest.mark.parametrize("state", ["garbage", "newer version", "a folder", "unwritable parent"])
def test_a_broken_cache_costs_time_only(tmp_path: Path, state: str) -> None:
    """The digests are right with any file in the cache's place; garbage is replaced, a newer version left alone."""
    photo, cache = old_file(tmp_path / "a.jpg", b"photo"), tmp_path / "digests.sqlite"
    if state == "garbage":
        cache.write_bytes(b"not a data base, but long enough to be looked at" * 50)
    elif state == "newer version":
        with sqlite3.connect(cache) as base:
            base.execute("PRAGMA user_version = 9")
        base.close()
    elif state == "a folder":
        cache.mkdir()
    else:
        cache = photo / "sub" / "digests.sqlite"
    before = cache.read_bytes() if cache.is_file() else None
    for _ in range(2):
        assert digest_files([photo], cache)[photo].digest == digest_bytes(b"photo")
    if state == "garbage":
        assert cache.read_bytes() != before
    if state == "newer version":
        assert cache.read_bytes() == before


def test_a_cache_that_another_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another kernel holds the file, the digests still come; both kernels' rows are there in the end."""
    cache = tmp_path / "digests.sqlite"
    first, second = (old_file(tmp_path / name, name.encode()) for name in ("a", "b"))
    digest_files([first], cache)
    other = sqlite3.connect(cache)
    other.execute("BEGIN EXCLUSIVE")
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: real(path, timeout=0.05))
    assert digest_files([second], cache)[second].digest == digest_bytes(b"b")
    other.rollback()
    other.close()
    digest_files([second], cache)
    with real(cache) as base:
        assert base.execute("SELECT count(*) FROM known").fetchone() == (2,)
    base.close()
