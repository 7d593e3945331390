"""What a cell binds: one run, readable from the moment it is submitted until long after it has ended.

Reads a RunHandle (the session room's run), returns tables, plans and pictures. May touch: pandas and matplotlib,
imported on use; the run only through its handle. DESIGN.md section 5.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaUsageError
from vista_nb.outcome.events import Event
from vista_nb.outcome.metrics import best_of
from vista_nb.outcome.scores import LayerScore, RunOutcome, TestRow
from vista_nb.plan.candidate import Plan
from vista_nb.plan.physical import PhysicalPlan
from vista_nb.result_leaving import Leaving
from vista_nb.result_reading import Reading
from vista_nb.result_seeing import Seeing
from vista_nb.views.analyze_view import Analyzed
from vista_nb.views.memory_view import MemoryReport, measured_peaks
from vista_nb.views.plan_view import Explanation
from vista_nb.views.report_view import Report
from vista_nb.views.result_view import RunSummary, result_html, result_text
from vista_nb.views.state import PanelState, apply_all, settled

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from vista_nb.executor.leaving.pipeline import Pipeline
    from vista_nb.executor.thumbnails import Thumbnail
    from vista_nb.views.plots import Picture
    from vista_nb.views.table_view import Table

__all__ = ["RunHandle", "VistaResult"]


class RunHandle(Protocol):
    """The run behind a result. status: planned | running | done | failed | cancelled.

    outcome holds what is finished so far. features: an Arrow table (key, vector). poll: events since the last call,
    from any thread. wait: true once the run has ended.
    """

    run_id: str
    status: str
    error: BaseException | None
    plan: Plan
    outcome: RunOutcome

    @property
    def workload(self) -> Workload: ...

    def features(self, layer: str) -> pa.Table: ...

    def model(self, layer: str) -> object: ...

    def held_out(self, layer: str) -> tuple[TestRow, ...]: ...

    def metrics(self, layer: str) -> tuple[LayerScore, ...]: ...

    def photos(self, keys: Sequence[str], side: int) -> Mapping[str, Thumbnail]: ...

    def pipeline(self, layer: str) -> Pipeline: ...

    def save(self, result: VistaResult, path: Path, layers: Sequence[str], *, overwrite: bool) -> Path: ...

    @property
    def saveable(self) -> tuple[str, ...]: ...

    def cancel(self) -> None: ...

    def wait(self, timeout: float | None = None) -> bool: ...

    def poll(self) -> list[Event]: ...


class VistaResult(Leaving, Reading, Seeing):
    """The result of one run. While the run goes on, every member tells what is known so far."""

    def __init__(self, handle: RunHandle) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._state = PanelState.of(handle.plan)
        self._picture: tuple[PanelState, Picture | None] | None = None

    @classmethod
    def restored(cls, handle: RunHandle, state: PanelState) -> VistaResult:
        """The result of a run that was saved: `state` is what its events had told."""
        result = cls(handle)
        result._state = state
        return result

    # -- the run ------------------------------------------------------------------------------------------------

    @property
    def run_id(self) -> str:
        """The run's name in this kernel, as `%vista show` takes it."""
        return self._handle.run_id

    @property
    def status(self) -> str:
        """planned, running, done, failed or cancelled."""
        return self._handle.status

    @property
    def error(self) -> BaseException | None:
        """What ended a failed or cancelled run."""
        return self._handle.error

    def cancel(self) -> None:
        """Ask the run to stop; finished layers are kept. Returns at once: `wait` for the end."""
        self._handle.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds. True once the run has ended, however it ended."""
        return self._handle.wait(timeout)

    def poll(self) -> list[Event]:
        """The events since the last call, for the one view that draws this run."""
        events = self._handle.poll()
        with self._lock:
            self._state = apply_all(self._state, events)
        return events

    # -- what was found out -------------------------------------------------------------------------------------

    @property
    def outcome(self) -> RunOutcome:
        """Everything found out so far, as one frozen value."""
        return self._handle.outcome

    @property
    def metric(self) -> str:
        """The metric that the layers are compared by."""
        return self._handle.outcome.metric

    @property
    def accuracy(self) -> pd.DataFrame:
        """One row per scored layer, low to high, then the table alone; empty before the first score."""
        import pandas as pd

        columns = ["layer", "metric", "value", "ci_low", "ci_high", "seconds", "source"]
        rows = [[getattr(score, column) for column in columns] for score in self._scores()]
        return pd.DataFrame(rows, columns=columns)

    def _scores(self) -> list[LayerScore]:
        order = {layer: place for place, layer in enumerate(self.plan.layers)}
        return sorted(self.outcome.scores, key=lambda s: (s.is_baseline, order.get(s.layer, len(order)), s.layer))

    @property
    def best(self) -> LayerScore | None:
        """The best layer's score, None before the first. It was chosen on the rows it is scored on (`.report()`)."""
        return best_of(self._scores())

    @property
    def tuning(self) -> pd.DataFrame:
        """What `tune` tried: layer, each parameter, metric, value (mean over the inner folds), spread, chosen."""
        import pandas as pd

        found = ["metric", "value", "spread", "chosen"]
        rows = [
            {"layer": point.layer, **dict(point.parameters)} | {name: getattr(point, name) for name in found}
            for point in self.outcome.tuning
        ]
        return pd.DataFrame(rows, columns=None if rows else ["layer", *found])

    @property
    def bad_images(self) -> pd.DataFrame:
        """Pictures that could not be read: key, path, stage, reason."""
        import pandas as pd

        columns = ["key", "path", "stage", "reason"]
        rows = [[getattr(bad, column) for column in columns] for bad in self.outcome.bad_images]
        return pd.DataFrame(rows, columns=columns)

    def features(self, layer: str | LayerScore) -> pd.DataFrame:
        """The features of one layer: a row per key (the index), a float32 column per value of the vector."""
        import numpy as np
        import pandas as pd

        name = self._layer_name(layer)
        table = self._handle.features(name)
        keys, vectors = table.column(0).to_pylist(), table.column(1).combine_chunks()
        values = np.asarray(vectors.flatten(), dtype=np.float32).reshape(len(keys), -1) if keys else np.empty((0, 0))
        columns = [f"{name}_{place}" for place in range(values.shape[1])]
        index = pd.Index(keys, name=self._handle.workload.spec.on)
        return pd.DataFrame(values, index=index, columns=columns, copy=False)

    def model(self, layer: str | LayerScore) -> object:
        """The model fitted on the table and this layer's features."""
        return self._handle.model(self._layer_name(layer))

    def _layer_name(self, layer: str | LayerScore) -> str:
        """The layer as the plan names it, from its name, an alias or a score. Raises VistaUsageError."""
        from vista_nb.spec.suggest import did_you_mean

        wanted = layer.layer if isinstance(layer, LayerScore) else str(layer)
        facts = self._handle.workload.cnn.layer(wanted)
        name = facts.name if facts is not None else wanted
        if name not in self.plan.layers:
            hint = did_you_mean(wanted, self.plan.layers, "layers of this run")
            raise VistaUsageError("VST006", f"this run has no layer {wanted!r}", hint)
        return name

    # -- how it was done ----------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan that the run obeys."""
        return self._handle.plan

    @property
    def memory(self) -> MemoryReport:
        """The memory regions of one worker, planned and measured."""
        return MemoryReport(self.plan.memory, tuple(self.outcome.peak_bytes or measured_peaks(self._state.peak)))

    @property
    def timeline(self) -> pd.DataFrame:
        """One row per step that has run: step, start, end, seconds (since the run's start)."""
        import pandas as pd

        rows = [(step, start, end, end - start) for step, start, end in self.outcome.timeline]
        return pd.DataFrame(rows, columns=["step", "start", "end", "seconds"])

    @overload
    def explain(self, analyze: Literal[False] = False) -> Explanation: ...

    @overload
    def explain(self, analyze: Literal[True]) -> Analyzed: ...

    @overload
    def explain(self, analyze: bool) -> Explanation | Analyzed: ...

    def explain(self, analyze: bool = False) -> Explanation | Analyzed:
        """EXPLAIN of the plan: prints as text, shows as HTML in a notebook.

        analyze: with what this run measured beside what was predicted. Raises VistaUsageError while the run goes on.
        """
        if not analyze:
            return Explanation(self.plan)
        if self.status in ("planned", "running"):
            raise VistaUsageError("VST013", "the run has not ended: nothing is measured yet", "wait: result.wait()")
        return Analyzed(self.plan, self.outcome)

    def why(self) -> pd.DataFrame:
        """Each rejected plan and the reason: plan, cpu, join, persistence, batch, seconds, peak, why, sentence."""
        import pandas as pd

        from vista_nb.plan.why import why_sentence

        chosen = self.plan.chosen
        rows = [
            (
                *(c.logical.name, *_physical(c.physical), c.feasible, c.seconds, c.peak_bytes, c.why),
                why_sentence(c, chosen or c),
            )
            for c in self.plan.candidates
            if c is not self.plan.chosen and c.why is not None
        ]
        columns = ["plan", "cpu", "join", "persistence", "batch_size", "feasible", "seconds", "peak_bytes", "why"]
        return pd.DataFrame(rows, columns=[*columns, "sentence"])

    def compare(self, other: VistaResult) -> Table:
        """Two runs side by side: accuracy per layer, seconds, memory, and what they did otherwise."""
        from vista_nb.views.compare_view import Side, compare_table

        sides = (Side(result.run_id, result.status, result.plan, result.outcome) for result in (self, other))
        return compare_table(*sides)

    # -- shown --------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        """What the scores mean, in sentences."""
        return Report("\n".join(self._sentences()))

    def _sentences(self) -> Sequence[str]:
        from vista_nb.outcome.report import report

        return report(self.outcome)

    def plot(self, ax: Any = None, layer: str | LayerScore | None = None) -> Any:
        """Accuracy by layer, and the confusion matrix of the best layer or of `layer` (of a regression: predicted
        against true values). With a matplotlib `ax` accuracy alone is drawn there, and `ax` comes back.
        """
        from vista_nb.views.outcome_plots import outcome_picture
        from vista_nb.views.plots import draw_accuracy

        if ax is not None:
            draw_accuracy(ax, self._settled(), self.metric)
            return ax
        detail = self._detail(layer)
        return self._accuracy_picture() if detail is None else outcome_picture(self._settled(), self.metric, detail)

    def _accuracy_picture(self) -> Picture | None:
        """Made once for what is known now."""
        from vista_nb.views.plots import accuracy_picture

        state = self._settled()
        if self._picture is None or self._picture[0] != state:
            self._picture = (state, accuracy_picture(state, self.metric))
        return self._picture[1]

    @property
    def worth_showing(self) -> bool:
        """False for a run that ended before anything was found out."""
        return self.status in ("planned", "running", "done") or bool(self.outcome.scores)

    @property
    def state(self) -> PanelState:
        """What a panel of this run shows now."""
        return self._settled()

    def _settled(self) -> PanelState:
        if self.status not in ("planned", "running"):
            self.poll()  # the view has left: nobody else waits for what is still in the queue
        return settled(self._state, self.outcome, self.status)

    def _summary(self) -> RunSummary:
        error = "" if self.error is None else (str(self.error).splitlines() or [type(self.error).__name__])[0]
        return RunSummary(self.plan, self.metric, self._settled(), self.outcome, tuple(self._sentences()), error)

    def __repr__(self) -> str:
        best = self.best
        found = f", best {best.layer}: {best.metric} {best.value:.3f}" if best else ""
        return f"<VistaResult: {self.status}{found}>"

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """text/plain, text/html and, once there is a score, image/png with its text. Never a widget."""
        from vista_nb.views.choose import exact

        summary = self._summary()
        makers = {"text/plain": lambda: result_text(summary), "text/html": lambda: result_html(summary, exact())}
        wanted = [m for m in (*makers, "image/png") if (not include or m in include) and m not in (exclude or ())]
        data: dict[str, Any] = {mime: makers[mime]() for mime in wanted if mime in makers}
        picture = self._accuracy_picture() if "image/png" in wanted else None
        if picture is None:
            return data, {}
        data["image/png"] = base64.b64encode(picture.png).decode("ascii")
        return data, {"image/png": {"alt": picture.alt}}


def _physical(plan: PhysicalPlan) -> tuple[int, str, str, int]:
    return plan.cpu, plan.join.value, plan.persistence.value, plan.batch_size
