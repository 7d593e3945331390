"""A result leaves its notebook: the pipelines of a run, saved as a folder, and loaded in another process.

Reads a Run, or a folder that `save` wrote; returns Pipelines, folders, VistaResults. May touch: that folder,
subprocesses (the CNN's prefix), the JVM where a model of Spark is loaded. DESIGN.md section 5 (`.predict`, `.save`,
`load`); docs/adr/0029: no pickle is written or read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vista_nb.catalog.workload import Workload
from vista_nb.errors import VistaUsageError
from vista_nb.outcome.events import Event
from vista_nb.outcome.scores import TABLE, TABLE_TREE, RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.session.folders import cache_root
from vista_nb.session.values import from_plain, to_plain
from vista_nb.spec.model import Resources
from vista_nb.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from vista_nb.executor.leaving.pipeline import Pipeline
    from vista_nb.result import VistaResult
    from vista_nb.session.runs import Run

__all__ = ["LoadedRun", "load", "pipeline_of", "save"]


def pipeline_of(run: Run, backend: Any, layer: str) -> Pipeline:
    """One trained layer of a run, or `(table)`, `(table, tree)`. Raises VST516 where it was not trained."""
    from vista_nb.executor.downstream.preparation import Preparation
    from vista_nb.executor.leaving.pipeline import Pipeline, label_kind

    fit = backend.fit(layer)
    prepared = run.prepared
    assert prepared.model is not None
    assert prepared.structured is not None
    table_alone = layer in (TABLE, TABLE_TREE)
    return Pipeline(
        layer=layer,
        workload=run.workload,
        preparation=Preparation(layer, backend.rows.encoder, 0) if table_alone else backend.preparation(layer),
        model=fit.model,
        classes=fit.classes,
        label_kind=label_kind(prepared.structured.schema.field(run.workload.label).type),
        source=prepared.model,
        cache_dir=cache_root(),
        native=fit.native,
    )


def save(result: VistaResult, pipelines: Sequence[Pipeline], path: Path, *, overwrite: bool = False) -> Path:
    """The folder. Raises VST631 (it is taken), VST633 (a model that only pickle could write), and what building the
    CNN raises; then nothing is left behind.
    """
    from vista_nb.executor.leaving.bundle import CNN_FILE, PARTS, new_bundle, write_manifest
    from vista_nb.executor.leaving.parts import Writer
    from vista_nb.executor.leaving.prefix_file import save_prefix

    first = pipelines[0]
    tapped = [pipeline.layer for pipeline in pipelines if pipeline.looks_at_photos]
    with new_bundle(path, overwrite=overwrite) as folder:
        writer = Writer(folder / PARTS)
        layers = {pipeline.layer: _layer_plain(writer, pipeline) for pipeline in pipelines}
        cnn = None
        if tapped:
            digest = save_prefix(first.workload, first.source, tapped, folder / CNN_FILE, first.cache_dir)
            cnn = {"file": CNN_FILE, "digest": digest}
        content = {
            "run": result.run_id,
            "result": _result_plain(result),
            "workload": writer.plain(_without_machine(first.workload), "the spec"),
            "label_kind": first.label_kind,
            "cnn": cnn,
            "layers": layers,
            "foreign": sorted(writer.foreign),
        }
        write_manifest(folder, content)
    return path.expanduser().absolute()


def _layer_plain(writer: Any, pipeline: Pipeline) -> dict[str, Any]:
    what = f"the model of {pipeline.layer}"
    inside = (None, pipeline.model, getattr(pipeline.model, "native", None))
    return {
        "preparation": writer.plain(pipeline.preparation, f"the preparation of {pipeline.layer}"),
        "model": writer.plain(pipeline.model, what),
        "native": None if any(pipeline.native is one for one in inside) else writer.plain(pipeline.native, what),
        "classes": list(pipeline.classes),
    }


def _without_machine(workload: Workload) -> Workload:
    """Settings of Spark may hold secrets, and another machine has its own."""
    return replace(workload, spec=replace(workload.spec, resources=Resources(), text=""))


def _result_plain(result: VistaResult) -> dict[str, Any]:
    parts = {"plan": result.plan, "outcome": result.outcome, "state": result.state}
    return {"status": result.status, **{name: to_plain(value) for name, value in parts.items()}}


def load(path: Path, trusted: Sequence[str] = ()) -> VistaResult:
    """The result in the folder `path`: scores, report, models and `.predict`; its features stay where they were made.

    trusted: types of models of other libraries that skops may make. Raises VST631, VST632, VST635.
    """
    from vista_nb.executor.leaving.bundle import other_versions, read_manifest
    from vista_nb.result import VistaResult

    folder = Path(path).expanduser().absolute()
    content = read_manifest(folder)
    told = content["result"]
    plan, outcome, state = (from_plain(told[part]) for part in ("plan", "outcome", "state"))
    outcome = replace(outcome, notes=(*outcome.notes, *other_versions(content)))
    run = LoadedRun(folder, content, tuple(trusted), str(told["status"]), plan, outcome)
    return VistaResult.restored(run, state)


class LoadedRun:
    """The handle of a result that came from a folder: it scores new rows, and computes nothing anew."""

    def __init__(
        self,
        folder: Path,
        content: dict[str, Any],
        trusted: tuple[str, ...],
        status: str,
        plan: Plan,
        outcome: RunOutcome,
    ) -> None:
        from vista_nb.executor.leaving.bundle import PARTS
        from vista_nb.executor.leaving.parts import Reader

        self.run_id = str(content["run"])
        self.status, self.plan, self.outcome = status, plan, outcome
        self.error: BaseException | None = None
        self.folder = folder
        self._content = content
        self._reader = Reader(folder / PARTS, trusted)
        self._workload: Workload = self._reader.value(content["workload"])

    @property
    def workload(self) -> Workload:
        return self._workload

    def pipeline(self, layer: str, *, whole: bool = False) -> Pipeline:
        """whole: with the engine's own object, which may need an engine."""
        from vista_nb.executor.leaving.pipeline import Pipeline
        from vista_nb.executor.leaving.prefix_file import on_prefix

        saved = self._saved(layer)
        model = self._value(saved["model"])
        cnn = self._content["cnn"] or {"file": "", "digest": ""}
        workload, source = on_prefix(self._workload, self.folder / cnn["file"], cnn["digest"])
        return Pipeline(
            layer=layer,
            workload=workload,
            preparation=self._value(saved["preparation"]),
            model=model,
            classes=tuple(saved["classes"]),
            label_kind=str(self._content["label_kind"]),
            source=source,
            cache_dir=cache_root(),
            native=self.model(layer) if whole else None,
        )

    def model(self, layer: str) -> object:
        saved = self._saved(layer)
        if saved["native"] is not None:
            return self._value(saved["native"])
        model = self._value(saved["model"])
        native = getattr(model, "native", None)
        return model if native is None else native

    def _value(self, plain: Any) -> Any:
        if _of_spark(plain):
            from vista_nb.session import jvm

            jvm.acquire(self.plan, self._workload, lambda _: None)
        return self._reader.value(plain)

    def _saved(self, layer: str) -> dict[str, Any]:
        layers = self._content["layers"]
        if layer not in layers:
            hint = did_you_mean(layer, tuple(layers), "saved layers")
            raise VistaUsageError("VST026", f"the layer {layer!r} was not saved", hint)
        return dict(layers[layer])

    def features(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        hint = "`.predict(table, images)` makes them of photos; or run the cell again"
        raise VistaUsageError("VST026", f"a saved result holds no features ({self.folder})", hint)

    def held_out(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._without_rows()

    def metrics(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._without_rows()

    def photos(self, keys: Sequence[str], side: int) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._without_rows()

    def _without_rows(self) -> NoReturn:
        hint = "`.predict(table, images)` scores new rows; or run the cell again"
        raise VistaUsageError("VST026", f"a saved result holds no held-out rows ({self.folder})", hint)

    def save(self, result: VistaResult, path: Path, layers: Sequence[str], *, overwrite: bool) -> Path:
        return save(result, [self.pipeline(layer, whole=True) for layer in layers], path, overwrite=overwrite)

    @property
    def saveable(self) -> tuple[str, ...]:
        return tuple(self._content["layers"])

    def poll(self) -> list[Event]:
        return []

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 (the protocol)
        return True

    def cancel(self) -> None:
        """It has ended."""


def _of_spark(plain: Any) -> bool:
    """Whether a Spark model is somewhere inside."""
    if isinstance(plain, dict):
        return plain.get("kind") == "spark" or any(_of_spark(value) for value in plain.values())
    return isinstance(plain, list) and any(_of_spark(item) for item in plain)
