"""Interim accuracies: what waves cost over one, and how soon each layer has its first accuracy.

    python -m benchmarks.interim [--quick]

ResNet50/5 and MobileNetV2/5, random weights, 1 000 photos, warm engines, whole runs: as many waves as the optimizer
chooses (judged: at most a tenth over one), three, and one, taking turns. First accuracies are read off the run's own
events (LayerScored). Prints a table, writes results/interim.csv.
DESIGN.md section 7.3, issue 5 must-show 10.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.record import REPETITIONS, Row, asked, ended, measured, memory_of, report, rows_asked
from benchmarks.speed import photos

__all__ = ["main"]

SPEC = """
structured: $table
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: random
model: LogisticRegression(regParam=0.05)
plan: {{{waves}}}
"""
CNNS = ("resnet50", "mobilenetv2")
ROWS, WARM_UP = 1_000, 64
CHOSEN, ONE = "waves as chosen", "one wave"
WAVES = {CHOSEN: "", "three waves": "waves: 3", ONE: "waves: 1"}
MOST = 1.10


@dataclass(frozen=True)
class Timed:
    """Seconds of a run, and by layer until its first accuracy and until its final one."""

    seconds: float
    first: dict[str, float]
    final: dict[str, float]
    waves: int
    memory: str


def scored(cnn: str, waves: str, table: pd.DataFrame, store: Path) -> Timed:
    """One run, its events read at its end."""
    from vista_nb import session
    from vista_nb.outcome.events import LayerScored

    result = session.submit(
        SPEC.format(cnn=cnn, waves=waves), namespace={"table": table}, reuse="never", store_dir=store
    )
    result.wait()
    if result.error is not None:
        raise result.error
    first: dict[str, float] = {}
    final: dict[str, float] = {}
    for event in result.poll():
        if isinstance(event, LayerScored) and event.score is not None:
            first.setdefault(event.score.layer, event.at)
            if event.final:
                final[event.score.layer] = event.at
    layers = result.plan.layers
    first, final = ({name: found[name] for name in layers} for found in (first, final))
    return Timed(result.outcome.seconds, first, final, result.plan.logical.waves, memory_of(result))


def compare(cnn: str, table: pd.DataFrame, store: Path, repetitions: int) -> list[Row]:
    """All, taking turns."""
    for waves in WAVES.values():
        scored(cnn, waves, table.head(WARM_UP), store)
    found: dict[str, list[Timed]] = {name: [] for name in WAVES}
    for _ in range(repetitions):
        for name, runs in found.items():
            runs.append(scored(cnn, WAVES[name], table, store))
    seconds = {name: [run.seconds for run in runs] for name, runs in found.items()}
    head = f"{cnn}, {len(table)} photos"
    rows = [
        measured(f"{head}: whole run, {name}", runs, note=f"{found[name][-1].waves}", memory=found[name][-1].memory)
        for name, runs in seconds.items()
    ]
    for name in WAVES:
        if name != ONE:
            over = statistics.median(seconds[name]) / statistics.median(seconds[ONE])
            rows.append(ended(f"{head}: {name} / {ONE}", over, "x", f"<= {MOST}" if name == CHOSEN else ""))
    for layer in found[ONE][0].first:
        for name, runs in found.items():
            note = "" if name == ONE else f"final after {statistics.median(run.final[layer] for run in runs):.1f} s"
            first = [run.first[layer] for run in runs]
            rows.append(measured(f"{head}: first accuracy of {layer}, {name}", first, note=note))
    return rows


def measurements(given: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = photos(folder, rows_asked(ROWS, 250, given))
        for cnn in CNNS[1:] if given.quick else CNNS:
            yield from compare(cnn, table, folder / "store", 1 if given.quick else REPETITIONS)


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where the target is missed."""
    given = asked("interim", argv)
    return report("interim", measurements(given), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
