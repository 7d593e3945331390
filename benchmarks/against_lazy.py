"""The chosen plan against forced lazy, and against what else one could do in Spark, on one warm JVM.

    python -m benchmarks.against_lazy [--quick | --full]

1. The inference stage, decoding included: ResNet50/5, AlexNet/4, VGG16/3, random weights. Lazy gets our pushed-down
   pooling, our artifacts, our batch and cpu; both run in one wave. A ratio above |L| would mean a wrong baseline. The
   ceiling is what the layers' FLOPs allow: the sum over the layers' passes by the highest one's.
2. Pre-mat (the paper's section 5: the lowest layer stored raw, then lazy from it) on our engine, and Spark's
   `predict_batch_udf` layer at a time (benchmarks/peers/predict_batch_udf.py), ResNet50/5.
3. End to end with training, ResNet50/5, 2 000 photos: the plan as it is chosen, waves included; where the rest goes.

The sides take turns; one unmeasured warm-up each; nothing comes from the store. Our workers keep no more weights than
one whole CNN has, so lazy, whose passes are a graph each, would load one in every pass: here workers keep all graphs,
and their memory is not what the plan counts (no column here).
Prints a table, writes results/against_lazy.csv. DESIGN.md section 13, issue 5 must-show 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

import vista_nb
from benchmarks.record import (
    REPETITIONS,
    Row,
    asked,
    child,
    ended,
    inference_seconds,
    measured,
    report,
    rows_asked,
)
from benchmarks.speed import photos

__all__ = ["main"]

SPEC = """
structured: $table
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: random
layers: top {top}
model: LogisticRegression(regParam=0.05)
"""
CHOSEN, LAZY = "chosen", "lazy"
FORCED_LAZY = "materialization: lazy, pooling: pushed_down"
# Pre-mat: the first spec makes the raw tensors of the lowest layer, the second infers each layer from them
PREMAT_MAKE = "materialization: lazy, pooling: pushed_down, materialize: {lowest}"
PREMAT = f"{PREMAT_MAKE} (raw tensors made in the same run)"
WARM_UP = 64


@dataclass(frozen=True)
class Net:
    """One CNN of the comparison: its top layers, photos, and what the ratio must reach."""

    cnn: str
    top: int
    photos: int
    quick: int
    target: float

    @property
    def spec(self) -> str:
        return SPEC.format(cnn=self.cnn, top=self.top)


NETS = (Net("resnet50", 5, 300, 96, 4.2), Net("alexnet", 4, 1_500, 192, 3.5), Net("vgg16", 3, 120, 64, 2.7))
RESNET, END_TO_END = NETS[0], 2_000


class Bench:
    """The table and a store that is never read."""

    def __init__(self, folder: Path, table: pd.DataFrame) -> None:
        self.table, self.store = table, folder / "store"

    def run(self, spec: str, forced: str, rows: int) -> Any:
        text = spec + (f"plan: {{{forced}}}\n" if forced else "")
        return vista_nb.run(text, namespace={"table": self.table.head(rows)}, reuse="never", store_dir=self.store)


@contextmanager
def every_graph_kept() -> Iterator[None]:
    """Lazy warm: a worker that has loaded a pass' graph still holds it in the next run."""
    from vista_nb.executor.spark_backend import SparkBackend

    task_of = SparkBackend._task

    def keeping(self: SparkBackend, step: Any, artifact: str) -> Any:
        return replace(task_of(self, step, artifact), model_bytes=10 * self.workload.cnn.serialized)

    with mock.patch.object(SparkBackend, "_task", keeping):
        yield


def ceiling(net: Net) -> float:
    """What lazy's FLOPs are to ours: every layer's own pass by the highest one's."""
    from vista_nb.catalog.roster import load_roster

    cnn = load_roster().find(net.cnn)
    assert cnn is not None
    flops = [layer.flops for layer in cnn.counted[-net.top :]]
    return sum(flops) / max(flops)


def same_as(result: Any, forced: str) -> str:
    """A forced plan with the chosen one's cpu and batch, in one wave."""
    physical = result.plan.physical
    return f"{forced}, cpu: {physical.cpu}, batch_size: {physical.batch_size}, waves: 1"


