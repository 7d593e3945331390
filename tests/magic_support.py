"""Cells in a real IPython shell: run one, or one that must fail. The fixtures are in tests/notebooks/conftest.py."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from sample_run import SampleRun, sample_events, sample_plan

from vista_nb.result import VistaResult

__all__ = ["FLAG_CASES", "SPEC", "Submitted", "failed", "run"]

SPEC = "structured: $products\nimages: photos/{id}.jpg\nlabel: bestseller\ncnn: resnet50\n"

FLAG_CASES: list[tuple[str, str, object]] = [
    ("-o rooms", "out", "rooms"),
    ("--out=rooms", "out", "rooms"),
    ("-q", "quiet", True),
    ("--explain", "explain", True),
    ("--explain --vary memory=2g..8g", "vary", "memory=2g..8g"),
    ("--profile sigmod2020", "profile", "sigmod2020"),
    ("--set plan.cpu=2 --set pool=avg", "overrides", (("plan.cpu", "2"), ("pool", "avg"))),
    ("--reuse never", "reuse", "never"),
    ("--ui static", "ui", "static"),
    ("--analyze", "analyze", True),
    ("--layers 'top 3'", "overrides", (("layers", "top 3"),)),
    ("--max-mem 4GB", "max_memory", 4_000_000_000),
    ("--max-time 10m", "max_seconds", 600.0),
    ("--bg", "background", True),
]
"""Every flag at least once: (the line, the field of CellFlags, what it then holds)."""


class Submitted:
    """What `session.submit` was asked for, and the run that it starts."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []
        self.run: Any = SampleRun([sample_events(sample_plan())])

    def __call__(self, source: Any, **options: Any) -> VistaResult:
        self.calls.append((source, options))
        return VistaResult(self.run)


def run(shell: InteractiveShell, source: str) -> Any:
    """Run a cell; its error is raised, its value returned, what it displays captured in `shown`."""
    with capture_output() as shown:
        outcome = shell.run_cell(source)
    outcome.raise_error()
    return outcome.result, shown


def failed(shell: InteractiveShell, source: str) -> tuple[BaseException, str]:
    """Run a cell that must fail: the exception and what the shell printed of it."""
    with capture_output() as shown:
        outcome = shell.run_cell(source)
    error = outcome.error_in_exec
    assert error is not None, "the cell counted as a success"
    return error, shown.stdout + shown.stderr
