"""What a CNN's Keras graph says, in a process of its own, for measure_roster.py: `roster_child.py REQUEST_JSON`.

Reads the request (the builder), prints one marked JSON line: every articulation point with its shape and FLOPs, the
input, the parameters, and the largest pair of adjacent tensors. Nothing is timed here: executor/cnn/measuring.py does.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from math import prod
from typing import Any

CHILD_PREFIX = "ROSTER "


def main() -> None:
    print(CHILD_PREFIX + json.dumps(facts(json.loads(sys.argv[1])["builder"])), flush=True)


def facts(builder: str) -> dict[str, Any]:
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.graph import taps

    model, _ = build(builder, "bundled" if builder == "bundled" else "random")
    flow = dataflow(model)
    sizes = [prod(n or 1 for n in tensor.shape) for tensor in flow.tensors]
    return {
        "points": {tap.name: [list(tap.shape), tap.flops] for tap in taps(flow) if tap.is_articulation},
        "input": list(flow.tensors[0].shape),
        "parameters": int(model.count_params()),
        "widest": max(a + b for a, b in pairwise(sizes)),
    }


if __name__ == "__main__":
    main()
