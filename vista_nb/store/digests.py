"""The content digest of each image file, remembered while path, size, mtime and inode stay the same.

Reads files, returns SHA-256 digests or what the operating system said. May touch: the files (read only) and one
SQLite file. DESIGN.md section 9: rows of the store are named by the image's bytes, never by its path; a second cell
must not read every photo again only to learn that nothing changed.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from vista_nb.store.disk import sha256_of

__all__ = ["FileDigest", "digest_bytes", "digest_files", "digest_known"]

VERSION = 1
RACY_NS = 2_000_000_000
"""A file written this recently may change again within the clock's grain: its digest is not remembered."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS known (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode TEXT, digest TEXT)"
    " WITHOUT ROWID"
)


@dataclass(frozen=True)
class FileDigest:
    """digest: 64 hex digits, or empty where the file cannot be read; then `error` says why. size in bytes."""

    digest: str
    size: int = 0
    error: str = ""


@dataclass(frozen=True)
class _Stamp:
    """What must be unchanged for a remembered digest to hold."""

    size: int
    mtime_ns: int
    inode: str  # text: an inode number may exceed SQLite's signed 64 bits

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        """Raises OSError; what is no regular file (a folder, a pipe that would block) is refused."""
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "not a regular file")
        return cls(status.st_size, status.st_mtime_ns, f"{status.st_dev}:{status.st_ino}")


_Known = dict[bytes, tuple[_Stamp, str]]


def digest_bytes(content: bytes) -> str:
    """SHA-256 of an image that lies in a table instead of a file."""
    return hashlib.sha256(content).hexdigest()


def digest_files(paths: Iterable[Path], cache: Path, *, reread: bool = False) -> dict[Path, FileDigest]:
    """The digest of every path, in the order given. `cache` is the SQLite file; `reread` trusts nothing in it.

    A cache that cannot be opened, read or written costs time, never the answer.
    """
    wanted = list(dict.fromkeys(paths))
    known = {} if reread else _load(cache)
    fresh: _Known = {}
    with ThreadPoolExecutor(max_workers=min(16, 2 * (os.cpu_count() or 1))) as pool:
        found = dict(zip(wanted, pool.map(lambda path: _digest(path, known, fresh), wanted), strict=True))
    if fresh:
        _save(cache, fresh)
    return found


def digest_known(
    stamps: Mapping[str, tuple[int, int]],
    cache: Path,
    read: Callable[[Sequence[str]], Mapping[str, str]],
    *,
    reread: bool = False,
) -> dict[str, FileDigest]:
    """The digests of files under URIs. stamps: uri -> (size, mtime in ns); read: the digests that are not known."""
    known = {} if reread else _load(cache)
    now = {uri: _Stamp(size, mtime, "") for uri, (size, mtime) in stamps.items()}
    held = {uri: known[uri.encode()][1] for uri in now if known.get(uri.encode(), (None, ""))[0] == now[uri]}
    missing = [uri for uri in now if uri not in held]
    fresh = dict(read(missing)) if missing else {}
    settled = {u: d for u, d in fresh.items() if u in now and time.time_ns() - now[u].mtime_ns > RACY_NS}
    if settled:
        _save(cache, {uri.encode(): (now[uri], digest) for uri, digest in settled.items()})
    found = held | fresh
    return {u: FileDigest(found[u], now[u].size) if u in found else FileDigest("", 0, "cannot be read") for u in now}


def _digest(path: Path, known: Mapping[bytes, tuple[_Stamp, str]], fresh: _Known) -> FileDigest:
    name = os.fsencode(path.absolute())
    try:
        stamp = _Stamp.of(path)
        remembered = known.get(name)
        if remembered is not None and remembered[0] == stamp:
            return FileDigest(remembered[1], stamp.size)
        digest = sha256_of(path)
        after = _Stamp.of(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return FileDigest("", 0, getattr(error, "strerror", None) or str(error))
    if stamp == after and time.time_ns() - stamp.mtime_ns > RACY_NS:
        fresh[name] = (stamp, digest)
    return FileDigest(digest, after.size)


def _load(cache: Path) -> _Known:
    """Everything remembered; nothing where the file is absent, broken, or of another version."""
    if not cache.is_file():
        return {}
    try:
        with closing(_open(cache)) as base:
            rows = base.execute("SELECT path, size, mtime_ns, inode, digest FROM known").fetchall()
    except sqlite3.Error:
        return {}
    return {bytes(path): (_Stamp(size, mtime, inode), digest) for path, size, mtime, inode, digest in rows}


def _save(cache: Path, fresh: _Known) -> None:
    """Add to the file in one transaction; a broken file is replaced, a locked or read-only one left alone."""
    rows = [(name, s.size, s.mtime_ns, s.inode, digest) for name, (s, digest) in fresh.items()]
    with suppress(OSError, sqlite3.Error):
        cache.parent.mkdir(parents=True, exist_ok=True)
        try:
            _insert(cache, rows)
        except sqlite3.OperationalError:
            return  # locked, full or read-only: sqlite3 files it under DatabaseError too, but the file is sound
        except sqlite3.DatabaseError:
            cache.unlink(missing_ok=True)
            _insert(cache, rows)


def _insert(cache: Path, rows: list[tuple[bytes, int, int, str, str]]) -> None:
    with closing(_open(cache)) as base, base:
        base.execute(_CREATE)
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?)", rows)


def _open(cache: Path) -> sqlite3.Connection:
    """The rollback journal, not WAL: home folders on network file systems have no shared memory."""
    base = sqlite3.connect(cache, timeout=10.0)
    version = int(base.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, VERSION):
        base.close()
        raise sqlite3.OperationalError(f"version {version}")
    return base
