"""bfloat16 against float32 on this machine: images per second, and the change of every layer's accuracy, paired.

Reads the clothing photos (../shared/data, VISTA_NB_SHARED; generated photos without them, and then no accuracies);
prints one table and writes it to bfloat16.csv. Speed: MobileNetV2 and ResNet50, default layers,
two processes of one thread, inside Spark (the inference stage of a whole run, `reuse="never"`) and as a bare loop on
the same artifact. Accuracy: MobileNetV2 with real weights on all 2 400 rows, both precisions scored on the same rows.
"""

from __future__ import annotations

import csv
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import vista_nb
from benchmarks.bfloat16_ratio import machine_name
from benchmarks.real_photos import LAYERS, clothing_spec, shared
from benchmarks.speed import BATCH, WORKERS, bare, photos

__all__ = ["main"]

RESULTS = Path(__file__).with_suffix(".csv")
HEAD = ("what", "cnn", "layer", "float32", "bfloat16", "change", "low", "high", "p")
PRECISIONS = ("float32", "bfloat16")
CNNS = ("mobilenetv2", "resnet50")
ROWS = 320
_SPEED = """
structured: $table
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: random
precision: {precision}
model: LogisticRegression(regParam=0.05)
plan: {{materialization: eager, pooling: pushed_down, cpu: {workers}, batch_size: {batch}, waves: 1}}
"""


def main(parts: Sequence[str] = ()) -> int:
    """Measure `parts` (mobilenetv2, resnet50, accuracy; default: all), keep the other lines of the CSV, print it all.

    Returns 1 where bfloat16 is slower than float32 inside Spark.
    """
    lines = {line[:3]: line for line in _written()}
    for part in parts or (*CNNS, "accuracy"):
        found = _accuracies() if part == "accuracy" else _speeds(part)
        lines |= {line[:3]: line for line in found}
    machine = ("machine", machine_name(), f"tensorflow {version('tensorflow')}", time.strftime("%Y-%m-%d"))
    _write(sorted((line for line in lines.values() if line[0] != "machine"), key=_place), machine)
    for line in (HEAD, *_written()):
        print("{:9} {:12} {:22} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}".format(*line, *[""] * (9 - len(line))))
    return int(any(line[0] == "spark" and float(line[5]) < 1 for line in _written()))


def _place(line: tuple[str, ...]) -> tuple[int, int, int]:
    order = ("bare", "spark", "accuracy", "drift")
    return order.index(line[0]), CNNS.index(line[1]), LAYERS.index(line[2]) if line[2] else 0


def _written() -> list[tuple[str, ...]]:
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return [tuple(line) for line in csv.reader(file)][1:]


def _write(lines: Sequence[tuple[str, ...]], machine: tuple[str, ...]) -> None:
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEAD, *lines, machine])


def _speeds(cnn: str) -> list[tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        return _speed(cnn, Path(folder))


def _speed(cnn: str, folder: Path) -> list[tuple[str, ...]]:
    """Images per second, medians of three warm passes; change is bfloat16 over float32."""
    from vista_nb.session import jvm

    table = photos(folder).head(ROWS)
    spark, loops = [], []
    for precision in PRECISIONS:
        rates, plan = _inside_spark(cnn, precision, table, folder / f"store-{cnn}-{precision}")
        spark.append(statistics.median(rates[1:]))
    jvm.stop()
    for precision in PRECISIONS:
        loops.append(statistics.median(_bare(cnn, precision, table, plan.layers)))
    return [
        (what, cnn, "", f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{rates[1] / rates[0]:.2f}", "", "", "")
        for what, rates in (("bare", loops), ("spark", spark))
    ]


def _inside_spark(cnn: str, precision: str, table: Any, store: Path) -> tuple[list[float], Any]:
    """Images per second of the inference stage: a cold run, then three warm ones; and the plan."""
    spec = _SPEED.format(cnn=cnn, precision=precision, workers=WORKERS, batch=BATCH)
    rates = []
    for _ in range(4):
        result = vista_nb.run(spec, namespace={"table": table}, reuse="never", store_dir=store)
        timeline = result.timeline
        rates.append(len(table) / timeline[timeline.step.str.startswith("CNN")].iloc[0].seconds)
    return rates, result.plan


def _bare(name: str, precision: str, table: Any, layers: Sequence[str]) -> list[float]:
    from vista_nb.catalog.roster import load_roster
    from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
    from vista_nb.session.folders import cache_root
    from vista_nb.spec.model import Pooling

    cnn = load_roster().find(name)
    assert cnn is not None
    source = resolve_model(cnn, "random", 0, cache_root())
    artifact = prepare_artifact(source, cnn, None, layers, Pooling.MAX_2X2, precision, cache_root())
    return bare(artifact, table, (cnn.input_height, cnn.input_width), cnn.preprocessing)


def _accuracies() -> list[tuple[str, ...]]:
    """Per layer: both accuracies, their paired difference with a 95 % interval, McNemar's p; then the drift."""
    from vista_nb.outcome.intervals import mcnemar_exact

    if not shared().is_dir():
        return []
    with tempfile.TemporaryDirectory() as store:
        runs = [
            vista_nb.run(clothing_spec() + f"precision: {precision}\n", store_dir=Path(store))
            for precision in PRECISIONS
        ]
        lines = []
        for layer in LAYERS:
            right = [_right(run, layer) for run in runs]
            change, low, high = paired_interval(*right)
            p = mcnemar_exact(int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0])))
            values = (*(f"{hits.mean():.4f}" for hits in right), f"{change:+.4f}", f"{low:+.4f}", f"{high:+.4f}")
            lines.append(("accuracy", "mobilenetv2", layer, *values, f"{p:.3f}"))
        drifts = [("drift", "mobilenetv2", layer, "", _drift(runs, layer), "", "", "", "") for layer in LAYERS]
    return [*lines, *drifts]


def _right(result: Any, layer: str) -> Any:
    """Whether each held-out row was told right, by row."""
    fit = result._handle._engine().fit(layer)
    return np.asarray(fit.truth) == np.asarray(fit.predictions)


def paired_interval(before: Any, after: Any) -> tuple[float, float, float]:
    """Change of the share that is right, with its 95 % interval over the rows (both models judged on each)."""
    change = after.astype(float) - before.astype(float)
    half = 1.96 * float(change.std(ddof=1)) / math.sqrt(len(change))
    return float(change.mean()), float(change.mean()) - half, float(change.mean()) + half


def _drift(runs: Sequence[Any], layer: str) -> str:
    """Median over photos of |bfloat16 - float32| / |float32|, norms of the pooled vectors."""
    one, two = (run.features(layer).to_numpy() for run in runs)
    return f"{float(np.median(np.linalg.norm(two - one, axis=1) / np.linalg.norm(one, axis=1))):.4f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
