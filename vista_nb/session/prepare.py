"""From a spec to a snapshot: parse, read the tables, bind the names, look into the store.

Reads the spec's text, the user's table, the photos' names and sizes, the store's manifests; returns `Prepared`.
May touch: files (read only, but for the caches of digests) and the notebook's variables. Starts no engine.
All problems of a spec are raised at once: those of its grammar together with those of its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.catalog.bind import bind
from vista_nb.catalog.bind_cluster import cluster_of
from vista_nb.catalog.bind_machine import unfit
from vista_nb.catalog.found import joined, place
from vista_nb.catalog.own_cnn import OwnCNN
from vista_nb.catalog.roster import load_roster
from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.statistics import ColumnFacts, SystemFacts, WorkloadStatistics
from vista_nb.catalog.warm import COLD, WarmFacts
from vista_nb.catalog.workload import IMAGES, Workload
from vista_nb.errors import NotSupportedYet, Problem, VistaDataError, VistaError, VistaSpecError
from vista_nb.plan.candidate import Plan
from vista_nb.session.options import Options
from vista_nb.session.own_models import find_own_cnn
from vista_nb.spec.model import Resources, Spec, StatisticsOverrides
from vista_nb.spec.overrides import apply_overrides
from vista_nb.spec.parse import Parsed, parse

if TYPE_CHECKING:
    import pyarrow as pa

    from vista_nb.executor.downstream.own_model import OwnModel
    from vista_nb.executor.inputs import ImageTables, ModelSource
    from vista_nb.optimizer.calibration import Calibration
    from vista_nb.session.own_estimators import FoundModel

__all__ = ["Prepared", "calibrated", "plan_of", "plan_with", "planned", "prepare", "unsupported", "with_stored"]


@dataclass(frozen=True)
class Prepared:
    """A bound workload with its data. structured and images are None for a what-if, which only explains.

    not_yet: what this version cannot run; unfit: what this machine cannot. own_model: the object of `model: $name`.
    """

    workload: Workload
    snapshot: Snapshot
    structured: pa.Table | None
    images: ImageTables | None
    not_yet: tuple[Problem, ...]
    model: ModelSource | None = None
    notes: tuple[str, ...] = ()
    calibration: Calibration | None = None
    unfit: tuple[Problem, ...] = ()
    own_model: OwnModel | None = None


def prepare(source: str | Mapping[str, object] | Path, namespace: Mapping[str, object], options: Options) -> Prepared:
    """Everything the optimizer needs. Raises VistaSpecError with all problems, or VistaDataError."""
    parsed = _parsed(source, namespace, options)
    table, facts, trouble = _table(parsed.spec, namespace)
    own, no_cnn = _own_cnn(parsed, namespace, probe=trouble is None)
    model, no_model = _own_model(parsed.spec, namespace)
    bound = bind(parsed.spec, load_roster(), facts, own, None if model is None else model.facts)
    # names are not judged against a table that could not be read: its own error comes first
    problems = joined([parsed.problems, () if trouble else bound.problems])
    if problems:
        others = (_as_problem(no_cnn, parsed.spec, "cnn"), _as_problem(no_model, parsed.spec, "model"))
        raise VistaSpecError(joined([problems, *others]), parsed.spec.text)
    if trouble is not None:
        raise trouble
    for error in (no_cnn, no_model):
        if error is not None:
            raise error
    assert bound.workload is not None
    prepared = _with_data(bound.workload, bound.not_yet, table, namespace, options)
    prepared = replace(prepared, own_model=None if model is None else model.model)
    return calibrated(_on_this_machine(prepared))


def _on_this_machine(prepared: Prepared) -> Prepared:
    """A plan for real data says what would keep it from running here."""
    from vista_nb.executor.probe_gpu import gpu_memory
    from vista_nb.executor.probe_machine import machine

    spec = prepared.workload.spec
    if prepared.structured is None:
        return prepared
    gpu = gpu_memory() if spec.resources.gpu_memory else None
    found = unfit(spec, machine(), gpu)
    notes = tuple(f"a run here is refused: {problem.message}" for problem in found)
    return replace(prepared, unfit=found, notes=(*prepared.notes, *notes))


def calibrated(prepared: Prepared, engines: WarmFacts | None = None) -> Prepared:
    """The same with what was measured on this machine and what is warm on it, where it plans for this machine.

    engines: what was warm when the cell began, where its own run starts them meanwhile.
    """
    from vista_nb.session.calibrating import known
    from vista_nb.session.warm import warm_facts

    digest = prepared.model.digest if prepared.model is not None else ""
    found = known(prepared.workload, prepared.snapshot.system, digest)
    warm = COLD if prepared.structured is None else warm_facts(prepared.snapshot, prepared.model, engines)
    return replace(prepared, calibration=found, snapshot=replace(prepared.snapshot, warm=warm))


def unsupported(not_yet: tuple[Problem, ...]) -> NotSupportedYet:
    """The error for a spec whose engine comes later, with everything that is missing named."""
    first, *rest = not_yet
    more = f" (and {len(rest)} more: {'; '.join(p.message for p in rest)})" if rest else ""
    return NotSupportedYet(first.code, first.message + more, first.hint or "`--explain` plans it today")


def plan_of(prepared: Prepared) -> Plan:
    """The optimizer's answer. Raises NoFeasiblePlan."""
    return plan_with(prepared, prepared.snapshot)


