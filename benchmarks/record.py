"""What the benchmarks share: rows of results, the table they print, the CSV with versions and machine, child processes.

Reads `Row`s, returns text; `write` puts them into benchmarks/results/NAME.csv, one form for all, which
`results_table` reads. May touch: those files, the processes it starts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = [
    "REPETITIONS",
    "RESULTS",
    "Row",
    "asked",
    "child",
    "ended",
    "inference_seconds",
    "machine",
    "measured",
    "memory_of",
    "report",
    "rows_asked",
]

RESULTS = Path(__file__).parent / "results"
REPETITIONS = 3
MARK = "BENCHMARK "


@dataclass(frozen=True)
class Row:
    """One number. value: the median of `runs`, or a ratio of medians. target: `>= 4.2`, or nothing where only reported.

    met: yes, no, or nothing. note: what one must know to read it. memory: measured / planned bytes of each process
    group of the last run (`memory_of`).
    """

    what: str
    value: float
    unit: str
    target: str = ""
    met: str = ""
    runs: str = ""
    note: str = ""
    memory: str = ""


def measured(what: str, runs: Sequence[float], unit: str = "s", note: str = "", memory: str = "") -> Row:
    """The median of some runs, and the runs."""
    told = " ".join(f"{run:.2f}" for run in runs)
    return Row(what, round(statistics.median(runs), 3), unit, runs=told, note=note, memory=memory)


def ended(what: str, value: float, unit: str, target: str = "", note: str = "") -> Row:
    """A number with a target `>= x` or `<= x`, judged."""
    met = ""
    if target:
        sign, bound = target.split()
        met = "yes" if (value >= float(bound) if sign == ">=" else value <= float(bound)) else "no"
    return Row(what, round(value, 3), unit, target, met, note=note)


def report(name: str, rows: Iterable[Row], *, write: bool = True) -> int:
    """Print the table row by row as it is measured; into the CSV where `write`. Returns 1 where a target was missed."""
    found: list[Row] = []
    for row in rows:
        print(_line(row), flush=True)
        found.append(row)
        if write:  # at once: what is measured is kept, whatever comes after
            _write(RESULTS / f"{name}.csv", found)
    return int(any(row.met == "no" for row in found))


def _line(row: Row) -> str:
    told = f"   target {row.target}  {'ok' if row.met == 'yes' else 'MISSED'}" if row.target else ""
    runs = f"   ({row.runs})" if row.runs else ""
    rest = [f"   {text}" for text in (row.note, row.memory and f"memory {row.memory}") if text]
    return f"{row.what:58} {row.value:9.2f} {row.unit:9}{told}{runs}{''.join(rest)}"


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    where = machine()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*(field.name for field in fields(Row)), *where], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**asdict(row), **where} for row in rows)


def machine() -> dict[str, str]:
    """Versions, processor, memory, day."""
    import vista_nb
    from vista_nb.executor.probe_machine import machine as probe

    found = probe()
    return {
        "vista_nb": vista_nb.__version__,
        **{name: version(name) for name in ("tensorflow", "keras", "pyspark", "scikit-learn")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {found.cores} cores {found.memory / 1e9:.0f} GB",
        "date": time.strftime("%Y-%m-%d"),
    }


def asked(name: str, argv: Sequence[str], *, full: str = "") -> argparse.Namespace:
    """The flags that every benchmark takes: `quick`, and `full` where there is more to measure than the default."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="fewer photos, one run each, nothing written")
    parser.add_argument("--full", action="store_true", help=full or "the same as without")
    return parser.parse_args(list(argv))


def rows_asked(usual: int, quick: int, given: argparse.Namespace) -> int:
    """Photos: VISTA_NB_BENCH_ROWS caps them, to try a benchmark out."""
    limit = int(os.environ.get("VISTA_NB_BENCH_ROWS", "0"))
    rows = quick if given.quick else usual
    return min(rows, limit) if limit else rows


def inference_seconds(result: Any) -> float:
    """All the CNN's steps of a run, decoding included."""
    timeline = result.timeline
    return float(timeline[timeline.step.str.startswith("CNN")].seconds.sum())


def memory_of(result: Any) -> str:
    """`driver 0.71, workers 0.92, jvm 0.64`: the most that processes held, by what the plan says they will.

    Storage as far as live tables fill it: the region itself is all that is left of the machine, and no need.
    """
    chosen = result.plan.chosen
    regions = chosen.peak if chosen is not None and chosen.peak is not None else result.memory.regions
    planned = {
        "driver": regions.driver,
        "workers": regions.dl_execution,
        "jvm": regions.user + regions.core + regions.storage,
    }
    return ", ".join(f"{name} {size / planned[name]:.2f}" for name, size in result.memory.peaks if planned[name])


def child(module: str, request: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run `python -m module REQUEST` with a JSON request; its answer, and `seconds` of the whole process."""
    command = [sys.executable, "-m", module, json.dumps(dict(request))]
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    seconds = time.perf_counter() - began
    answers = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not answers:
        raise RuntimeError(f"{module} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return {**json.loads(answers[-1].removeprefix(MARK)), "seconds": seconds}
