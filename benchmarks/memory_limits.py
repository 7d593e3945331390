"""Who finishes inside 2, 3, 4 and 6 GB: our plans, plans forced past admission, Spark's own defaults.

    python -m benchmarks.memory_limits [GB ...] [--only CASE] [--rows N]

ResNet50, top 5 layers, random weights, 2 000 photos, each case in a memory cgroup and a Python of its own, cold (an
empty cache folder). `pushed down` is what the optimizer chooses; `pulled up` is `plan: {pooling: pulled_up}`: raw
tensors are materialized, features still max 2x2. What does not fit must be refused before an engine starts. `forced`
is pulled-up eager planned for the whole host, as by a tool that does not read the cgroup's limit; `spark defaults` is
benchmarks/peers/lazy_spark_defaults.py: both show what the limits do to a run that does not know them. Prints a table
and writes memory_limits.csv beside this file, one row per case; returns 1 where an admitted plan did not finish.
DESIGN.md section 13, issue 5 must-show 4.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.memory_group import Ended, run_limited, why_not
from benchmarks.real_photos import shared
from vista_nb.optimizer.memory import OS_FLOOR

__all__ = ["CASES", "main", "run_case"]

ROWS = 2_000
LIMITS = (2, 3, 4, 6)  # GB
PLANS = {
    "pushed down": "{}",
    "pulled up": "{pooling: pulled_up}",
    "forced": "{materialization: eager, pooling: pulled_up, inference: after_join}",
}
DEFAULTS = "spark defaults"
CASES = (*PLANS, DEFAULTS)
MARK = "MEMORY_LIMITS "
RESULTS = Path(__file__).with_suffix(".csv")
_GB = 1_000_000_000
_SECONDS = 1_200


def photos(folder: Path, rows: int = ROWS) -> Path:
    """A parquet file: id, kids, label, photo (a path). Clothing photos where there are enough, else noise."""
    clothing = shared() / "clothing"
    if clothing.is_dir():
        frame = pd.read_csv(clothing / "clothing.csv", dtype={"id": str}).head(rows)
        if len(frame) == rows:
            paths = [str(clothing / "images" / f"{key}.jpg") for key in frame.id]
            table = pd.DataFrame({"id": frame.id, "kids": frame.kids, "label": frame.is_tshirt, "photo": paths})
            return _written(table, folder)
    from PIL import Image

    paths = [str(folder / f"{i}.jpg") for i in range(rows)]
    for i, path in enumerate(paths):
        Image.effect_noise((400, 534), 20 + i % 60).convert("RGB").save(path, quality=85)
    keys = [str(i) for i in range(rows)]
    table = pd.DataFrame({"id": keys, "kids": [i % 3 for i in range(rows)], "label": [i % 2 for i in range(rows)]})
    return _written(table.assign(photo=paths), folder)


def _written(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "table.parquet"
    table.to_parquet(path)
    return path


def spec(table: Path, case: str, cnn: str = "resnet50", layers: str = "top 5") -> str:
    return f"""
