"""Resident memory of Spark's inference workers against the plan's: within 15 %, and never above.

    python -m benchmarks.worker_memory [CNN ...]

Calibrates each CNN in throw-away processes, then runs a cell of 8 tasks at two batch sizes, each in a fresh Python
with a fresh JVM, so that every worker's high-water mark (VmHWM) is that run's own. Random weights. Prints a table,
writes worker_memory.csv beside this file; returns 1 where a worker held more than planned, or over 15 % less. Caches
below VISTA_NB_CACHE_DIR, or a temporary folder.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vista_nb
from benchmarks.speed import photos

__all__ = ["main"]

CNNS = ("resnet50", "vgg16", "alexnet", "mobilenetv2")
BATCHES = 8, 32
TASKS, BATCHES_A_TASK, WORKERS = 8, 2, 2
TOLERANCE = 0.15
RESULTS = Path(__file__).with_suffix(".csv")
MARK = "WORKER_MEMORY "


def spec(cnn: str, batch: int) -> str:
    return f"""
structured: $table
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: random
model: sklearn.LogisticRegression(C=0.1)
plan:
  materialization: eager
  pooling: pushed_down
  cpu: {WORKERS}
  num_partitions: {TASKS}
  batch_size: {batch}
  waves: 1
"""


def run_cell(cnn: str, batch: int) -> dict[str, Any]:
    """One cell in this process: bytes planned for a worker, and the most each worker held."""
    from vista_nb.executor.memory_sampler import worker_peaks

    peaks: dict[int, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            peaks.update(worker_peaks())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with tempfile.TemporaryDirectory() as folder:
        table = photos(Path(folder), TASKS * BATCHES_A_TASK * batch)
        result = vista_nb.run(
            spec(cnn, batch), namespace={"table": table}, reuse="never", store_dir=Path(folder) / "store"
        )
        peaks.update(worker_peaks())
    done.set()
    watcher.join()
    plan = result.plan
    # a worker that only joined or pooled has no TensorFlow and holds less than half of one that has
    inferring = [peak for peak in peaks.values() if peak > max(peaks.values()) / 2]
    return {
        "planned": plan.memory.dl_execution // plan.physical.cpu,
        "held": sorted(inferring),
        "images": result.outcome.inferred_images,
        "calibrated": any("measured on this machine" in note for note in plan.notes),
    }


def in_its_own_process(cnn: str, batch: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.worker_memory", "--cell", cnn, str(batch)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    line = [line for line in done.stdout.splitlines() if line.startswith(MARK)][-1]
    return dict(json.loads(line.removeprefix(MARK)))


def measured(cnn: str) -> list[dict[str, Any]]:
    """Calibrate once, then a cell per batch size; ratio: the fullest worker over the plan's."""
    from vista_nb import session

    session.calibrate([cnn], say=lambda line: print(f"  {line}", flush=True))
    rows = []
    for batch in BATCHES:
        cell = in_its_own_process(cnn, batch)
        low, high = cell["held"][0], cell["held"][-1]
        fits = low / cell["planned"] >= 1 - TOLERANCE and high <= cell["planned"] and cell["calibrated"]
        rows.append(
            {
                "cnn": cnn,
                "batch": batch,
                "planned": cell["planned"],
                "least": low,
                "most": high,
                "ratio": round(high / cell["planned"], 3),
                "workers": len(cell["held"]),
                "images": cell["images"],
                "fits": fits,
            }
        )
        print(show(rows[-1]), flush=True)
    return rows


def show(row: dict[str, Any]) -> str:
    mb = {name: f"{row[name] / 1e6:7.0f}" for name in ("planned", "least", "most")}
    return (
        f"{row['cnn']:14} batch {row['batch']:3}  planned {mb['planned']} MB   {row['workers']} workers held "
        f"{mb['least']} to {mb['most']} MB   {row['ratio']:.3f}  {'ok' if row['fits'] else 'MISSED'}"
    )


def write(rows: list[dict[str, Any]]) -> None:
    """Into the CSV, in place of older rows of the same CNNs."""
    machine = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "pyspark", "pyarrow")},
    }
    kept = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if row["cnn"] not in {new["cnn"] for new in rows}]
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *machine])
        writer.writeheader()
        writer.writerows([*kept, *({**row, **machine} for row in rows)])


def main(names: list[str] | None = None) -> int:
    """The table; 1 where a worker held more than planned, or more than 15 % less."""
    os.environ.setdefault("VISTA_NB_CACHE_DIR", tempfile.mkdtemp(prefix="vista_nb-memory-"))
    os.environ["VISTA_NB_CALIBRATE"] = "read"
    rows = [row for cnn in names or CNNS for row in measured(cnn)]
    write(rows)
    return int(not all(row["fits"] for row in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cell"]:
        print(MARK + json.dumps(run_cell(sys.argv[2], int(sys.argv[3]))), flush=True)
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
