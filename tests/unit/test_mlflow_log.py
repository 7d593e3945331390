"""What is logged to MLflow, with a recorder in mlflow's place, and with mlflow itself where it is installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sample_run import LAYERS, VALUES, SampleRun

from vista_nb.errors import VistaEnvironmentError, VistaUsageError
from vista_nb.result import VistaResult


def result() -> VistaResult:
    return VistaResult(SampleRun([]))  # type: ignore[arg-type]


class Recorder(ModuleType):
    """mlflow's functions that are used, by name."""

    def __init__(self, active: object = None) -> None:
        super().__init__("mlflow")
        self.active, self.started = active, []  # type: ignore[var-annotated]
        self.params: dict[str, str] = {}
        self.metrics: dict[str, float] = {}
        self.texts: dict[str, str] = {}

    def active_run(self) -> object:
        return self.active

    @contextmanager
    def start_run(self, run_name: str | None = None) -> Any:
        self.started.append(run_name)
        yield SimpleNamespace(info=SimpleNamespace(run_id="new"))

    def log_params(self, params: dict[str, str]) -> None:
        self.params |= params

    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.metrics |= metrics

    def log_text(self, text: str, artifact_file: str) -> None:
        self.texts[artifact_file] = text

    def set_tags(self, tags: dict[str, str]) -> None:
        self.params |= tags


def test_scores_and_intervals_are_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Per layer; the table alone under a name that MLflow takes."""
    log = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", log)
    assert result().log_mlflow("mine") == "new"
    assert log.started == ["mine"]
    assert {name: log.metrics[f"accuracy/{name}"] for name in LAYERS} == pytest.approx(VALUES)
    assert log.metrics["accuracy_low/fc6"] < log.metrics["accuracy/fc6"] < log.metrics["accuracy_high/fc6"]
    assert any(name.startswith("accuracy/table") for name in log.metrics)
    assert log.params["cnn"] == "resnet50"
    assert log.params["best"] == "conv5_2"
    assert log.texts["accuracy.csv"].startswith("layer,metric,value")
    assert "conv5_2" in log.texts["report.txt"]


def test_an_active_run_is_used_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the user's to end."""
    log = Recorder(SimpleNamespace(info=SimpleNamespace(run_id="theirs")))
    monkeypatch.setitem(sys.modules, "mlflow", log)
    assert result().log_mlflow() == "theirs"
    assert log.started == []


def test_without_mlflow_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no dependency."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(VistaEnvironmentError, match="VST452") as caught:
        result().log_mlflow()
    assert "pip install mlflow" in caught.value.hint


def test_a_run_that_goes_on_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a result would look like a whole one."""
    monkeypatch.setitem(sys.modules, "mlflow", Recorder())
    with pytest.raises(VistaUsageError, match="VST013"):
        VistaResult(SampleRun([[]])).log_mlflow()  # type: ignore[arg-type]


def test_mlflow_itself_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file store, read back by MLflow's own client."""
    mlflow = pytest.importorskip("mlflow", reason="optional: pip install mlflow-skinny")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'runs'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file:{tmp_path / 'runs'}")
    data = mlflow.get_run(result().log_mlflow("mine")).data
    assert data.metrics["accuracy/conv5_2"] == pytest.approx(VALUES["conv5_2"])
    assert data.params["best"] == "conv5_2"
