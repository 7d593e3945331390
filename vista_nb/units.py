"""Bytes as whole numbers, and the few ways people write them.

Reads text such as `32 GB`, `8g`, `512MiB`; returns `int` bytes, or text for people. May touch: nothing.
Units are decimal (100 MB = 1e8), as the paper's numbers need; `KiB MiB GiB TiB` are powers of 1024
(DESIGN.md sections 3 and 7).
"""

from __future__ import annotations

import re

__all__ = ["GB", "GIB", "KB", "MB", "MIB", "format_bytes", "format_seconds", "parse_bytes", "parse_seconds"]

KB, MB, GB, TB = 10**3, 10**6, 10**9, 10**12
MIB, GIB = 2**20, 2**30

_FACTOR = {"": 1, "b": 1, "k": KB, "m": MB, "g": GB, "t": TB, "kb": KB, "mb": MB, "gb": GB, "tb": TB}
_FACTOR |= {"kib": 2**10, "mib": MIB, "gib": GIB, "tib": 2**40}
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_bytes(text: str | int | float) -> int:
    """Bytes of `text`: a number, or a number with a unit. Raises ValueError for anything else."""
    if isinstance(text, bool):
        raise ValueError(f"not a size: {text!r}")
    if isinstance(text, int | float):
        return _checked(float(text), 1, text)
    match = _PATTERN.fullmatch(text)
    factor = _FACTOR.get(match.group(2).lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"not a size: {text!r} (write 8g, 32 GB, 512MiB)")
    return _checked(float(match.group(1)), factor, text)


def _checked(number: float, factor: int, text: object) -> int:
    if number < 0 or number * factor >= 2**63:
        raise ValueError(f"not a size: {text!r}")
    return round(number * factor)


_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float:
    """Seconds of `90`, `90s`, `10m`, `10 min`, `1.5h`. Raises ValueError for anything else, and for nothing."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.IGNORECASE)
    factor = _SECONDS.get(match.group(2).lower()) if match else None
    if match is None or factor is None or float(match.group(1)) <= 0:
        raise ValueError(f"not a time: {text!r} (write 90s, 10m, 1.5h)")
    return float(match.group(1)) * factor


def format_bytes(count: int) -> str:
    """`1 234` -> `1.2 KB`: three significant digits at most, decimal units."""
    for factor, unit in ((TB, "TB"), (GB, "GB"), (MB, "MB"), (KB, "KB")):
        if abs(count) >= factor:
            value = count / factor
            return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.1f} {unit}"
    return f"{count} B"


def format_seconds(seconds: float) -> str:
    """`93.4` -> `1 min 33 s`; under a minute one decimal."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
