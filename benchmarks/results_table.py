"""All results as one Markdown page: what, target, measured, met; then every number of every benchmark.

    python -m benchmarks.results_table

Reads benchmarks/results/*.csv (and the tables of optimizer_clock and memory_limits, which have columns of their own),
writes benchmarks/results/README.md. May touch: that file. Nothing is measured here.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.record import RESULTS

__all__ = ["main", "page"]

ORDER = ("against_lazy", "cold", "speed", "second_cell", "start", "scaling", "interim")
HEAD = """# Results

Written by `python -m benchmarks.results_table` from the CSVs beside this file, which `./run bench --full` writes.
Medians of the runs that the column shows (three, or one where time was short). The two sides of a ratio took turns.
Random weights: run times do not depend on weight values, accuracies say nothing here.
"""
Line = Mapping[str, str]


def read(path: Path) -> list[Line]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page(folder: Path = RESULTS) -> str:
    """The Markdown text."""
    tables = {name: read(folder / f"{name}.csv") for name in ORDER}
    others = {path.stem: read(path) for path in sorted(folder.glob("*.csv")) if path.stem not in ORDER}
    tables |= {name: lines for name, lines in others.items() if lines and {"what", "value", "target"} <= set(lines[0])}
    lines = [HEAD, "| what | target | measured | met | benchmark |", "| --- | --- | --- | --- | --- |"]
    lines += [_target(line, name) for name, found in tables.items() for line in found if line["target"]]
    lines += _memory([line for found in tables.values() for line in found])
    lines += _clock(others.get("optimizer_clock", []))
    limits = others.get("memory_limits") or read(folder.parent / "memory_limits.csv")
    for name, found in tables.items():
        if found:
            lines += _whole(name, found)
    if limits:
        lines += _as_it_is("memory_limits", limits)
    if others.get("optimizer_clock"):
        lines += _as_it_is("optimizer_clock", others["optimizer_clock"])
    return "\n".join(lines) + "\n"


def _target(line: Line, name: str) -> str:
    return _row((_text(line["what"]), line["target"], f"{_number(line['value'])} {line['unit']}", line["met"], name))


def _memory(lines: Sequence[Line]) -> Iterator[str]:
    """Must-show 5: measured / planned by region, over all rows that tell it."""
    found: dict[str, list[float]] = {}
    for line in lines:
        for part in filter(None, line.get("memory", "").split(", ")):
            name, share = part.split()
            found.setdefault(name, []).append(float(share))
    for name, shares in found.items():
        met = "yes" if min(shares) >= 0.6 and max(shares) <= 1.0 else "no"
        told = f"{min(shares):.2f} to {max(shares):.2f}, median {statistics.median(shares):.2f}, {len(shares)} rows"
        yield _row((f"measured / planned memory, {name}", "0.6 to 1.0", told, met, "all below"))


def _clock(lines: Sequence[Line]) -> Iterator[str]:
    """Must-show 9 in two lines."""
    if not lines:
        return
    gaps: dict[str, float] = {}
    for line in lines:
        gaps[line["workload"]] = max(gaps.get(line["workload"], 0.0), float(line["of_best"]))
    chosen = [line for line in lines if line["plan"] == "chosen" and gaps[line["workload"]] >= 1.5]
    near = sum(float(line["of_best"]) <= 1.10 for line in chosen)
    error = statistics.median(abs(float(line["error"])) for line in lines)
    best, close = "yes" if near >= len(chosen) - 1 else "no", "yes" if error <= 0.25 else "no"
    yield (
        f"| chosen plan the measured best or within 10 % of it | all but one | {near} of {len(chosen)} workloads "
        f"| {best} | optimizer_clock |"
    )
    found = f"{error:.0%} of {len(lines)} plans"
    yield _row(("median absolute prediction error", "<= 25 %", found, close, "optimizer_clock"))


def _whole(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """Every number of one benchmark."""
    yield f"\n## {name}\n\n{_where(lines)}\n"
    yield "| what | measured | runs | note | measured / planned memory |"
    yield "| --- | --- | --- | --- | --- |"
    for line in lines:
        value = f"{_number(line['value'])} {line['unit']}"
        yield _row((_text(line["what"]), value, line["runs"], _text(line["note"]), line.get("memory", "")))


_WHERE = ("date", "machine", "python", "tensorflow", "keras", "pyspark", "pyarrow", "scikit-learn", "vista_nb")


def _where(lines: Sequence[Line]) -> str:
    found = [f"{name} {lines[-1][name]}" for name in _WHERE if lines[-1].get(name)]
    return ", ".join(found).replace("date ", "", 1).replace("machine ", "", 1) + "."


def _as_it_is(name: str, lines: Sequence[Line]) -> Iterator[str]:
    """A table with columns of its own."""
    columns = [column for column in lines[0] if column not in _WHERE]
    yield f"\n## {name}\n\n{_where(lines)}\n"
    yield _row(columns)
    yield _row("---" for _ in columns)
    for line in lines:
        yield _row(_text(line[column]) for column in columns)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: str) -> str:
    return value.replace("|L|", "\\|L\\|").replace("\n", " ")


def _number(value: str) -> str:
    return f"{float(value):.2f}"


def main(argv: Sequence[str] = ()) -> int:  # noqa: ARG001
    """Writes the page."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "README.md"
    path.write_text(page(), encoding="utf-8")
    print(f"{path} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
