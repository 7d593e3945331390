"""The handle of a run without an engine: turns, cancelling, early names, what a dead JVM makes of a result."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from executor_support import catalogue, make_plan, workload

from vista_nb.errors import PlanRefused, VistaCancelled, VistaRunError, VistaUsageError
from vista_nb.outcome.events import LogLine
from vista_nb.session import runs
from vista_nb.session.options import Options
from vista_nb.session.runs import Run


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs whose work is a function of the test."""
    monkeypatch.setattr(runs, "_results", {})
    work = workload(catalogue(tmp_path, rows=3))

    def make(execute: Any) -> Run:
        run = Run(SimpleNamespace(workload=work), make_plan(work), Options())  # type: ignore[arg-type]
        monkeypatch.setattr(run, "_execute", lambda: execute(run))
        return run

    return make


def texts(run: Run) -> list[str]:
    return [event.text for event in run.poll() if isinstance(event, LogLine)]


def test_runs_take_turns_and_say_for_whom_they_wait(made: Any) -> None:
    """One at a time, in whatever order the lock gives."""
    free, entered = threading.Event(), threading.Event()
    first = made(lambda run: (entered.set(), free.wait(30)))
    second = made(lambda run: None)
    first.start()
    assert entered.wait(10)
    second.start()
    assert not second.wait(1.0)
    assert texts(second) == [f"waiting for run {first.run_id}"]
    free.set()
    assert second.wait(10)
    assert (first.status, second.status) == ("done", "done")


def test_a_run_is_cancelled_while_it_waits(made: Any) -> None:
    """It never begins."""
    free, entered, began = threading.Event(), threading.Event(), threading.Event()
    first = made(lambda run: (entered.set(), free.wait(30)))
    second = made(lambda run: began.set())
    first.start()
    assert entered.wait(10)
    second.start()
    second.cancel()
    assert second.wait(10)
    assert isinstance(second.error, VistaCancelled)
    assert not began.is_set()
    first.cancel()
    third = made(lambda run: None)
    third.start()
    assert not third.wait(0.7)
    assert texts(third) == [f"waiting for the step that run {first.run_id} could not stop"]
    free.set()
    assert third.wait(10)


def test_a_cancel_after_the_end_changes_nothing(made: Any) -> None:
    """The engine is not asked to cancel a group that the next run may use."""
    run = made(lambda run: None)
    run.start()
    assert run.wait(10)
    run._backend = SimpleNamespace(cancel=lambda: pytest.fail("asked"))
    run.cancel()
    assert run.status == "done"
    assert not run.cancelled.is_set()


def test_a_plan_refused_in_the_thread_is_a_failed_run(made: Any) -> None:
    """The store has changed, and with it the plan: the limit holds still."""

    def refuse(run: Run) -> None:
        raise PlanRefused("VST212", "too long", "", run.plan)

    run = made(refuse)
    run.start()
    assert run.wait(10)
    assert (run.status, isinstance(run.error, PlanRefused)) == ("failed", True)


def test_a_result_whose_jvm_is_gone_is_a_coded_error(made: Any) -> None:
    """py4j's own exceptions do not reach the user; coded ones stay as they are."""
    run = made(lambda run: None)

    def gone(layer: str) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    def coded(layer: str) -> None:
        raise VistaUsageError("VST006", "no such layer")

    run._backend = SimpleNamespace(features=gone, model=coded)
    with pytest.raises(VistaRunError, match=r"VST518: reading the features of low: Spark's JVM is gone") as caught:
        run.features("low")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    with pytest.raises(VistaUsageError, match="VST006"):
        run.model("low")


def test_names(made: Any) -> None:
    """The last one that goes on is meant where none is named."""
    free, entered = threading.Event(), threading.Event()
    going = made(lambda run: (entered.set(), free.wait(30)))
    ended = made(lambda run: None)
    for run in (going, ended):
        run.remember(run)
    going.start()
    assert entered.wait(10)
    ended.status = "done"
    assert [run.run_id for run in runs.going()] == [going.run_id]
    assert runs.find_going(None) is going
    assert runs.find_going(ended.run_id) is ended
    free.set()
    assert going.wait(10)
    with pytest.raises(VistaUsageError, match="no run is going on"):
        runs.find_going(None)
