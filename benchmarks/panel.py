"""What the live panel costs and how soon it is there: five alternating pairs of a cell with `--ui off` and with it.

    python -m benchmarks.panel          about 6 minutes; --quick: one pair

A real kernel runs real cells (bundled CNN, generated photos, `--reuse never`, engines warm); a client counts every
message of the kernel on iopub while the cell runs. Prints medians, writes results/panel.csv. DESIGN.md sections 6, 13:
at most ten messages a second, first paint within 1.5 s of the cell's start (cold kernel and warm).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import Row, asked, ended, measured, report, rows_asked
from vista_nb.demo import generate

__all__ = ["main"]

PAIRS = 5
ROWS = 1500
CELL = """%%vista -o run --ui {ui} --reuse never
structured: catalogue/products.parquet
images: catalogue/photos/{{id}}.jpg
label: bestseller
cnn: mobilenetv2
weights: random
layers: top 4
pool: avg
model: LogisticRegression(regParam=0.02)
plan: {{waves: 3}}"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Told:
    """One cell as a client saw it. seconds: until idle; paint: until the panel's display, None without one;
    times: of every comm message, seconds since the request.
    """

    seconds: float
    paint: float | None
    times: tuple[float, ...]

    @property
    def after_opening(self) -> tuple[float, ...]:
        """Without the two bursts that open and close the panel, once each."""
        return tuple(
            at for at in self.times if self.paint is not None and at > self.paint + 0.2 and at < self.seconds - 0.5
        )

    @property
    def most_in_a_second(self) -> int:
        later = self.after_opening
        return max((sum(at <= other < at + 1.0 for other in later) for at in later), default=0)


def told(client: Any, code: str) -> Told:
    """Run a cell and watch iopub until it is idle. Raises RuntimeError where it failed."""
    begin = time.perf_counter()
    request = client.execute(code)
    paint, times = None, []
    while True:
        message = client.get_iopub_msg(timeout=600)
        at, kind = time.perf_counter() - begin, message["msg_type"]
        if kind.startswith("comm_"):
            times.append(at)
        if kind == "display_data" and WIDGET in message["content"]["data"]:
            paint = at
        if message["parent_header"].get("msg_id") != request:
            continue
        if kind == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))
        if kind == "status" and message["content"]["execution_state"] == "idle":
            return Told(at, paint, tuple(times))


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a target is missed."""
    from jupyter_client.manager import start_new_kernel

    given = asked("panel", argv)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "catalogue", rows=rows_asked(ROWS, 300, given), seed=3)
        manager, client = start_new_kernel(cwd=folder)
        try:
            rows = rows_of(client, 1 if given.quick else PAIRS)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return report("panel", rows, write=not given.quick)


def rows_of(client: Any, pairs: int) -> list[Row]:
    """The first panel comes in a kernel that has just started; then pairs, each the other way round than the last."""
    told(client, "%load_ext vista_nb\nimport os\nfor name in ('CI', 'VISTA_NB_UI'): os.environ.pop(name, None)")
    first = told(client, CELL.format(ui="widget"))
    off, panel = [], []
    for pair in range(pairs):
        for ui in ("off", "widget") if pair % 2 == 0 else ("widget", "off"):
            (off if ui == "off" else panel).append(told(client, CELL.format(ui=ui)))
    ratios = [with_it.seconds / without.seconds for with_it, without in zip(panel, off, strict=True)]
    steady = [len(one.after_opening) / max(1.0, one.seconds - (one.paint or 0.0)) for one in panel]
    paints = [one.paint for one in panel if one.paint is not None]
    return [
        measured("cell with --ui off", [one.seconds for one in off]),
        measured("cell with the panel", [one.seconds for one in panel]),
        ended("panel / off, median of the pairs", statistics.median(ratios), "x", "<= 1.05", _runs(ratios)),
        ended("messages in the busiest second", max(one.most_in_a_second for one in panel), "messages", "<= 10"),
        ended(
            "messages per second of the whole cell",
            statistics.median(len(one.times) / one.seconds for one in panel),
            "/s",
            "<= 10",
            "opening and closing included",
        ),
        ended("messages per second while it runs", statistics.median(steady), "/s", "<= 10", _runs(steady)),
        ended(
            "messages to open and close it", max(len(one.times) - len(one.after_opening) for one in panel), "messages"
        ),
        ended(
            "first paint, fresh kernel", first.paint or float("inf"), "s", "<= 1.5", "1 s of it is the wait by design"
        ),
        ended("first paint, warm", statistics.median(paints), "s", "<= 1.5", _runs(paints)),
    ]


def _runs(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
