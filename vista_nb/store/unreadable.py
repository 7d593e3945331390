"""Photos that the decoder refused, remembered by content, so that a later cell does not start engines to find it again.

Reads and writes one SQLite file beside the layer sets; returns reasons by digest. May touch: that file. DESIGN.md
section 9: what is known of an image is known by its content digest. Kept per preprocessing, which names the decoder's
version; a file that cannot be opened, or no memory for it, says nothing about its content and is not kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from pathlib import Path

__all__ = ["FILE", "known_unreadable", "remember_unreadable"]

FILE = "unreadable.sqlite"
_VERSION = 1
_CREATE = (
    "CREATE TABLE IF NOT EXISTS unreadable (digest TEXT, preprocessing TEXT, reason TEXT,"
    " PRIMARY KEY (digest, preprocessing)) WITHOUT ROWID"
)
_OF_THE_MOMENT = ("cannot be opened", "too large for this process's memory")


def known_unreadable(store_dir: Path, preprocessing: str, digests: Collection[str]) -> dict[str, str]:
    """Digest -> why it cannot be read, of these images. A file that is absent, broken or another version's has none."""
    path = store_dir / FILE
    if not path.is_file():
        return {}
    try:
        with closing(_open(path)) as base:
            rows = base.execute("SELECT digest, reason FROM unreadable WHERE preprocessing = ?", (preprocessing,))
            wanted = set(digests)
            return {digest: reason for digest, reason in rows if digest in wanted}
    except sqlite3.Error:
        return {}


def remember_unreadable(store_dir: Path, preprocessing: str, reasons: Mapping[str, str]) -> None:
    """Keep them in one transaction; a file that cannot be written costs the next cell time, never the answer."""
    rows = [(digest, preprocessing, reason) for digest, reason in reasons.items() if _lasting(reason)]
    if not rows:
        return
    with suppress(OSError, sqlite3.Error):
        store_dir.mkdir(parents=True, exist_ok=True)
        with closing(_open(store_dir / FILE)) as base, base:
            base.execute(_CREATE)
            base.execute(f"PRAGMA user_version = {_VERSION}")
            base.executemany("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?)", rows)


def _lasting(reason: str) -> bool:
    return not reason.startswith(_OF_THE_MOMENT)


def _open(path: Path) -> sqlite3.Connection:
    """The rollback journal, as for digests: network file systems have no shared memory."""
    base = sqlite3.connect(path, timeout=10.0)
    if int(base.execute("PRAGMA user_version").fetchone()[0]) not in (0, _VERSION):
        base.close()
        raise sqlite3.OperationalError("another version")
    return base
