"""Runs of earlier kernels: written as JSON, read back equal, repainted with no Spark, told apart by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sample_run import SampleRun, sample_events, sample_outcome, sample_plan, sample_score

from vista_nb.errors import VistaCancelled, VistaRunError, VistaUsageError
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.logical import Materialization
from vista_nb.result import VistaResult
from vista_nb.session import runs, saved_runs
from vista_nb.session.values import from_plain, to_plain


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(runs, "_results", {})
    return tmp_path / "runs"


def ended(status: str = "done", **reuse: Any) -> VistaResult:
    """A run whose events have all been drawn."""
    plan = sample_plan()
    result = VistaResult(SampleRun([sample_events(plan, **reuse)], plan, status))
    result.poll()
    return result


def test_a_plan_an_outcome_and_a_state_come_back_equal() -> None:
    """Classes, enumerations, tuples in tuples, None, through JSON."""
    plan = sample_plan()
    for value in (plan, sample_outcome(plan), ended(reused=("fc6",)).state):
        assert from_plain(json.loads(json.dumps(to_plain(value)))) == value


def test_only_our_own_values_are_made() -> None:
    """A file cannot name another class; what is no plain value is not written."""
    for plain in ({"class": "Path"}, {"class": "object"}, {"no": "class"}, {"class": "Materialization", "value": "x"}):
        with pytest.raises(ValueError, match=r"class|valid"):
            from_plain(plain)
    with pytest.raises(ValueError, match="cannot be saved"):
        to_plain({"a": object()})


def test_fields_of_other_versions() -> None:
    """A new field takes its default, a dropped one is left out, a missing one without default is an error."""
    plain = to_plain(RunOutcome(seconds=3.0))
    del plain["notes"]
    assert from_plain(plain | {"gone": 1}) == RunOutcome(seconds=3.0)
    with pytest.raises(ValueError, match="missing"):
        from_plain({"class": "LayerScore"})
    assert from_plain(to_plain(Materialization.EAGER)) is Materialization.EAGER


def test_a_saved_run_is_repainted_as_it_was(own_cache: Path) -> None:
    """The same text, HTML and picture; tables and plan at hand; features are not, with the way out."""
    result = ended(reused=("fc6",))
    file = saved_runs.keep(result)
    assert file is not None
    assert file.parent == own_cache
    assert file.stem.endswith("-r2")
    again = saved_runs.find_any(None)
    assert again._repr_mimebundle_()[0] == result._repr_mimebundle_()[0]
    assert again.accuracy.equals(result.accuracy)
    assert str(again.explain()) == str(result.explain())
    assert str(again.memory) == str(result.memory)
    assert again.status == "done"
    for ask in (again.features, again.model):
        with pytest.raises(VistaUsageError, match="VST016"):
            ask("fc6")


def test_failed_and_cancelled_runs_keep_their_error() -> None:
    """Code, message and hint; what a cancelled one kept."""
    for error, status in (
        (VistaRunError("VST501", "worker lost", "try again"), "failed"),
        (VistaCancelled("stopped", ["conv4_6"]), "cancelled"),
    ):
        result = ended(status)
        handle: Any = result._handle
        handle.outcome = sample_outcome(result.plan, scores=(sample_score("conv4_6"),), tests=())
        handle.error = error
        saved_runs.keep(result)
        again = saved_runs.find_any(None)
        assert str(again.error) == str(error)
        assert again.status == status
        assert again._repr_mimebundle_()[0] == result._repr_mimebundle_()[0]
        for file in saved_runs._files():
            file.unlink()


def test_a_run_that_found_nothing_or_goes_on_is_not_kept() -> None:
    """Nothing to repaint."""
    assert saved_runs.keep(ended("failed")) is None
    assert saved_runs.keep(VistaResult(SampleRun([[]]))) is None
    assert saved_runs.saved_names() == ()


def test_names(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole name, the end of it (the newest), this kernel's before saved ones, an unknown one with a hint."""
    first = saved_runs.keep(ended())
    second = saved_runs.keep(ended())
    assert first is not None
    assert second is not None
    assert first != second  # in the same second
    assert saved_runs.find_any(first.stem).run_id == first.stem
    assert saved_runs.find_any("r2").run_id == saved_runs.saved_names()[0]
    here = ended()
    monkeypatch.setitem(runs._results, "r2", here)
    assert saved_runs.find_any("r2") is here
    assert saved_runs.find_any(None) is here
    with pytest.raises(VistaUsageError, match=r"VST010.*\n.*r2"):
        saved_runs.find_any("r3")


def test_the_newest_fifty_stay(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the time in their names."""
    monkeypatch.setattr(saved_runs, "KEPT", 3)
    own_cache.mkdir(parents=True)
    for day in range(1, 6):
        (own_cache / f"2020010{day}-000000-r1.json").write_text("{}", encoding="utf-8")
    kept = saved_runs.keep(ended())
    assert kept is not None
    assert saved_runs.saved_names() == (kept.stem, "20200105-000000-r1", "20200104-000000-r1")


def test_a_broken_file_is_named_and_does_not_hide_the_others(own_cache: Path) -> None:
    """`show NAME` says it is broken; `show` takes the next one."""
    kept = saved_runs.keep(ended())
    assert kept is not None
    (own_cache / "29990101-000000-r9.json").write_text('{"format": 1', encoding="utf-8")
    assert saved_runs.find_any(None).run_id == kept.stem
    with pytest.raises(VistaUsageError, match="VST017"):
        saved_runs.find_any("r9")
    kept.unlink()
    with pytest.raises(VistaUsageError, match="VST017"):
        saved_runs.find_any(None)


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run itself must not suffer."""
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(blocked))
    assert saved_runs.keep(ended()) is None


def test_showing_a_saved_run_starts_no_engine() -> None:
    """In a process of its own: neither pyspark nor TensorFlow is imported."""
    saved_runs.keep(ended())
    code = (
        "import sys; from vista_nb import session; result = session.show(); "
        "assert '0.856' in result._repr_mimebundle_()[0]['text/html']; "
        "sys.exit(', '.join({'pyspark', 'tensorflow', 'keras'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
