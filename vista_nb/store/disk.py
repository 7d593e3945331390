"""Writes that are whole or absent, and operating-system errors as coded ones.

Reads paths and text, returns nothing or a digest. May touch: the files it is given.
A file becomes visible by one rename after its bytes are on the disk, so that `kill -9` or a full disk at any moment
leaves either the old state or the new one (DESIGN.md section 14).
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from vista_nb.errors import VistaStoreError

__all__ = ["bytes_under", "coded", "free_bytes", "hold", "replace_text", "sha256_of", "sync_file", "sync_folder"]

LOCK_SECONDS = 60.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ELSEWHERE = "the run goes on without the store; VISTA_NB_STORE_DIR names another folder"


@contextmanager
def coded(doing: str, place: Path) -> Iterator[None]:
    """Turn what the operating system says into a VistaStoreError that names the folder."""
    try:
        yield
    except Timeout as error:
        message = f"{doing}: another process has held {place} for {LOCK_SECONDS:.0f} s"
        raise VistaStoreError(
            "VST605", message, "wait for the other kernel, or use another VISTA_NB_STORE_DIR"
        ) from error
    except OSError as error:
        raise _error_of(error, doing, place) from error


def _error_of(error: OSError, doing: str, place: Path) -> VistaStoreError:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return VistaStoreError("VST601", f"{doing}: no space left under {place}", f"free some space; {_ELSEWHERE}")
    if error.errno in _CLOSED:
        return VistaStoreError("VST602", f"{doing}: {place} may not be used ({reason})", _ELSEWHERE)
    return VistaStoreError("VST604", f"{doing}: {place}: {reason}", _ELSEWHERE)


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Hold `lock` against every other process and thread; the kernel lets it go when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=LOCK_SECONDS):
        yield


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk that `folder` lies on, or will lie on."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def bytes_under(folder: Path) -> int:
    """Bytes of all files below `folder`; what disappears meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 (a store may hold thousands)
    return total


def sync_file(path: Path) -> None:
    """Bytes of `path` are on the disk, not only in the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Renames inside `folder` survive a power cut."""
    sync_file(folder)


def replace_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Put `text` in the place of `path` in one step; durable: also through a power cut."""
    fresh = path.with_name(f"{uuid4().hex}.tmp")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
