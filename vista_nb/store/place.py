"""Where the store lies: a folder of this machine, and perhaps an object store behind it.

Reads a setting and VISTA_NB_STORE_DIR, returns a Place. May touch: the environment (read only). DESIGN.md section 9;
ADR 30: an address is a remote tier, and the local store goes on in front of it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from vista_nb.errors import VistaStoreError

__all__ = ["SCHEMES", "VARIABLE", "Place", "shown", "store_place", "store_root"]

VARIABLE = "VISTA_NB_STORE_DIR"
SCHEMES = ("abfs", "abfss", "file", "gcs", "gs", "hdfs", "s3", "viewfs")
"""Those that pyarrow.fs opens by itself."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # two letters at least: a drive is none


class Place(NamedTuple):
    """folder: of the local tier, which every store has. remote: the address behind it."""

    folder: Path
    remote: str | None = None


def store_place(given: str | Path | None = None) -> Place:
    """`given`, else VISTA_NB_STORE_DIR, else `store` in the user's cache folder. Raises VST615.

    Behind an address the local tier lies where VISTA_NB_STORE_DIR names a folder, else in the cache folder.
    """
    named = os.environ.get(VARIABLE, "")
    chosen = str(given) if given else named
    if not _ADDRESS.match(chosen):
        return Place(Path(chosen).expanduser() if chosen else _cache())
    _check(chosen, isinstance(given, Path))
    return Place(_cache() if not named or _ADDRESS.match(named) else Path(named).expanduser(), chosen)


def store_root() -> Path:
    """The local tier's folder, where nothing but the environment names one. Raises VST615."""
    return store_place().folder


def shown(address: str) -> str:
    """The address without the user, the password and the options that it may carry."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("vista_nb") / "store"


def _check(address: str, as_path: bool) -> None:
    scheme = address.partition(":")[0].lower()
    if as_path or "://" not in address:
        message = f"the store's address {address} is no URI: pathlib and single slashes spoil it"
        raise VistaStoreError("VST615", message, "give it as text, such as 's3://bucket/folder'")
    if scheme not in SCHEMES:
        known = "s3://..." if scheme in ("s3a", "s3n") else f"one of {', '.join(f'{s}://' for s in SCHEMES)}"
        message = f"the store cannot be at {shown(address)}: nothing here reads {scheme}://"
        raise VistaStoreError("VST615", message, f"name a folder, or {known}")
