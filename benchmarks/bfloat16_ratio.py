"""Writes catalog/bfloat16.json: seconds per image in bfloat16 over float32, for every CNN of the roster.

Reads the roster, makes both artifacts of each CNN (default layers, max 2x2) in a process of its own and calls them by
turns; `bfloat16_ratio.py [NAME ...]` measures only those anew. May touch: TensorFlow (in the children), a temporary
folder, catalog/bfloat16.json. Random weights, but with batch norms that have something to add, as trained ones do:
else Grappler drops the additions, and nothing is left to fuse with them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vista_nb.catalog import precision
from vista_nb.catalog.roster import CNNFacts, load_roster

__all__ = ["machine_name", "main"]

FILE = Path(precision.__file__).with_name("bfloat16.json")
BATCH, ROUNDS = 16, 7
_CHILD = "--child"


def main(names: list[str] | None = None) -> int:
    """Measure and write; what is not measured anew keeps its number."""
    names = sys.argv[1:] if names is None else names
    known = {entry["cnn"]: entry for entry in json.loads(FILE.read_text())["cnns"]}
    for cnn in load_roster().cnns:
        if cnn.name in (names or [cnn.name]):
            known[cnn.name] = {"cnn": cnn.name, **_measured(cnn)}
            print(known[cnn.name], flush=True)
            _write([known[cnn.name] for cnn in load_roster().cnns if cnn.name in known])
    return 0


def machine_name() -> str:
    """The processor, for provenance."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))


def _write(entries: list[dict[str, Any]]) -> None:
    provenance = (
        f"benchmarks/bfloat16_ratio.py, {time.strftime('%Y-%m-%d')}: {machine_name()} with avx512_bf16, one thread, "
        f"batch {BATCH}, TensorFlow {version('tensorflow')}; seconds of bfloat16 / float32, medians of {ROUNDS} calls"
    )
    FILE.write_text(json.dumps({"provenance": provenance, "cnns": entries}, indent=1) + "\n", encoding="utf-8")


def _measured(cnn: CNNFacts) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bfloat16_ratio", _CHILD, cnn.name], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(name: str) -> dict[str, Any]:
    """The ratio of one CNN, and the images per second behind it."""
    import numpy as np
    import tensorflow as tf

    from vista_nb.executor.cnn.artifact import load, save
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.spec.model import Pooling, Precision

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cnn = load_roster().find(name)
    assert cnn is not None
    model, _ = build(cnn.builder, "bundled" if cnn.builder == "bundled" else "random")
    _with_something_to_add(model)
    layers = [layer for layer in (cnn.layer(name) for name in cnn.default_layers) if layer]
    part = cut(model, None, [layer.node for layer in layers])
    images = np.random.default_rng(0).normal(size=(BATCH, cnn.input_height, cnn.input_width, 3)).astype(np.float32)
    seconds = {}
    with tempfile.TemporaryDirectory() as room:
        names = [layer.name for layer in layers]
        infer = {
            each: load(save(part, ["image"], names, Pooling.MAX_2X2, each.value, Path(room) / each.value, each))
            for each in Precision
        }
        for function in infer.values():
            function(images)
        timed = [{each: _cpu_seconds(function, images) for each, function in infer.items()} for _ in range(ROUNDS)]
        seconds = {each: statistics.median(round_[each] for round_ in timed) for each in Precision}
    return {
        "ratio": round(seconds[Precision.BFLOAT16] / seconds[Precision.FLOAT32], 3),
        "float32": round(BATCH / seconds[Precision.FLOAT32], 1),
        "bfloat16": round(BATCH / seconds[Precision.BFLOAT16], 1),
    }


def _with_something_to_add(model: Any) -> None:
    import numpy as np

    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.1, weight.shape))


def _cpu_seconds(function: Any, images: Any) -> float:
    """CPU time: other processes of the machine must not enter."""
    start = time.process_time()
    function(images)
    return time.process_time() - start


if __name__ == "__main__":
    if _CHILD in sys.argv:
        print(json.dumps(_child(sys.argv[-1])))
    else:
        sys.exit(main())