structured: {table}
images: photo
label: label
features: [kids]
cnn: {cnn}
weights: random
layers: {layers}
model: LogisticRegression(regParam=0.05)
plan: {PLANS[case]}
"""


def run_case(table: Path, case: str, cnn: str, layers: str, folder: Path) -> dict[str, Any]:
    """One cell, in this process (which is in the cgroup): what happened, and what was planned."""
    import vista_nb
    from vista_nb.errors import NoFeasiblePlan, VistaError

    if case == "forced":
        _blind()
    began = time.perf_counter()
    try:
        result = vista_nb.run(spec(table, case, cnn, layers), reuse="never", store_dir=folder / "store", ui="off")
    except NoFeasiblePlan as error:
        return {"outcome": "refused", "said": error.message, "smallest": error.smallest_memory}
    except VistaError as error:
        return {"outcome": "killed", "said": str(error), "seconds": round(time.perf_counter() - began, 1)}
    scores = [score for score in result.outcome.scores if not score.is_baseline]
    best = max(scores, key=lambda score: score.value)
    plan = result.plan
    return {
        "outcome": "finished",
        "said": "; ".join(note for note in result.outcome.notes if "tried again" in note),
        "plan": _plan_words(plan),
        "planned": {**dict(plan.memory.items()), "total": plan.memory.total},
        "share": plan.chosen.peak_bytes if plan.chosen else None,
        "measured": dict(result.outcome.peak_bytes),
        "best": best.layer,
        "accuracy": round(best.value, 4),
        "seconds": round(time.perf_counter() - began, 1),
    }


def _blind() -> None:
    """Plan as a tool that reads the host's memory and not the cgroup's: admission lets everything pass."""
    from vista_nb.executor import probe_machine

    def unlimited(root: Path = Path("/")) -> None:  # noqa: ARG001 (the same signature)
        return None

    probe_machine.cgroup_memory = unlimited


def _plan_words(plan: Any) -> str:
    logical, physical = plan.logical, plan.physical
    return (
        f"{logical.name}, {logical.pooling.value}, cpu {physical.cpu}, batch {physical.batch_size}, "
        f"np {physical.num_partitions}, {physical.persistence.value}, {physical.training.value}"
    )


def limited(limit: int, case: str, table: Path, cnn: str = "resnet50", layers: str = "top 5") -> dict[str, Any]:
    """The case in a cgroup of `limit` bytes, as one row of the table."""
    with tempfile.TemporaryDirectory(prefix="vista_nb-limits-") as folder:
        python = [sys.executable, "-m"]
        if case == DEFAULTS:
            command = [*python, "benchmarks.peers.lazy_spark_defaults", str(table)]
        else:
            command = [*python, "benchmarks.memory_limits", "--case", case, str(table), cnn, layers, folder]
        ended = run_limited(command, limit, env=_environment(Path(folder), case), timeout=_SECONDS)
    return _row(limit, case, ended)


def _environment(folder: Path, case: str) -> dict[str, str]:
    """Cold: caches and spills of its own; the numbers of the roster, not those of an earlier case."""
    from vista_nb.executor.java import java_home

    root = str(Path(__file__).resolve().parents[1])
    wanted = {
        "VISTA_NB_CACHE_DIR": str(folder / "cache"),
        "VISTA_NB_CALIBRATE": "never",
        "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH")))),
        "SPARK_LOCAL_DIRS": str(folder / "spill"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    if case == DEFAULTS:  # what its user would have set up before
        home = os.environ.get("JAVA_HOME") or str(java_home(folder / "java"))
        wanted |= {"JAVA_HOME": home, "PYSPARK_PYTHON": sys.executable, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**os.environ, **wanted}


def _row(limit: int, case: str, ended: Ended) -> dict[str, Any]:
    found = _answer(case, ended)
    planned, measured = found.get("planned", {}), found.get("measured", {})
    jvm = _jvm_share(planned, found.get("share"))
    return {
        "limit_gb": round(limit / _GB, 3),
        "case": case,
        "outcome": found["outcome"],
        "plan": found.get("plan", ""),
        "smallest_memory_gb": _gb(found.get("smallest")),
        "planned_gb": _gb(planned.get("total")),
        "planned_peak_gb": _gb(found.get("share")),
        "peak_cgroup_gb": _gb(ended.peak),
        "peak_resident_gb": _gb(ended.resident),
        "driver_gb": _gb(measured.get("driver")),
        "driver_planned_gb": _gb(planned.get("driver")),
        "workers_gb": _gb(measured.get("workers")),
        "workers_planned_gb": _gb(planned.get("dl_execution")),
        "jvm_gb": _gb(measured.get("jvm")),
        "jvm_share_gb": _gb(jvm),
        "driver_ratio": _ratio(measured.get("driver"), planned.get("driver")),
        "workers_ratio": _ratio(measured.get("workers"), planned.get("dl_execution")),
        "jvm_ratio": _ratio(measured.get("jvm"), jvm),
        "kills": ended.kills,
        "accuracy": found.get("accuracy", ""),
        "seconds": found.get("seconds", round(ended.seconds, 1)),
        "said": found.get("said", "")[:300],
    }


def _jvm_share(planned: dict[str, int], peak: int | None) -> int | None:
    """User, core and as much storage as live tables fill, and what a JVM holds outside its heap (of os_reserved)."""
    if not planned or peak is None:
        return None
    return peak - planned["driver"] - planned["dl_execution"] - planned["os_reserved"] + OS_FLOOR


def _ratio(measured: int | None, planned: int | None) -> float | str:
    return round(measured / planned, 3) if measured and planned else ""


def _answer(case: str, ended: Ended) -> dict[str, Any]:
    """What the child said, or how it went without a word."""
    lines = [line for line in ended.out.splitlines() if line.startswith(MARK if case != DEFAULTS else "{")]
    if lines:
        found = dict(json.loads(lines[-1].removeprefix(MARK)))
        if case == DEFAULTS:
            accuracy = max(found["accuracy"].values())
            return {"outcome": "finished", "accuracy": accuracy, "seconds": found["seconds"], "plan": "lazy, cpu all"}
        return found
    if ended.kills:
        return {"outcome": "killed", "said": _last_error(ended.err)}
    if ended.code is None:
        return {"outcome": "not finished", "said": f"ended after {_SECONDS} s"}
    return {"outcome": "failed", "said": _last_error(ended.err)}


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "Error" in line or "Exception" in line or "Killed" in line]
    return (lines[0] if lines else "no word")[:300]


def _gb(size: int | None) -> float | str:
    return "" if size is None else round(size / _GB, 3)


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Into the CSV, in place of older rows of the same limit and case."""
    machine = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "pyspark", "pyarrow")},
    }
    new = {(str(row["limit_gb"]), row["case"]) for row in rows}
    kept: list[dict[str, Any]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            kept = [row for row in csv.DictReader(file) if (row["limit_gb"], row["case"]) not in new]
    everything = [*kept, *({**row, **machine} for row in rows)]
    everything.sort(key=lambda row: (CASES.index(row["case"]), float(row["limit_gb"])))
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *machine], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(everything)


