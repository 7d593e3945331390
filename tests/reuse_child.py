"""A fresh kernel, as a process: runs one cell and says, as JSON, what it found and which engines it started.

`python -m tests.reuse_child SPEC.json STORE [reuse]`. Used by tests of the store and by benchmarks/second_cell.py.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]


def started() -> dict[str, Any]:
    """Engines of this process: modules it imported, and the programs it started that live."""
    import psutil

    children = [child.name() for child in psutil.Process().children(recursive=True)]
    return {
        "pyspark": "pyspark" in sys.modules,
        "tensorflow": "tensorflow" in sys.modules,
        "children": sorted(children),
    }


def main(spec: str, store: str, reuse: str = "auto") -> int:
    """Prints one line of JSON."""
    import vista_nb

    began = time.perf_counter()
    result = vista_nb.run(json.loads(Path(spec).read_text(encoding="utf-8")), store_dir=Path(store), reuse=reuse)
    seconds = time.perf_counter() - began
    timeline = result.timeline
    made = timeline[timeline.step.str.match("Start|CNN|Save|Load|Read|Join")]
    scores = {score.layer: score.value for score in result.outcome.scores}
    found = {
        "inferred": result.outcome.inferred_images,
        "seconds": seconds,
        "ready": float(made.end.max()),
        "scores": scores,
        **started(),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
