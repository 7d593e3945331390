"""`%%vista` runs the spec below it; `%vista SUBCOMMAND` looks at plans, results, the store and the machine.

Reads the line, the cell and the notebook's variables; binds results in the notebook. May touch: the user's
namespace and the display. DESIGN.md section 4. Thin: it parses flags, calls `session`, picks a view.
Errors are real exceptions (coded, rendered short), never UsageError and never printed: nbval, nbclient and
papermill must see a failed cell fail. No `output_can_be_silenced`: IPython would read the cell's spec as Python.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool, Enum, Float, TraitError, Unicode, observe, validate

from vista_nb import errors
from vista_nb.errors import PlanRefused, VistaCancelled
from vista_nb.magic_flags import CellFlags, flags_of, help_text, insert_into, split_line
from vista_nb.magic_settings import asked_ui, environment_first
from vista_nb.units import parse_bytes, parse_seconds
from vista_nb.views.words import Words

__all__ = ["VistaMagic", "load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext vista_nb`; a second time changes nothing."""
    if not isinstance(shell.magics_manager.registry.get("VistaMagic"), VistaMagic):
        from vista_nb.completion import install

        shell.register_magics(VistaMagic)
        install(shell)


@magics_class
class VistaMagic(Magics):
    """Settings: `%config VistaMagic.<name> = value`; a flag of the cell wins over them."""

    short_errors = Bool(True, help="show the message and the hint only, without Python's traceback").tag(config=True)
    ui = Enum(("auto", "widget", "static", "text", "off"), "auto", help="how a run is shown").tag(config=True)
    reuse = Enum(("auto", "never", "require"), "auto", help="whether stored layers are used").tag(config=True)
    speculate = Enum(
        ("auto", "always", "never"), "auto", help="whether other layers on the way are kept for later cells"
    ).tag(config=True)
    store_dir = Unicode("", help="folder or URI of the store; empty: VISTA_NB_STORE_DIR, else the cache").tag(
        config=True
    )
    store_budget = Unicode("", help="bytes it may take, such as 5GB; empty: VISTA_NB_STORE_BYTES, else 20GB").tag(
        config=True
    )
    max_mem = Unicode("", help="refuse plans whose workers hold more, such as 4GB; empty: no limit").tag(config=True)
    max_time = Unicode("", help="refuse plans predicted to take longer, such as 10m; empty: no limit").tag(config=True)
    progress_after = Float(1.0, min=0.0, help="seconds before the live panel appears").tag(config=True)
    refresh_hz = Float(10.0, min=0.1, max=10.0, help="most redraws of the panel per second").tag(config=True)

    def __init__(self, shell: Any = None, **kwargs: Any) -> None:
        super().__init__(shell, **kwargs)
        errors.short_errors(self.short_errors)
        if shell is not None and self not in shell.configurables:
            shell.configurables.append(self)  # what makes %config know it

    @observe("short_errors")
    def _short_errors(self, change: Mapping[str, Any]) -> None:
        errors.short_errors(change["new"])

    @validate("store_budget", "max_mem", "max_time")
    def _measure(self, proposal: Mapping[str, Any]) -> str:
        """A wrong size is refused where it is written, not in the next cell."""
        read: Callable[[str], object] = parse_seconds if proposal["trait"].name == "max_time" else parse_bytes
        value = str(proposal["value"])
        try:
            read(value or "1")
        except ValueError as error:
            raise TraitError(str(error)) from None
        return value

    @line_cell_magic
    @no_var_expand
    @needs_local_scope
    def vista(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Find out which CNN layer's features predict best: `%%vista`, then the spec. `%vista` alone lists all."""
        namespace = {**self.shell.user_ns, **(local_ns or {})}
        words = insert_into(split_line(line), namespace)
        if cell is None:
            from vista_nb.magic_lines import obey

            return obey(self, words) if words else Words(help_text())
        return self.execute(cell, flags_of(words), namespace)

    def execute(self, source: str | Path, flags: CellFlags, namespace: Mapping[str, Any]) -> None:
        """A cell's body, or a spec file: plan it or run it, as the flags say. A refused plan is shown."""
        try:
            return self._explain(source, flags, namespace) if flags.explain else self._run(source, flags, namespace)
        except PlanRefused as error:
            from vista_nb.views.plan_view import Explanation

            self._show(Explanation(error.plan), flags)  # type: ignore[arg-type]
            raise

    def _chosen(self, flags: CellFlags, namespace: Mapping[str, Any]) -> dict[str, Any]:
        """What `session` is told of flags and settings; a flag wins."""
        return {
            "namespace": namespace,
            "profile": flags.profile,
            "overrides": flags.overrides,
            "reuse": flags.reuse or self.reuse,
            "store_dir": self.store_folder(),
        }

    def _limits(self, flags: CellFlags) -> dict[str, Any]:
        memory = parse_bytes(self.max_mem) if self.max_mem and flags.max_memory is None else flags.max_memory
        seconds = parse_seconds(self.max_time) if self.max_time and flags.max_seconds is None else flags.max_seconds
        return {"max_memory": memory, "max_seconds": seconds}

    def _show(self, shown: Any, flags: CellFlags) -> None:
        """A plan, or what was measured: as text where text was asked for, not at all where nothing was."""
        from IPython.display import display

        asked = asked_ui(flags.ui, self.ui)
        if not flags.quiet and asked != "off":
            display(Words(shown) if asked == "text" else shown)

    def _explain(self, source: str | Path, flags: CellFlags, namespace: Mapping[str, Any]) -> None:
        from vista_nb import session
        from vista_nb.views.plan_view import Explanation

        chosen = self._chosen(flags, namespace)
        if flags.vary is not None:
            from vista_nb.views.vary_view import VariationView

            found: Any = session.vary(source, flags.vary, **chosen)
            shown: Any = VariationView(found)
        else:
            found = session.explain(source, speculate=self.speculate, **self._limits(flags), **chosen)
            shown = Explanation(found)
        if flags.out:
            self.shell.push({flags.out: found})
        self._show(shown, flags)

    def _run(self, source: str | Path, flags: CellFlags, namespace: Mapping[str, Any]) -> None:
        """Bind at once, then draw until the end: an error or an interrupt leaves the partial result bound."""
        from vista_nb import session
        from vista_nb.views.choose import resolve

        began = time.monotonic()
        kind = "off" if flags.quiet else resolve(flags.ui or environment_first(self.ui))
        result: Any = None
        try:
            result = session.submit(
                source,
                store_budget=self.store_budget or None,
                speculate=self.speculate,
                **self._limits(flags),
                **self._chosen(flags, namespace),
            )
            self.shell.push({"_vista": result, **({flags.out: result} if flags.out else {})})
            if kind in ("widget", "static"):
                _import_early("matplotlib.backends.backend_agg")
            view = self._view(kind, flags.background, result, began)
        except BaseException as error:
            if result is not None:
                result.cancel()  # nobody would watch it
            if isinstance(error, KeyboardInterrupt):
                raise VistaCancelled("the run was cancelled before it began") from None
            raise
        if flags.background:
            return session.watch(result, view)
        session.drive(result, view)
        if flags.analyze:
            self._show(result.explain(analyze=True), flags)
        return None

    def _view(self, kind: str, background: bool, result: Any, began: float) -> Any:
        traits = {"progress_after": self.progress_after, "refresh_hz": self.refresh_hz, "began": began}
        if background:
            from vista_nb.views.background_view import background_view

            return background_view(kind, result, result.run_id, result.cancel, **traits)
        from vista_nb.views.choose import view_for

        return view_for(kind, result, **traits)

    def store_folder(self) -> str | None:
        """The folder or address that `%config` names; None: the environment's or the default one."""
        return self.store_dir or None


def _import_early(module: str) -> None:
    """While the engines work: what draws the last picture takes most of a second to import, and an interrupted kernel
    should be idle within two.
    """
    threading.Thread(target=import_module, args=(module,), name="vista-import", daemon=True).start()


VistaMagic.vista.__doc__ = f"{VistaMagic.vista.__doc__}\n\n{help_text()}"  # what `%%vista?` shows
