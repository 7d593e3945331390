"""A whole run on the numpy backend, then what people look at: verdict, nested estimate, mistakes, photos, metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executor_support import LAYERS, catalogue, make_plan, run_inputs, run_plan, workload

from vista_nb.errors import VistaUsageError
from vista_nb.executor.local import LocalBackend
from vista_nb.outcome.report import report
from vista_nb.outcome.scores import TABLE, TABLE_TREE, RunOutcome
from vista_nb.result import VistaResult
from vista_nb.session.runs import Run
from vista_nb.session.saved_runs import SavedRun
from vista_nb.session.values import from_plain, to_plain


def ran(folder: Path, rows: int = 90, **spec: Any) -> tuple[LocalBackend, RunOutcome]:
    work = workload(catalogue(folder, rows=rows), **spec)
    backend = LocalBackend(make_plan(work, baseline=True), run_inputs(work, folder))
    outcome, _ = run_plan(backend.plan, backend)
    return backend, outcome


def result_of(backend: LocalBackend, outcome: RunOutcome) -> VistaResult:
    """The real handle round a backend that has run."""
    run = Run.__new__(Run)
    run.run_id, run.status, run.error, run.plan, run.outcome = "r1", "done", None, backend.plan, outcome
    run.prepared = type("Prepared", (), {"workload": backend.workload})()  # type: ignore[assignment]
    run._backend = backend
    run.poll = list  # type: ignore[method-assign]
    return VistaResult(run)


def test_a_split_has_tests_and_matrices_but_nothing_nested(tmp_path: Path) -> None:
    """The colour is in the photo: pictures help, and each scored name has its confusion matrix."""
    _, outcome = ran(tmp_path)
    assert [c.layer for c in outcome.confusions] == [TABLE, TABLE_TREE, *LAYERS]
    assert all(sum(rows for *_, rows in c.cells) == outcome.rows.test for c in outcome.confusions)
    assert (outcome.nested, outcome.folds) == (None, 0)
    assert any(sentence.startswith("Pictures help:") for sentence in report(outcome))


def test_folds_hold_every_row_out_once(tmp_path: Path) -> None:
    """Matrix and scores are of all rows; the choice of the best is scored apart; the report says so."""
    backend, outcome = ran(tmp_path, folds=3)
    assert outcome.folds == 3
    assert outcome.nested is not None
    assert set(outcome.nested.chosen) <= set(LAYERS)
    assert all(sum(rows for *_, rows in c.cells) == 90 for c in outcome.confusions)
    assert {score.rows_test for score in outcome.scores} == {90}
    said = " ".join(report(outcome))
    assert "each held out once (3 folds)" in said
    assert "chosen on half of these rows" in said
    assert len(result_of(backend, outcome).mistakes(TABLE).groups[0].tiles) == 12


def test_mistakes_and_metrics_of_a_real_run(tmp_path: Path) -> None:
    """The photos of the rows that the table alone gets wrong, as many as its score says; every metric."""
    backend, outcome = ran(tmp_path)
    result = result_of(backend, outcome)
    score = next(s for s in outcome.scores if s.layer == TABLE)
    gallery = result.mistakes(TABLE, 50)
    assert gallery.groups[0].total == round((1 - score.value) * score.rows_test)
    assert all(tile.jpeg.startswith(b"\xff\xd8") for tile in gallery.groups[0].tiles)
    metrics = result.metrics
    assert set(metrics.layer) == {TABLE, TABLE_TREE, *LAYERS}
    own = metrics[(metrics.layer == TABLE) & (metrics.metric == "accuracy")].iloc[0]
    assert (own.value, own.ci_low, own.ci_high) == (score.value, score.ci_low, score.ci_high)
    assert result.confusion(TABLE).to_numpy().sum() == score.rows_test
    assert "Most frequent mistakes of" in result.plot(layer=TABLE).alt


def test_what_a_saved_run_still_shows(tmp_path: Path) -> None:
    """The outcome survives JSON, so matrix and plot stay; rows and photos are gone, coded."""
    backend, outcome = ran(tmp_path, folds=3)
    kept = from_plain(to_plain(outcome))
    assert kept == outcome
    live = result_of(backend, outcome)
    saved = VistaResult.restored(SavedRun("r1", "done", None, backend.plan, kept), live.state)
    assert saved.confusion(TABLE).equals(live.confusion(TABLE))
    assert saved.report() == live.report()
    with pytest.raises(VistaUsageError, match="VST016"):
        saved.mistakes(TABLE)
    with pytest.raises(VistaUsageError, match="VST016"):
        _ = saved.metrics


def test_notes_of_old_outcomes_have_defaults() -> None:
    """A run that an older version saved: no matrices, nothing nested."""
    plain = to_plain(replace(RunOutcome(), folds=0))
    for name in ("confusions", "nested", "folds"):
        del plain[name]
    assert from_plain(plain) == RunOutcome()
