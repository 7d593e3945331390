"""A result in MLflow, where mlflow is installed: spec and plan as parameters, scores as metrics, the report as a text.

Reads a VistaResult, returns the id of MLflow's run. May touch: mlflow, imported on use, and what it is set up to write
to; a temporary folder. Issue 8 (optional); docs/adr/0029. Nothing is logged unless it is asked for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaEnvironmentError, VistaUsageError

if TYPE_CHECKING:
    from vista_nb.result import VistaResult

__all__ = ["log_result"]


def log_result(result: VistaResult, run_name: str | None = None, *, save: bool = False) -> str:
    """Into MLflow's active run, which stays open, or into one of its own. save: `.save` as the artifact `vista_nb`.

    Raises VST452 (no mlflow), VST013 (the run has not ended).
    """
    if result.status in ("planned", "running"):
        raise VistaUsageError("VST013", "the run has not ended: there is nothing to log yet", "wait: result.wait()")
    mlflow = _mlflow()
    with _run(mlflow, run_name) as active:
        mlflow.log_params(_params(result))
        mlflow.set_tags({"vista_nb.run": result.run_id, "vista_nb.status": result.status})
        for score in result.outcome.scores:
            name = _metric_name(score.layer)
            values = {f"{score.metric}/{name}": score.value, f"seconds/{name}": score.seconds}
            bounds = {f"{score.metric}_low/{name}": score.ci_low, f"{score.metric}_high/{name}": score.ci_high}
            mlflow.log_metrics({key: value for key, value in (values | bounds).items() if value == value})
        mlflow.log_text(str(result.report()), "report.txt")
        mlflow.log_text(result.accuracy.to_csv(index=False), "accuracy.csv")
        mlflow.log_text(str(result.explain()), "plan.txt")
        if save:
            with tempfile.TemporaryDirectory(prefix="vista_nb-mlflow-") as room:
                mlflow.log_artifacts(str(result.save(Path(room) / "saved")), "vista_nb")
        return str(active.info.run_id)


def _mlflow() -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise VistaEnvironmentError("VST452", "mlflow is not installed", "pip install mlflow-skinny") from error
    return mlflow


@contextmanager
def _run(mlflow: Any, name: str | None) -> Iterator[Any]:
    """The user's own run stays open: it is theirs to end."""
    active = mlflow.active_run()
    if active is not None:
        yield active
        return
    with mlflow.start_run(run_name=name) as started:
        yield started


def _params(result: VistaResult) -> dict[str, str]:
    plan = result.plan
    chosen = {"plan": plan.logical.name, "cpu": str(plan.physical.cpu), "training": plan.physical.training.value}
    best = {"best": result.best.layer} if result.best is not None else {}
    given = {"cnn": plan.cnn, "layers": ", ".join(plan.layers), "model": plan.model, "pool": plan.pool}
    return given | chosen | best | {"task": result.outcome.task, "metric": result.metric}


def _metric_name(layer: str) -> str:
    """MLflow takes letters, digits, `_ - . / :` and blanks: `(table, tree)` is `table tree`."""
    return re.sub(r"[^\w\-./: ]", "", layer)
