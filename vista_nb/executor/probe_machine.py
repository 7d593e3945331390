"""What this machine offers, with the container's limits counted: memory, cores, free disk, bfloat16.

Reads /proc and /sys (cgroup v1 and v2), returns SystemFacts. May touch: those files and the spill folder's disk
(read only). DESIGN.md section 3 (resources): cgroup limits count, not the host's RAM.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vista_nb.catalog.statistics import SystemFacts

__all__ = ["cgroup_cores", "cgroup_folders", "cgroup_memory", "cpu_flags", "has_bfloat16", "host_memory", "machine"]

_UNLIMITED = 2**60  # cgroup v1 writes a huge number where there is no limit
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}  # Intel and AMD, Intel's tiles, ARM


def machine(spill: Path | None = None, root: Path = Path("/")) -> SystemFacts:
    """The machine as this process may use it. spill: Spark's local folder; root: for tests with faked files."""
    host, limit = host_memory(root), cgroup_memory(root)
    memory = host if limit is None else min(host, limit)
    folder = spill or Path(os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or tempfile.gettempdir())
    return SystemFacts(
        memory=memory,
        cores=_cores(root),
        disk_free=_disk_free(folder),
        source="cgroup" if limit is not None and limit < host else "host",
        bfloat16=has_bfloat16(root),
    )


def cpu_flags(root: Path = Path("/")) -> frozenset[str]:
    """The features of the first processor as the kernel names them; empty where it does not tell (macOS)."""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def has_bfloat16(root: Path = Path("/")) -> bool:
    """Whether the processor multiplies in bfloat16; without that it is slower than float32."""
    return bool(cpu_flags(root) & _BFLOAT16)


def host_memory(root: Path = Path("/")) -> int:
    """Bytes of RAM of the host."""
    text = _text(root / "proc/meminfo")
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    if match:
        return int(match.group(1)) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def cgroup_memory(root: Path = Path("/")) -> int | None:
    """The tightest memory limit of this process' cgroup and its parents, None without one."""
    limits = [_number(_text(folder / "memory.max")) for folder in cgroup_folders(root, "")]
    limits += [_number(_text(folder / "memory.limit_in_bytes")) for folder in cgroup_folders(root, "memory")]
    return min((limit for limit in limits if limit is not None and 0 < limit < _UNLIMITED), default=None)


def cgroup_cores(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota in cores, None without one."""
    quotas = []
    for folder in cgroup_folders(root, ""):
        quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
        quotas.append(_ratio(quota, period))
    for folder in cgroup_folders(root, "cpu"):
        quotas.append(_ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")))
    return min((quota for quota in quotas if quota is not None), default=None)


def _cores(root: Path) -> int:
    """Cores this process may run on (cpuset), cut by the quota; part of a core does not count, but one always does."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_cores(root)
    return max(1, allowed if quota is None else min(allowed, int(quota)))


def cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The cgroup's folder for a controller (`` is v2's single tree) and its parents, down from this process."""
    base = root / "sys/fs/cgroup"
    path = _own_path(_text(root / "proc/self/cgroup"), controller)
    bases = [base] if not controller else [base / controller, *sorted(base.glob(f"*{controller}*,*"))]
    for top in bases:
        here = top / path.lstrip("/")
        # inside a container the own path is the host's, and not to be seen: the top is this container's group
        while here != top and here.is_relative_to(top):
            yield here
            here = here.parent
        yield top


def _own_path(text: str, controller: str) -> str:
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        if (names == "" and controller == "") or (controller and controller in names.split(",")):
            return "" if ".." in path else path
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _ratio(quota: str, period: str) -> float | None:
    over, under = _number(quota), _number(period)
    return over / under if over and under else None


def _disk_free(folder: Path) -> int | None:
    """Free bytes where Spark spills; the nearest folder that exists."""
    place = next((p for p in (folder, *folder.parents) if p.exists()), None)
    return shutil.disk_usage(place).free if place else None