def show(row: dict[str, Any]) -> str:
    """One line; a second one with what the run or the refusal said."""
    line = (
        f"{row['limit_gb']:5} GB  {row['case']:15} {row['outcome']:10} planned {row['planned_gb']!s:6} "
        f"cgroup {row['peak_cgroup_gb']!s:6} resident {row['peak_resident_gb']!s:6} kills {row['kills']}  "
        f"accuracy {row['accuracy']!s:7} {row['seconds']} s  {row['plan']}"
    )
    return line + (f"\n          {row['said']}" if row["said"] else "")


def main(arguments: Sequence[str] = ()) -> int:
    """The table; 1 where a plan that was admitted did not finish."""
    parser = argparse.ArgumentParser(description="memory limits by cgroup")
    parser.add_argument("limits", nargs="*", type=float, default=LIMITS)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args(list(arguments))
    missing = why_not()
    if missing:
        print(f"not measured: {missing}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no cgroup and no process in it is left
    rows = []
    with tempfile.TemporaryDirectory(prefix="vista_nb-photos-") as folder:
        table = photos(Path(folder), given.rows)
        for case in (given.only,) if given.only else CASES:
            for limit in given.limits:
                rows.append(limited(int(limit * _GB), case, table))
                print(show(rows[-1]), flush=True)
                if given.rows == ROWS:
                    write(rows)
    return int(any(row["case"] in ("pushed down", "pulled up") and row["outcome"] == "killed" for row in rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        case, table, cnn, layers, folder = sys.argv[2:]
        print(MARK + json.dumps(run_case(Path(table), case, cnn, layers, Path(folder))), flush=True)
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
