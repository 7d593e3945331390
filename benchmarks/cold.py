"""Cold: a fresh Python, the engines' start, decoding, inference, training, against the notebooks written by hand.

    python -m benchmarks.cold [--quick | --full]

ResNet50, top 5 layers, random weights, 1 000 and 2 000 photos, float32 and bfloat16, scikit-learn's logistic
regression on table + layer. Three programs, each a process of its own, interpreter included: one vista_nb cell
(artifact and model digest cached, as on any second day; store empty), benchmarks/peers/keras_predict.py (Keras
`predict`) and benchmarks/peers/tf_function.py. They take turns, so that noise of the machine meets all. Each peer's
ways (mixed precision or not, frozen or not) are tried once at the smaller size, told, and the faster one is taken.
1 000 photos are reported, from one run each without --full; 2 000 are judged, from three.
Prints a table, writes results/cold.csv. DESIGN.md section 13, issue 5 must-show 2.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import REPETITIONS, Row, asked, child, ended, measured, report, rows_asked
from benchmarks.speed import photos

__all__ = ["main"]

SPEC = """
structured: {table}
images: photo
label: label
features: [kids]
cnn: resnet50
weights: random
layers: top 5
model: sklearn.LogisticRegression(C=0.1)
precision: {precision}
"""
OURS, PREDICT, FUNCTION = "vista_nb", "Keras predict + scikit-learn", "tf.function + scikit-learn"
PEERS = {PREDICT: "benchmarks.peers.keras_predict", FUNCTION: "benchmarks.peers.tf_function"}
FASTER_BY = {"float32": ">= 1", "bfloat16": ">= 1.5"}
JUDGED = 2_000
Request = Mapping[str, Any]
FLOAT32: dict[str, Request] = {"float32": {"precision": "float32"}}
# (peer, precision) -> its ways; with bfloat16 on the machine, by hand one may still be faster in float32
WAYS: dict[tuple[str, str], dict[str, Request]] = {
    (PREDICT, "float32"): FLOAT32,
    (PREDICT, "bfloat16"): {**FLOAT32, "mixed_bfloat16": {"precision": "bfloat16"}},
    (FUNCTION, "float32"): {
        "float32": {"precision": "float32", "freeze": False},
        "float32, frozen": {"precision": "float32", "freeze": True},
    },
    (FUNCTION, "bfloat16"): {
        "bfloat16 by graph rewrite": {"precision": "bfloat16", "freeze": False},
        "bfloat16 by graph rewrite, frozen": {"precision": "bfloat16", "freeze": True},
    },
}


class Bench:
    """The tables by size, the folders, and where the caches are."""

    def __init__(self, folder: Path, sizes: Sequence[int]) -> None:
        from vista_nb.plan.fingerprint import SPLIT_SALT, row_fraction

        self.folder = folder
        self.stores = 0
        whole = photos(folder, max(sizes))
        whole["held_out"] = [int(row_fraction(SPLIT_SALT, 0, str(key)) < 0.2) for key in whole.id]
        for size in sizes:
            whole.head(size).to_csv(self.table(size), index=False)

    def table(self, size: int) -> Path:
        return self.folder / f"table-{size}.csv"

    def ours(self, size: int, precision: str, cache: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.stores += 1
        store = self.folder / f"store-{self.stores}"
        spec = SPEC.format(table=self.table(size), precision=precision)
        return child("benchmarks.peers.vista_cell", {"spec": spec, "store": str(store)}, cache)

    def peer(self, name: str, size: int, request: Request) -> dict[str, Any]:
        return child(PEERS[name], {"table": str(self.table(size)), **request})


def _first_time(bench: Bench, size: int) -> list[Row]:
    """The very first cell on a machine: nothing cached."""
    with tempfile.TemporaryDirectory() as cache:
        found = bench.ours(size, "float32", {"VISTA_NB_CACHE_DIR": cache})
    return [
        measured(
            f"{size} photos, float32: {OURS}, the very first cell",
            [found["seconds"]],
            note="empty cache",
            memory=found["memory"],
        )
    ]


def _best_by_hand(bench: Bench, size: int) -> tuple[dict[tuple[str, str], Request], list[Row]]:
    """Each peer's ways for each precision, tried once; the faster one is taken."""
    rows: list[Row] = []
    best: dict[tuple[str, str], Request] = {}
    seconds: dict[str, float] = {}
    for (name, precision), ways in WAYS.items():
        found = {}
        for way, request in ways.items():
            what = f"{size} photos: {name}, {way}, once"
            if what not in seconds:
                seconds[what] = bench.peer(name, size, request)["seconds"]
                rows.append(measured(what, [seconds[what]]))
            found[seconds[what]] = request
        best[name, precision] = found[min(found)]
    return best, rows


def _compare(
    bench: Bench, size: int, precision: str, by_hand: Mapping[tuple[str, str], Request], repetitions: int
) -> list[Row]:
    """All three, taking turns; ratios of medians."""
    found: dict[str, list[dict[str, Any]]] = {OURS: [], **{name: [] for name in PEERS}}
    for _ in range(repetitions):
        found[OURS].append(bench.ours(size, precision))
        for name in PEERS:
            found[name].append(bench.peer(name, size, by_hand[name, precision]))
    head = f"{size} photos, {precision}"
    rows = [
        measured(
            f"{head}: {name}",
            [run["seconds"] for run in runs],
            note=_parts(runs, by_hand.get((name, precision), {})),
            memory=runs[-1].get("memory", ""),
        )
        for name, runs in found.items()
    ]
    ours = statistics.median(run["seconds"] for run in found[OURS])
    for name in PEERS:
        ratio = statistics.median(run["seconds"] for run in found[name]) / ours
        target = FASTER_BY[precision] if name == PREDICT and size >= JUDGED else ""
        rows.append(ended(f"{head}: {name} / {OURS}", ratio, "x", target))
    return rows


def _parts(runs: Sequence[dict[str, Any]], way: Request) -> str:
    """Where the time of the middle run went."""
    middle = sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]
    parts = {name: seconds for name, seconds in middle["parts"].items() if seconds >= 0.05}
    rest = middle["seconds"] - sum(middle["parts"].values())
    told = "; ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items())
    scores = " ".join(f"{value:.3f}" for value in middle["accuracy"].values())
    how = " ".join(f"{key} {value}" for key, value in way.items())
    return f"{how}{'; ' if how else ''}{told}; interpreter, imports, end {rest:.1f}; accuracies {scores}"


def measurements(given: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are measured."""
    sizes = sorted({rows_asked(size, quick, given) for size, quick in ((1_000, 200), (2_000, 200))})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), sizes)
        for precision in FASTER_BY:
            bench.ours(sizes[0], precision)  # makes artifact and digest, unmeasured; files come into the page cache
        yield from _first_time(bench, sizes[0])
        by_hand, tried = _best_by_hand(bench, sizes[0])
        yield from tried
        for precision in FASTER_BY:
            for size in sizes:
                times = REPETITIONS if given.full or (size >= JUDGED and not given.quick) else 1
                yield from _compare(bench, size, precision, by_hand, times)


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a target is missed."""
    given = asked("cold", argv, full="three runs at 1 000 photos too")
    return report("cold", measurements(given), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
