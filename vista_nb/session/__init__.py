"""The session room: the only one that knows all parts. From a spec to a plan, from a plan to a running job.

Reads a spec (text, mapping or file) and the notebook's variables; returns `Plan` or `VistaResult`. May touch:
everything, but every engine only when a run needs it: importing this package imports none.
The way of one cell: `prepare` (parse, read the tables, bind, look into the store) -> `optimizer.optimize` ->
`runs.Run` (worker thread, JVM, executor) -> `drive` (the cell's main thread draws).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vista_nb.plan.candidate import Plan
    from vista_nb.plan.variation import Variation
    from vista_nb.result import VistaResult
    from vista_nb.session.calibration_cache import CNNRecord
    from vista_nb.session.health import Check
    from vista_nb.views.protocol import View

__all__ = ["calibrate", "doctor", "drive", "explain", "load", "run", "show", "submit", "vary", "vary_run", "watch"]

Source = str | Mapping[str, object] | Path


def submit(
    source: Source,
    *,
    namespace: Mapping[str, object] | None = None,
    reuse: str = "auto",
    profile: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    store_dir: Path | str | None = None,
    store_budget: str | int | None = None,
    speculate: str | None = None,
    max_memory: int | None = None,
    max_seconds: float | None = None,
) -> VistaResult:
    """Check and plan the spec here, then start the job in a worker thread; the result is readable at once.

    store_budget: bytes the store may take (`5GB`), else VISTA_NB_STORE_BYTES, else 20 GB: VST616 for what is no size.
    max_memory (bytes per worker node), max_seconds: a plan beyond them is refused.
    Raises VistaSpecError, NotSupportedYet, VistaDataError, NoFeasiblePlan or PlanRefused before anything starts.
    """
    from vista_nb.result import VistaResult
    from vista_nb.session.limits import refuse_beyond_limits
    from vista_nb.session.options import Options
    from vista_nb.session.prepare import plan_of, prepare
    from vista_nb.session.runs import Run, refuse_unsupported
    from vista_nb.store.budget import store_budget as bytes_of

    budget = bytes_of(store_budget)
    options = Options(
        reuse,
        profile,
        tuple(overrides),
        store_dir,
        verify=True,
        store_budget=budget,
        speculate=speculate,
        max_memory=max_memory,
        max_seconds=max_seconds,
    )
    prepared = prepare(source, namespace or {}, options)
    refuse_unsupported(prepared)
    plan = plan_of(prepared)
    refuse_beyond_limits(plan, options)
    run = Run(prepared, plan, options)
    result = VistaResult(run)
    run.remember(result)
    run.start()  # last: whatever is started can be found, and cancelled
    return result


def drive(result: VistaResult, view: View) -> VistaResult:
    """Draw a submitted run until it ends; an interrupt cancels it. Raises what the run raised."""
    from vista_nb.session import driving

    return driving.drive(result, view)


def run(source: Source, *, ui: str = "off", **options: Any) -> VistaResult:
    """`submit` and `drive` in one: for scripts. `ui` as in the magic's `--ui`; `.explain(analyze=True)` afterwards."""
    from vista_nb.views.choose import resolve, view_for

    kind = resolve(ui)  # a wrong one is refused before anything starts
    result = submit(source, **options)
    return drive(result, view_for(kind, result))


def explain(
    source: Source,
    *,
    namespace: Mapping[str, object] | None = None,
    profile: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    reuse: str = "auto",
    store_dir: Path | str | None = None,
    speculate: str | None = None,
    max_memory: int | None = None,
    max_seconds: float | None = None,
) -> Plan:
    """The plan a run would obey, without a JVM and without TensorFlow. Raises what `submit` raises."""
    from vista_nb.session.limits import refuse_beyond_limits
    from vista_nb.session.options import Options
    from vista_nb.session.prepare import plan_of, prepare

    options = Options(
        reuse,
        profile,
        tuple(overrides),
        store_dir,
        speculate=speculate,
        max_memory=max_memory,
        max_seconds=max_seconds,
    )
    plan = plan_of(prepare(source, namespace or {}, options))
    refuse_beyond_limits(plan, options)
    return plan


def vary(
    source: Source,
    varied: str,
    *,
    namespace: Mapping[str, object] | None = None,
    profile: str | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    reuse: str = "auto",
    store_dir: Path | str | None = None,
) -> Variation:
    """Where the plan changes as memory, nodes or cores vary: `memory=2g..64g`. Starts no engine."""
    from vista_nb.session.varying import vary_spec

    return vary_spec(
        source,
        varied,
        namespace=namespace,
        profile=profile,
        overrides=overrides,
        reuse=reuse,
        store_dir=store_dir,
    )


def vary_run(name: str | None, varied: str) -> Variation:
    """The same for the last run, or the one named."""
    from vista_nb.session import varying

    return varying.vary_run(name, varied)


def doctor() -> tuple[Check, ...]:
    """What this machine has for a run, and what is missing."""
    from vista_nb.session.health import checks

    return checks()


def calibrate(
    names: Sequence[str] = (), *, namespace: Mapping[str, object] | None = None, say: Callable[[str], None]
) -> tuple[CNNRecord, ...]:
    """Measure this machine and these CNNs (default: those used here before) for the plans to come; `say` is told of
    each step. Raises VistaUsageError for an unknown CNN.
    """
    from vista_nb.session import calibrating
    from vista_nb.session.own_models import cnn_called

    cnns = tuple(cnn_called(name, namespace) for name in names) or calibrating.default_cnns()
    return calibrating.calibrate(cnns, say)


def load(path: str | Path, trusted: Sequence[str] = ()) -> VistaResult:
    """A result that `VistaResult.save` wrote, in any process: scores, report, models, `.predict`. No pickle is read.

    trusted: types that skops may make beside those it trusts (of a third library's model, where you know who saved it).
    Raises VistaStoreError VST631 (no saved result), VST632 (damaged), VST634 (types not trusted), VST635 (format).
    """
    from vista_nb.session import leaving

    return leaving.load(Path(path), trusted)


def show(run: str | None = None) -> VistaResult:
    """The last run of this kernel, or the one named, or a saved one of an earlier kernel. Starts no engine."""
    from vista_nb.session.saved_runs import find_any

    return find_any(run)


def watch(result: VistaResult, view: View) -> None:
    """Draw a submitted run from a thread of its own until it ends, and return at once: `--bg`."""
    from vista_nb.session import background

    background.watch(result, view)
