"""Environment variables for the time of a block: what other people's programs read in no other way.

Reads and writes this process' environment, put back at the end. May touch: os.environ.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["environment"]


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """`wanted` set inside the block; afterwards each is what it was, or absent again."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