def plan_with(prepared: Prepared, snapshot: Snapshot) -> Plan:
    """The same for another machine."""
    from vista_nb.optimizer.optimize import optimize

    measured = prepared.calibration
    plan = optimize(snapshot, calibration=measured)
    said = (measured.note,) if measured is not None and plan.profile == "default" else ()
    return replace(plan, notes=(*plan.notes, *said, *prepared.notes))


def with_stored(prepared: Prepared, model: ModelSource, options: Options) -> Prepared:
    """The same, knowing the model's digest: which layers the store already holds for these images."""
    from vista_nb.session.reuse import kept_beside, stored_layers

    assert prepared.images is not None
    stored, missing = stored_layers(prepared.workload, prepared.images, model, options)
    aside = kept_beside(prepared.workload, prepared.images, model, missing, options)
    snapshot = replace(prepared.snapshot, stored=stored, missing_images=missing, beside=aside)
    return replace(prepared, snapshot=snapshot, model=model)


def planned(prepared: Prepared, options: Options) -> tuple[Prepared, Plan]:
    """The plan of a run: where the stored cut it would start from proves broken, another one, which repairs it."""
    from vista_nb.session.reuse import broken_cut

    plan = plan_of(prepared)
    if prepared.model is not None and broken_cut(prepared, plan, options):
        prepared = with_stored(prepared, prepared.model, options)
        plan = plan_of(prepared)
    if broken_cut(prepared, plan, options):  # a store that cannot be written cannot set parts aside
        pooled = tuple(stored for stored in prepared.snapshot.stored if stored.pooled)
        prepared = replace(prepared, snapshot=replace(prepared.snapshot, stored=pooled))
        plan = plan_of(prepared)
    return prepared, plan


def _names_a_file(source: str) -> bool:
    """Whether a string is a path and no cell: one line, and no `key: value` unless a file is called that."""
    line = source.strip()
    return bool(line) and "\n" not in line and (":" not in line or Path(line).is_file())


def _parsed(source: str | Mapping[str, object] | Path, namespace: Mapping[str, object], options: Options) -> Parsed:
    if isinstance(source, str) and _names_a_file(source):
        source = Path(source.strip())
    if isinstance(source, Path):
        try:
            source = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise VistaDataError(
                "VST301", f"cannot read the spec file {source}: {error}", "name a text file"
            ) from error
    parsed = parse(source, namespace)
    return apply_overrides(parsed, options.all_overrides) if options.all_overrides else parsed


def _own_cnn(
    parsed: Parsed, namespace: Mapping[str, object], *, probe: bool
) -> tuple[OwnCNN | None, VistaError | None]:
    """The user's own CNN, if the spec names one, or why it cannot be had. A spec with problems costs no process."""
    try:
        return find_own_cnn(parsed.spec.cnn, namespace, load_roster(), probe=probe and not parsed.problems), None
    except VistaError as error:
        return None, error


def _own_model(spec: Spec, namespace: Mapping[str, object]) -> tuple[FoundModel | None, VistaError | None]:
    """The notebook's object that `model: $name` means, if the spec says so, or why it cannot be had."""
    if spec.model is None or spec.model.library != "variable":
        return None, None
    from vista_nb.session.own_estimators import find_own_model

    try:
        return find_own_model(spec, namespace), None
    except VistaError as error:
        return None, error


