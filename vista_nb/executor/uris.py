"""What a file's name says about who can read it: a local path, a `file:` URI, or a URI of another file system.

Reads text, returns text. May touch: nothing. A URI's path is taken as written, as Hadoop does: `%20` is no space.
"""

from __future__ import annotations

import re

__all__ = ["escaped", "from_file_uri", "is_remote", "is_uri", "local_path"]

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # two letters at least: a drive is none
_GLOB = re.compile(r"([*?\[\]{}\\])")


def is_uri(text: str) -> bool:
    return _URI.match(text) is not None


def is_remote(text: str) -> bool:
    """A URI of another file system than this machine's."""
    match = _URI.match(text)
    return match is not None and match.group(1).lower() != "file"


def local_path(text: str) -> str:
    """The path of a `file:` URI (`file:///a`, `file:/a`, `file://host/a`); other text as it is."""
    if not is_uri(text) or is_remote(text):
        return text
    rest = text[5:]
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    return rest


def from_file_uri(path: str) -> str:
    """A local path as Hadoop writes its URI."""
    return f"file:{path}"


def escaped(uri: str) -> str:
    """The URI where a glob is read: its own stars and brackets mean themselves."""
    return _GLOB.sub(r"\\\1", uri)
