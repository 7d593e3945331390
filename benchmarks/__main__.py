"""`./run bench [--full] [NAME ...]`: the benchmarks by name; without names a chosen few, small, in under ten minutes.

    ./run bench               QUICK, each with --quick where it knows it: smaller, nothing written
    ./run bench --full        DESIGN.md section 13's whole table, then benchmarks/results/README.md (about 75 minutes)
    ./run bench NAME ...      these, whole

Each prints its table and returns 1 where it misses a target.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

__all__ = ["FULL", "NAMES", "QUICK", "main"]

QUICK = ("start", "speed", "against_lazy", "cold", "scaling", "interim")
FULL = (
    "start",
    "second_cell",
    "speculation",
    "incremental",
    "store_kills",
    "speed",
    "against_lazy",
    "cold",
    "scaling",
    "interim",
    "optimizer_clock",
    "memory_limits",
    "worker_memory",
    "panel",
    "interrupt",
    "results_table",
)
NAMES = (*FULL, "honest_intervals", "decisions", "real_photos", "bfloat16", "decode_drift", "vistanet_against_random")
FLAGS = ("--full", "--quick")
SIZED = (
    *("start", "second_cell", "speculation", "incremental", "store_kills"),
    *("speed", "against_lazy", "cold", "scaling", "interim", "panel", "interrupt"),
    *("honest_intervals", "decisions"),
)
"""Those that take both flags."""


def main(arguments: Sequence[str]) -> int:
    """Run each in a process of its own; returns 1 if one says that its target was missed, or fails."""
    flags = [word for word in arguments if word.startswith("--")]
    names = [word for word in arguments if not word.startswith("--")]
    unknown = [word for word in names if word not in NAMES] + [word for word in flags if word not in FLAGS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; benchmarks are: {', '.join(NAMES)}; flags: --full", file=sys.stderr)
        return 2
    if not names:
        names = list(FULL if "--full" in flags else QUICK)
        flags = flags or ["--quick"]
    began = time.monotonic()
    missed = [name for name in names if _run(name, flags)]
    print(f"{(time.monotonic() - began) / 60:.1f} minutes; missed a target: {', '.join(missed) or 'none'}")
    return int(bool(missed))


def _run(name: str, flags: Sequence[str]) -> int:
    """A fresh Python: no benchmark finds what the one before left warm."""
    print(f"== {name}", flush=True)
    known = [flag for flag in flags if name in SIZED or (name, flag) == ("optimizer_clock", "--quick")]
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *known], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
