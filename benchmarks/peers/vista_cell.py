"""Our side of the cold comparison: a fresh Python that runs one cell and prints its table.

    python -m benchmarks.peers.vista_cell '{"spec": "...", "store": "FOLDER"}'

Reads a spec, prints one JSON line: accuracies and seconds by step. A store of its own, empty: nothing is reused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import vista_nb
from benchmarks.record import memory_of

__all__ = ["main"]


def main(request: dict[str, Any]) -> int:
    """The cell."""
    result = vista_nb.run(request["spec"], store_dir=Path(request["store"]))
    print(result.accuracy.to_string())
    found = {
        "accuracy": {score.layer: score.value for score in result.outcome.scores},
        "parts": {row.step: round(row.seconds, 3) for row in result.timeline.itertuples()},
        "cell": result.outcome.seconds,
        "plan": result.plan.logical.name,
        "memory": memory_of(result),
    }
    print("BENCHMARK " + json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
