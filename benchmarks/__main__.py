"""`./run bench [NAME ...]`: run the benchmarks by name, or all of them. Each prints its table."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "start",
    "speed",
    "second_cell",
    "real_photos",
    "worker_memory",
    "bfloat16",
    "decode_drift",
    "vistanet_against_random",
)


def main(names: list[str]) -> int:
    """Run each; returns 1 if one says that its target was missed."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return max(_run(name) for name in names or NAMES)


def _run(name: str) -> int:
    print(f"== {name}", flush=True)
    return int(importlib.import_module(f"benchmarks.{name}").main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
