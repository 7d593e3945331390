"""One measurement of one CNN in a process of its own, for measure_roster.py: `roster_child.py REQUEST_JSON`.

Reads the request (what, builder, nodes), prints one marked JSON line: `points` and `facts` come from the Keras
graph, `timing` from the optimised frozen graph, `resident` from a process that does what a Spark worker does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CHILD_PREFIX = "ROSTER "
BATCH, REPETITIONS = 16, 3


def main() -> None:
    request = json.loads(sys.argv[1])
    answer = {"points": points, "facts": facts, "timing": timing, "resident": resident}[request["what"]](request)
    print(CHILD_PREFIX + json.dumps(answer), flush=True)


def points(request: dict[str, Any]) -> dict[str, Any]:
    from vista_nb.executor.cnn.graph import articulation_points

    model = _model(request)
    return {"points": list(articulation_points(model)), "input": list(model.input.shape[1:])}


def facts(request: dict[str, Any]) -> dict[str, Any]:
    """Shapes, FLOPs, parameters, and the values of each pair of adjacent outputs (for GPU memory)."""
    from itertools import pairwise
    from math import prod

    from vista_nb.executor.cnn.graph import articulation_points, prefix_flops

    model = _model(request)
    sizes = [prod(layer.output.shape[1:]) for layer in model.layers]
    return {
        "points": list(articulation_points(model)),
        "shapes": [list(model.get_layer(node).output.shape[1:]) for node in request["nodes"]],
        "flops": [prefix_flops(model, node) for node in request["nodes"]],
        "parameters": int(model.count_params()),
        "activations": [a + b for a, b in pairwise(sizes)],
    }


def timing(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds per prefix in this process; bytes, resident memory and start-up from a process of their own."""
    import shutil
    import tempfile

    from vista_nb.executor.cnn.artifact import artifact_bytes, save
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.spec.model import Pooling

    _one_thread()
    model = _model(request)
    room = Path(tempfile.mkdtemp())
    try:
        whole = save(cut(model, None, request["nodes"]), request["nodes"], None, "roster", room / "whole")
        default = save(
            cut(model, None, request["defaults"]), request["defaults"], Pooling.MAX_2X2, "d", room / "default"
        )
        seconds = _prefix_seconds(whole, request["nodes"])
        started = [_fresh(request["builder"], default) for _ in range(2)]
        return {
            "seconds": seconds,
            "serialized": artifact_bytes(whole),
            "resident": max(s["resident"] for s in started),
            "start_seconds": min(s["start_seconds"] for s in started),
        }
    finally:
        shutil.rmtree(room)


def _prefix_seconds(whole: Path, nodes: list[str]) -> list[float]:
    """Per image, from the image to each node: the least CPU time of the repetitions, made non-decreasing."""
    import time

    import numpy as np

    from vista_nb.executor.cnn.artifact import load_each, read_meta

    meta = read_meta(whole)
    assert meta is not None
    batch = np.random.default_rng(0).normal(size=(BATCH, *meta.input_shape)).astype(np.float32)
    seconds: list[float] = []
    functions = load_each(whole, nodes)
    for node in nodes:
        infer = functions[node]
        infer(batch)
        best = float("inf")
        for _ in range(REPETITIONS):
            # CPU time, not the clock: other processes on the machine must not enter the roster
            start = time.process_time()
            infer(batch)
            best = min(best, (time.process_time() - start) / BATCH)
        seconds.append(max(best, seconds[-1] if seconds else 0.0))
    return seconds


def _fresh(builder: str, folder: Path) -> dict[str, Any]:
    import subprocess

    request = json.dumps({"what": "resident", "builder": builder, "folder": str(folder)})
    done = subprocess.run([sys.executable, __file__, request], stdout=subprocess.PIPE, text=True, check=True)
    line = [line for line in done.stdout.splitlines() if line.startswith(CHILD_PREFIX)][-1]
    return dict(json.loads(line.removeprefix(CHILD_PREFIX)))


def resident(request: dict[str, Any]) -> dict[str, Any]:
    """What a Spark worker does: load the artifact, a first batch of 1 (start-up ends here), then 32 images twice."""
    import re
    import time

    import numpy as np

    import vista_nb.executor.cnn.worker  # noqa: F401 - pyarrow, Pillow: a worker holds them too
    from vista_nb.executor.cnn.artifact import load, read_meta

    _one_thread()
    folder = Path(request["folder"])
    infer = load(folder)
    meta = read_meta(folder)
    assert meta is not None
    infer(np.zeros((1, *meta.input_shape), np.float32))
    ready = time.process_time()
    for _ in range(2):
        infer(np.zeros((32, *meta.input_shape), np.float32))
    # not ru_maxrss: that one begins with the parent's peak
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return {"resident": int(peak.group(1)) * 1024, "start_seconds": ready}


def _one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _model(request: dict[str, Any]) -> Any:
    from vista_nb.executor.cnn.build import build

    weights = "bundled" if request["builder"] == "bundled" else "random"
    return build(request["builder"], weights)[0]


if __name__ == "__main__":
    main()
