"""What the next photo costs: a run's seconds as the rows double, and as workers double.

    python -m benchmarks.scaling [--quick]

MobileNet, default layers, random weights, n = 250: whole runs on warm engines at 2n, 4n and 8n distinct photos; the
marginal cost (t(8n) - t(4n)) / (t(4n) - t(2n)) is 2 where a photo always costs the same. Then the inference stage at 4n
with 1 worker x 1 thread, 1 x 2 and 2 x 1. The sizes take turns. Prints a table, writes results/scaling.csv.
DESIGN.md section 13, issue 5 must-show 8.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import vista_nb
from benchmarks.record import REPETITIONS, Row, asked, ended, inference_seconds, measured, memory_of, report, rows_asked
from benchmarks.speed import photos

__all__ = ["main"]

N = 250
SPEC = """
structured: $table
images: photo
label: label
features: [kids]
cnn: mobilenet
weights: random
model: LogisticRegression(regParam=0.05)
"""
CORES = len(os.sched_getaffinity(0))


def run(extra: str, table: pd.DataFrame, store: Path) -> Any:
    result = vista_nb.run(SPEC + extra, namespace={"table": table}, reuse="never", store_dir=store)
    # photos of equal bytes are inferred once: the sizes would not be what they say
    assert result.outcome.inferred_images == len(table), result.outcome.inferred_images
    return result


def marginal(table: pd.DataFrame, n: int, store: Path, repetitions: int) -> list[Row]:
    """2n, 4n, 8n and the ratio of the steps between them."""
    seconds: dict[int, list[float]] = {times: [] for times in (2, 4, 8)}
    inference: dict[int, list[float]] = {times: [] for times in seconds}
    run("", table.head(2 * n), store)
    last = {}
    for _ in range(repetitions):
        for times, runs in seconds.items():
            result = run("", table.head(times * n), store)
            runs.append(result.outcome.seconds)
            inference[times].append(inference_seconds(result))
            last[times] = result
    t = {times: statistics.median(runs) for times, runs in seconds.items()}
    head = f"mobilenet, n = {n}"
    rows = [
        measured(
            f"{head}: t({times}n), {times * n} photos",
            runs,
            note=f"CNN {statistics.median(inference[times]):.1f} s, waves {last[times].plan.logical.waves}, "
            f"cpu {last[times].plan.physical.cpu}, batch {last[times].plan.physical.batch_size}",
            memory=memory_of(last[times]),
        )
        for times, runs in seconds.items()
    ]
    # noise above the cost of n photos would make any ratio, a negative one too
    ratio = (t[8] - t[4]) / (t[4] - t[2]) if t[8] > t[4] > t[2] else math.inf
    return [*rows, ended(f"{head}: (t(8n) - t(4n)) / (t(4n) - t(2n))", ratio, "x", "<= 2.1")]


def workers(table: pd.DataFrame, store: Path, repetitions: int) -> list[Row]:
    """Images per second of the inference stage."""
    ways = {"2 workers x 1 thread": "cpu: 2", "1 worker x 2 threads": "cpu: 1"}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repetitions + 1):
        for name, forced in ways.items():
            result = run(f"plan: {{{forced}, waves: 1}}\n", table, store)
            if turn:  # the first warms up
                rates[name].append(len(table) / inference_seconds(result))
    alone = [run("resources: {cores: 1}\nplan: {waves: 1}\n", table, store) for _ in range(repetitions + 1)][1:]
    rates["1 worker x 1 thread"] = [len(table) / inference_seconds(result) for result in alone]
    rows = [
        measured(f"mobilenet, {len(table)} photos, inference stage: {name}", found, "images/s")
        for name, found in rates.items()
    ]
    gain = statistics.median(rates["2 workers x 1 thread"]) / statistics.median(rates["1 worker x 1 thread"])
    return [*rows, ended(f"mobilenet, {len(table)} photos, inference stage: 2 workers / 1 worker", gain, "x")]


def measurements(given: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are measured."""
    repetitions = 1 if given.quick else REPETITIONS
    n = rows_asked(8 * N, 8 * 50, given) // 8
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = photos(folder, 8 * n)
        yield from marginal(table, n, folder / "store", repetitions)
        if CORES >= 2:
            yield from workers(table.head(4 * n), folder / "store", repetitions)


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where the target is missed."""
    given = asked("scaling", argv)
    return report("scaling", measurements(given), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
