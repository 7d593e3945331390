"""VistaResult: readable from submit on, tidy tables, coded errors."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from sample_run import LAYERS, SampleRun, sample_events, sample_plan, sample_score

from vista_nb.errors import VistaUsageError
from vista_nb.outcome.scores import RunOutcome
from vista_nb.result import VistaResult


def result(status: str = "done", portions: int = 0) -> VistaResult:
    return VistaResult(SampleRun([sample_events(sample_plan())] * portions, status=status))


def test_accuracy_is_tidy_and_in_the_networks_order() -> None:
    """One row per layer, low to high, then the baselines; the columns of DESIGN.md section 5."""
    table = result().accuracy
    assert list(table.columns) == ["layer", "metric", "value", "ci_low", "ci_high", "seconds", "source"]
    assert list(table.layer) == [*LAYERS, "(table)", "(table, tree)"]
    assert table.set_index("layer").value["conv5_2"] == 0.856


def test_it_is_readable_before_anything_has_ended() -> None:
    """Bound at submit: every member answers, empty."""
    handle = SampleRun([[], []], status="failed")
    early = VistaResult(handle)
    assert (early.status, early.best, early.error) == ("running", None, None)
    assert early.accuracy.empty
    assert early.timeline.empty
    assert early.bad_images.empty
    assert early.plot() is None
    data, metadata = early._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    assert metadata == {}
    assert "running" in data["text/plain"]
    assert len(handle.portions) == 2, "looking at a running result must not take events from its view"


def test_best_knows_which_way_is_better() -> None:
    """The smallest error, the largest accuracy; baselines never."""
    handle = SampleRun([])
    handle.outcome = RunOutcome(
        scores=(sample_score("fc6", 3.0, metric="rmse"), sample_score("conv5_1", 2.0, metric="rmse")), metric="rmse"
    )
    best = VistaResult(handle).best
    assert best is not None
    assert best.layer == "conv5_1"
    assert result().best == sample_score("conv5_2")


def test_features_are_a_frame_by_key() -> None:
    """A row per key, a float32 column per value, ready for scikit-learn; a score names its layer too."""
    run = result()
    frame = run.features("fc6")
    assert frame.index.name == "id"
    assert list(frame.columns) == ["fc6_0", "fc6_1", "fc6_2"]
    assert frame.loc["p2"].tolist() == [3.0, 4.0, 5.0]
    assert set(frame.dtypes) == {np.dtype("float32")}
    assert run.best is not None
    assert run.model(run.best) == "model of conv5_2"


def test_an_unknown_layer_is_a_coded_error_with_a_suggestion() -> None:
    """Not a KeyError from the depths of an engine."""
    with pytest.raises(VistaUsageError, match=r"VST006.*conv5_22") as caught:
        result().features("conv5_22")
    assert caught.value.hint == "did you mean `conv5_2`?"


def test_a_run_that_goes_on_is_not_saved(tmp_path: Path) -> None:
    """Half a result would be taken for a whole one."""
    with pytest.raises(VistaUsageError, match="VST013"):
        VistaResult(SampleRun([[], []])).save(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_plan_memory_and_reasons() -> None:
    """The plan as a value, EXPLAIN as text, the rejected plans with why, the regions with peaks."""
    run = result()
    assert run.plan is run._handle.plan
    assert "fc6" in str(run.explain())
    why = run.why()
    assert len(why) == 3
    assert "storage: 6.1 GB needed, 1.9 GB free" in set(why.why)
    assert run.memory.total == sample_plan().memory.total
    assert "measured peak: JVM 1.3 GB of 3.4 GB" in str(run.memory)
    assert list(run.timeline.columns) == ["step", "start", "end", "seconds"]


def test_analyze_needs_a_run_that_has_ended() -> None:
    """Then predicted against measured, as text, HTML and JSON; before it is a coded error."""
    shown = result().explain(analyze=True)
    assert "PartialInference(image -> conv4_6 .. fc6)" in str(shown)
    assert "measured" in shown._repr_mimebundle_()["text/html"]
    assert shown.to_json()["measured_seconds"] == result().outcome.seconds
    running = VistaResult(SampleRun([[], []]))
    with pytest.raises(VistaUsageError, match="VST013"):
        running.explain(analyze=True)


def test_the_report_shows_as_paragraphs_and_prints_as_text() -> None:
    """A string without quotes in a notebook."""
    report = result().report()
    assert report.startswith("Best layer: conv5_2")
    assert "<p" in report._repr_html_()


def settings() -> dict[str, object]:
    """All of matplotlib's settings but the backend, which resolves itself when it is looked at."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_the_picture_has_words_and_leaves_matplotlib_alone() -> None:
    """PNG with a text, drawn without pyplot or a change of backend; equal runs give equal bytes."""
    before = settings()
    picture = result().plot()
    assert picture.png.startswith(b"\x89PNG")
    assert "table alone 0.702" in picture.alt
    assert picture.png == result().plot().png
    assert settings() == before
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert result().plot(ax=axes) is axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(LAYERS)


def test_cancel_wait_and_repr() -> None:
    """The handle is asked; the repr is one line."""
    run = result()
    run.cancel()
    assert run._handle.cancelled.is_set()  # type: ignore[attr-defined]
    assert run.wait(0)
    assert repr(run) == "<VistaResult: done, best conv5_2: accuracy 0.856>"


def test_a_mime_bundle_makes_only_what_is_asked() -> None:
    """A terminal must not pay for a picture."""
    assert set(result()._repr_mimebundle_(include={"text/plain"})[0]) == {"text/plain"}
    assert "image/png" not in result()._repr_mimebundle_(exclude={"image/png"})[0]
