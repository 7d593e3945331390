"""How short of memory this machine or container is now, and how often its memory killer has struck.

Reads /proc and /sys (cgroup v1 and v2), returns numbers. May touch: those files (read only). DESIGN.md section 10:
memory trouble. Page cache does not count as used: the kernel gives it back before it kills.
"""

from __future__ import annotations

import re
from pathlib import Path

from vista_nb.executor.probe_machine import cgroup_folders

__all__ = ["free_bytes", "killed_so_far"]

_UNLIMITED = 2**60
_FILES = (("memory.max", "memory.current", ""), ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory"))
_V1, _V2 = "memory.oom_control", "memory.events"
_CACHE = ("inactive_file", "active_file", "total_inactive_file", "total_active_file")


def free_bytes(root: Path = Path("/")) -> int | None:
    """What may still be taken: the least of the machine's and of every cgroup's above this process; None unknown."""
    left = [_group_free(folder, limit, usage) for limit, usage, name in _FILES for folder in cgroup_folders(root, name)]
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    left.append(int(match.group(1)) * 1024 if match else None)
    return min((free for free in left if free is not None), default=None)


def killed_so_far(root: Path = Path("/")) -> int:
    """Processes that the memory killer ended in this process' cgroup; on the machine where that is not counted."""
    places = [(next(iter(cgroup_folders(root, name))) / file) for name, file in (("memory", _V1), ("", _V2))]
    counts = [_count(path) for path in (*places, root / "proc/vmstat")]
    return next((count for count in counts if count is not None), 0)


def _group_free(folder: Path, limit: str, usage: str) -> int | None:
    most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not most.isdigit() or int(most) >= _UNLIMITED or not used.isdigit():
        return None
    stat = dict(re.findall(r"^(\w+) (\d+)$", _text(folder / "memory.stat"), re.MULTILINE))
    names = _CACHE[2:] if _CACHE[2] in stat else _CACHE[:2]
    return int(most) - int(used) + sum(int(stat.get(name, 0)) for name in names)


def _count(path: Path) -> int | None:
    match = re.search(r"^oom_kill (\d+)$", _text(path), re.MULTILINE)
    return int(match.group(1)) if match else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