def _as_problem(error: VistaError | None, spec: Spec, key: str) -> tuple[Problem, ...]:
    return () if error is None else (place(spec, key, error.code, error.message, error.hint),)


def _table(
    spec: Spec, namespace: Mapping[str, object]
) -> tuple[pa.Table | None, tuple[ColumnFacts, ...] | None, VistaError | None]:
    """T_str and the facts of its columns; a spec without data (what-if) has neither; an unreadable table its error."""
    if spec.structured is None:
        return None, None, None
    from vista_nb.executor.probe_table import column_facts, read_structured

    try:
        table = read_structured(spec.structured, namespace)
        return table, column_facts(table), None
    except VistaError as error:
        return None, None, error


def _with_data(
    workload: Workload,
    not_yet: tuple[Problem, ...],
    table: pa.Table | None,
    namespace: Mapping[str, object],
    options: Options,
) -> Prepared:
    what_if = table is None or not workload.spec.images
    system = _system(workload.spec.resources, what_if)
    if table is None or not workload.spec.images:
        statistics = _overridden(_what_if(workload), workload.spec.statistics)
        return Prepared(workload, _with_start(Snapshot(workload, statistics, system)), None, None, not_yet)
    from vista_nb.executor.probe_images import link_images
    from vista_nb.executor.probe_table import check_keys
    from vista_nb.executor.quarantine import Quarantine
    from vista_nb.session.reuse import known_bad

    rows, _dropped = check_keys(table, workload.spec.on)
    images = link_images(workload.spec, rows, reread=options.reuse == "require", namespace=namespace)
    Quarantine(images, workload.spec.bad_images).check(images.links.num_rows // max(1, len(workload.spec.images)))
    statistics = _overridden(_measured(workload, rows, images), workload.spec.statistics)
    images = known_bad(workload, images, options)
    prepared = Prepared(workload, Snapshot(workload, statistics, system), table, images, not_yet)
    model = _known_model(workload)
    return with_stored(prepared, model, options) if model is not None else prepared


def _with_start(snapshot: Snapshot) -> Snapshot:
    """A what-if of `plan: {start: LAYER}` takes the layer's raw tensors as stored."""
    start = snapshot.workload.forced_start
    if start in (None, IMAGES):
        return snapshot
    return replace(snapshot, stored=(StoredLayer(str(start), "", snapshot.images, 0, pooled=False),))


def _known_model(workload: Workload) -> ModelSource | None:
    """The model's digest where an earlier run left it in the cache; finding it anew would need TensorFlow."""
    from vista_nb.executor.cnn.prepare import known_model
    from vista_nb.session.folders import cache_root

    return known_model(workload.cnn, workload.weights, workload.spec.seed, cache_root())


def _measured(workload: Workload, rows: pa.Table, images: ImageTables) -> WorkloadStatistics:
    from vista_nb.executor.probe import statistics

    return statistics(workload, rows, images)


def _what_if(workload: Workload) -> WorkloadStatistics:
    """Numbers for a spec without data: a photo of 14 KB as in the paper's Foods, unless the spec says more."""
    given = workload.spec.statistics
    return WorkloadStatistics(
        rows=given.rows or 0,
        structured_features=workload.structured_width,
        image_bytes=14_000,
        views=max(1, len(workload.spec.images)),
        test=workload.spec.held_share,
    )


def _overridden(measured: WorkloadStatistics, given: StatisticsOverrides) -> WorkloadStatistics:
    fields = {name: value for name, value in vars(given).items() if value is not None}
    if "rows" in fields:
        fields["images"] = None  # another n: rows x views again
    return replace(measured, **fields)


def _system(given: Resources, what_if: bool) -> SystemFacts:
    """The machine as detected, with what the spec says in its place; the disk of another machine is unknown."""
    from vista_nb.executor.probe_machine import machine

    found = machine()
    said = {n: getattr(given, n) for n in ("memory", "cores", "nodes", "gpu_memory", "master")}
    fields: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    master = cluster_of(given)
    if master is not None:
        fields = {n: v for n in ("nodes", "cores") if (v := getattr(master, n)) is not None} | fields
        if not master.is_local and not what_if:
            fields["driver_memory"] = found.memory
    if what_if or given.nodes or given.master:
        fields |= {"disk_free": None, "bfloat16": None}
    if given.memory is not None:
        fields["source"] = "spec"
    if (given.nodes or 1) > 1 and given.master is None:
        fields["master"] = "cluster"
    return replace(found, **fields)
