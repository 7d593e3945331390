"""How long planning takes: laptop, the paper's cluster, ten billion rows on 500 nodes. Prints a table, no engine.

    python -m benchmarks.planning

Reads the roster; returns nothing. May touch: standard output. Targets: DESIGN.md section 7 and issue 3 (a laptop's plan
in 50 ms, 1e10 rows on 500 nodes in 1 s). Best of five, as other processes only add.
"""

from __future__ import annotations

import time

from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.optimizer.optimize import optimize
from vista_nb.session.options import Options
from vista_nb.session.prepare import prepare
from vista_nb.units import GB

CELL = """
cnn: resnet50
layers: top 5
model: LogisticRegression(regParam=0.01, elasticNetParam=0.5)
statistics: {rows: %d, structured_features: 130}
"""

MACHINES = {
    "laptop, 2 cores": (2000, SystemFacts(24 * GB, 2, master="local[2]")),
    "laptop, 8 cores": (2000, SystemFacts(16 * GB, 8, master="local[8]")),
    "the paper's cluster": (20_129, SystemFacts(32 * GB, 8, 8, master="cluster")),
    "1e10 rows, 500 nodes": (10**10, SystemFacts(512 * GB, 64, 500, master="cluster")),
}


def snapshot(rows: int, system: SystemFacts, cuts: tuple[str, ...] = ()) -> Snapshot:
    """The cell's workload on that machine, with raw layers stored."""
    found = prepare(CELL % rows, {}, Options()).snapshot
    stored = tuple(StoredLayer(cut, cut, rows, rows * 800_000, pooled=False) for cut in cuts)
    return Snapshot(found.workload, found.statistics, system, stored)


def best_of(given: Snapshot, times: int = 5) -> tuple[float, int]:
    """(seconds, points weighed)."""
    seconds, points = [], 0
    for _ in range(times):
        began = time.perf_counter()
        points = optimize(given).looked_at
        seconds.append(time.perf_counter() - began)
    return min(seconds), points


def main() -> None:
    print(f"{'machine':<24}{'stored cuts':>12}{'points':>10}{'ms':>8}")
    for name, (rows, system) in MACHINES.items():
        for cuts in ((), ("conv4_6", "conv4_1", "conv3_4")):
            seconds, points = best_of(snapshot(rows, system, cuts))
            print(f"{name:<24}{len(cuts):>12}{points:>10}{1000 * seconds:>8.0f}")


if __name__ == "__main__":
    main()
