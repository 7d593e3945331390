"""Which GPUs this machine has, asked without TensorFlow.

Reads /proc/driver/nvidia and `nvidia-smi`; returns plain numbers. May touch: those, in a short subprocess. Untested on
a machine with a GPU that TensorFlow can use: none was at hand (docs/planning.md).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from vista_nb.units import MIB

__all__ = ["gpu_memory", "has_gpu"]

_ASK = ("--query-gpu=memory.total", "--format=csv,noheader,nounits")
_SECONDS = 5


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether the machine has an NVIDIA GPU with its driver, used or hidden (CUDA_VISIBLE_DEVICES)."""
    folder = root / "proc/driver/nvidia/gpus"
    return folder.is_dir() and any(folder.iterdir())


@cache
def gpu_memory() -> int | None:
    """Bytes of the first GPU that this process may use, None without one."""
    if not has_gpu() or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        told = subprocess.run([program, *_ASK], capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return smallest(told)


def smallest(told: str) -> int | None:
    """The least memory of the GPUs that `nvidia-smi` lists, a number of MiB a line; None where it lists none."""
    sizes = [int(line) * MIB for line in told.split() if line.isdigit()]
    return min(sizes, default=None)