def taking_turns(sides: Mapping[str, Callable[[], Any]], repetitions: Mapping[str, int]) -> dict[str, list[Any]]:
    """Results by side; in each turn every side that still has one to make."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    for turn in range(max(repetitions.values())):
        for name, run in sides.items():
            if turn < repetitions[name]:
                found[name].append(run())
    return found


def stage(bench: Bench, net: Net, given: argparse.Namespace) -> list[Row]:
    """The inference stage of both, warm."""
    rows = rows_asked(net.photos, net.quick, given)
    first = bench.run(net.spec, "waves: 1", min(WARM_UP, rows))
    lazy = same_as(first, FORCED_LAZY)
    bench.run(net.spec, lazy, min(WARM_UP, rows))
    times = 1 if given.quick else REPETITIONS
    # the lazy side gets the very cpu and batch that the chosen plan has at this size
    probe = vista_nb.explain(
        net.spec + "plan: {waves: 1}\n", namespace={"table": bench.table.head(rows)}, reuse="never"
    )
    lazy = same_as(argparse.Namespace(plan=probe), FORCED_LAZY)
    sides = {
        CHOSEN: lambda: bench.run(net.spec, "waves: 1", rows),
        LAZY: lambda: bench.run(net.spec, lazy, rows),
    }
    found = taking_turns(sides, dict.fromkeys(sides, times))
    seconds = {name: [inference_seconds(result) for result in results] for name, results in found.items()}
    plan = found[CHOSEN][-1].plan
    head = f"{net.cnn}/{net.top}, {rows} photos, inference stage"
    how = f"{plan.logical.name}, cpu {plan.physical.cpu}, batch {plan.physical.batch_size}"
    ratio = statistics.median(seconds[LAZY]) / statistics.median(seconds[CHOSEN])
    most = ceiling(net)
    return [
        measured(f"{head}: {CHOSEN}", seconds[CHOSEN], note=how),
        measured(f"{head}: {LAZY}", seconds[LAZY], note=lazy),
        ended(
            f"{head}: {LAZY} / {CHOSEN}",
            ratio,
            "x",
            f">= {net.target}",
            f"FLOP ceiling {most:.2f}: {ratio / most:.0%} of it; {_same_scores(found)}",
        ),
        ended(f"{head}: {LAZY} / {CHOSEN} not above |L|", ratio, "x", f"<= {net.top}"),
    ]


def _same_scores(found: Mapping[str, Sequence[Any]]) -> str:
    """All plans give the same answers, or the comparison is of different things."""
    tables = [results[-1].accuracy.set_index("layer").value for results in found.values()]
    furthest = max(float((table - tables[0]).abs().max()) for table in tables)
    return f"accuracies differ by {furthest:.3f} at most"


def other_ways(bench: Bench, folder: Path, given: argparse.Namespace) -> list[Row]:
    """Pre-mat on our engine and `predict_batch_udf` in a Spark of its own, beside ours, ResNet50/5."""
    rows = rows_asked(RESNET.photos, RESNET.quick, given)
    ours = [
        inference_seconds(bench.run(RESNET.spec, "waves: 1", rows)) for _ in range(1 if given.quick else REPETITIONS)
    ]
    median = statistics.median(ours)
    head = f"resnet50/5, {rows} photos"
    found = [measured(f"{head}, inference stage beside the peers: {CHOSEN}", ours)]
    found += _premat(bench, rows, median, head)
    table = folder / "peer.csv"
    bench.table.head(rows).to_csv(table, index=False)
    peer = child("benchmarks.peers.predict_batch_udf", {"table": str(table), "passes": 2 if given.quick else 4})
    udf = peer["passes"][1:]
    found.append(
        measured(f"{head}: predict_batch_udf, a layer at a time, warm", udf, note=f"cold {peer['passes'][0]:.1f}")
    )
    found.append(ended(f"{head}: predict_batch_udf / {CHOSEN}", statistics.median(udf) / median, "x"))
    return found


def _premat(bench: Bench, rows: int, ours: float, head: str) -> list[Row]:
    """Pre-mat as the paper counts it: making the raw tensors is part of it; and without."""
    from vista_nb.errors import VistaError

    planned = vista_nb.explain(RESNET.spec, namespace={"table": bench.table.head(rows)}, reuse="never")
    forced = same_as(argparse.Namespace(plan=planned), PREMAT_MAKE.format(lowest=planned.layers[0]))
    try:
        bench.run(RESNET.spec, forced, min(WARM_UP, rows))
        results = [bench.run(RESNET.spec, forced, rows) for _ in range(2)]
    except VistaError as error:
        print(f"Pre-mat not measured: {error}", flush=True)
        return []
    whole = [_raw_and_inference(result) for result in results]
    making = statistics.median(
        sum(second for step, second in _steps(result) if _makes_raw(step, planned.layers[0])) for result in results
    )
    median = statistics.median(whole)
    return [
        measured(
            f"{head}: pre-materialized {planned.layers[0]}, then lazy", whole, note=f"making and saving {making:.1f}"
        ),
        ended(f"{head}: Pre-mat / {CHOSEN}", median / ours, "x"),
        ended(f"{head}: Pre-mat without making the layer / {CHOSEN}", (median - making) / ours, "x"),
    ]


def _steps(result: Any) -> list[tuple[str, float]]:
    return [(row.step, row.seconds) for row in result.timeline.itertuples()]


def _makes_raw(step: str, lowest: str) -> bool:
    return step.startswith("Save raw") or step == f"CNN: image to {lowest}"


def _raw_and_inference(result: Any) -> float:
    return sum(seconds for step, seconds in _steps(result) if step.startswith(("CNN", "Save raw", "Load raw")))


def end_to_end(bench: Bench, given: argparse.Namespace) -> list[Row]:
    """Warm engines, whole runs."""
    rows = rows_asked(END_TO_END, RESNET.quick, given)
    probe = vista_nb.explain(RESNET.spec, namespace={"table": bench.table.head(rows)}, reuse="never")
    lazy = same_as(argparse.Namespace(plan=probe), FORCED_LAZY)
    for forced in ("", lazy):
        bench.run(RESNET.spec, forced, min(WARM_UP, rows))
    times = {CHOSEN: 1 if given.quick else REPETITIONS, LAZY: REPETITIONS if given.full else 1}
    found = taking_turns(
        {CHOSEN: lambda: bench.run(RESNET.spec, "", rows), LAZY: lambda: bench.run(RESNET.spec, lazy, rows)}, times
    )
    seconds = {name: [result.outcome.seconds for result in results] for name, results in found.items()}
    head = f"resnet50/5, {rows} photos, end to end"
    told = [measured(f"{head}: {name}", seconds[name], note=f"runs: {len(results)}") for name, results in found.items()]
    ratio = statistics.median(seconds[LAZY]) / statistics.median(seconds[CHOSEN])
    told.append(ended(f"{head}: {LAZY} / {CHOSEN}", ratio, "x", ">= 3", _same_scores(found)))
    return [*told, *(row for name, results in found.items() for row in where_it_goes(head, name, results))]


def where_it_goes(head: str, name: str, results: Sequence[Any]) -> list[Row]:
    """Seconds by kind of step, of the run with the median seconds."""
    middle = sorted(results, key=lambda result: result.outcome.seconds)[len(results) // 2]
    parts: dict[str, float] = {}
    for step, seconds in _steps(middle):
        parts[_kind(step)] = parts.get(_kind(step), 0.0) + seconds
    parts["between the steps"] = middle.outcome.seconds - sum(parts.values())
    return [ended(f"{head}: {name}: {part}", seconds, "s") for part, seconds in parts.items() if seconds >= 0.01]


def _kind(step: str) -> str:
    """`CNN: image to conv4_6` and its like are one part."""
    if step.startswith("Train on the table"):
        return "Train on the table alone"
    return step.split(":")[0].split(" ")[0] if step.startswith(("CNN", "Train", "Save", "Release")) else step


def measurements(given: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are measured."""
    os.environ["VISTA_NB_CALIBRATE"] = "read"  # what workers hold here is not what they hold at a user's
    with tempfile.TemporaryDirectory() as name, every_graph_kept():
        folder = Path(name)
        bench = Bench(folder, photos(folder, rows_asked(END_TO_END, RESNET.quick * 2, given)))
        for net in NETS:
            yield from stage(bench, net, given)
        yield from other_ways(bench, folder, given)
        yield from end_to_end(bench, given)


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a target is missed."""
    given = asked("against_lazy", argv, full="lazy end to end three times, not once")
    return report("against_lazy", measurements(given), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
