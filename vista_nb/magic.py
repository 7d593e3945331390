"""`%%vista` runs the spec below it; `%vista SUBCOMMAND` looks at plans, results, the store and the machine.

Reads the line, the cell and the notebook's variables; binds results in the notebook. May touch: the user's
namespace and the display. DESIGN.md section 4. Thin: it parses flags, calls `session`, picks a view.
Errors are real exceptions (coded, rendered short), never UsageError and never printed: nbval, nbclient and
papermill must see a failed cell fail. No `output_can_be_silenced`: IPython would read the cell's spec as Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool, Enum, Float, Unicode, observe

from vista_nb import errors
from vista_nb.errors import NotSupportedYet, VistaUsageError
from vista_nb.magic_flags import (
    LATER_SUBCOMMANDS,
    SUBCOMMANDS,
    CellFlags,
    help_text,
    parse_flags,
    split_line,
    take_vary,
)
from vista_nb.spec.suggest import did_you_mean

__all__ = ["VistaMagic", "load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext vista_nb`; a second time changes nothing."""
    if not isinstance(shell.magics_manager.registry.get("VistaMagic"), VistaMagic):
        shell.register_magics(VistaMagic)


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

    @line_cell_magic
    @no_var_expand
    @needs_local_scope
    def vista(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Find out which CNN layer's features predict best: `%%vista`, then the spec. `%vista` alone lists all."""
        if cell is None:
            return self._subcommand(split_line(line))
        flags = parse_flags(line)
        namespace = {**self.shell.user_ns, **(local_ns or {})}
        return self._explain(cell, flags, namespace) if flags.explain else self._run(cell, flags, namespace)

    # -- cells --------------------------------------------------------------------------------------------------

    def _explain(self, cell: str, flags: CellFlags, namespace: Mapping[str, Any]) -> None:
        from IPython.display import display

        from vista_nb import session
        from vista_nb.views.plan_view import Explanation

        chosen: dict[str, Any] = {
            "namespace": namespace,
            "profile": flags.profile,
            "overrides": flags.overrides,
            "reuse": flags.reuse or self.reuse,
            "store_dir": self._store(),
        }
        if flags.vary is not None:
            from vista_nb.views.vary_view import VariationView

            found: Any = session.vary(cell, flags.vary, **chosen)
            shown: Any = VariationView(found)
        else:
            found = session.explain(cell, speculate=self.speculate, **chosen)
            shown = Explanation(found)
        if flags.out:
            self.shell.push({flags.out: found})
        if not flags.quiet and flags.ui != "off":
            display(_Text(str(shown)) if flags.ui == "text" else shown)

    def _run(self, cell: str, flags: CellFlags, namespace: Mapping[str, Any]) -> None:
        """Bind at once, then draw until the end: an error or an interrupt leaves the partial result bound."""
        from vista_nb import session
        from vista_nb.views.choose import resolve, view_for

        began = time.monotonic()
        kind = "off" if flags.quiet else resolve(flags.ui or _env_or(self.ui))
        result = session.submit(
            cell,
            namespace=namespace,
            reuse=flags.reuse or self.reuse,
            profile=flags.profile,
            overrides=flags.overrides,
            store_dir=self._store(),
            store_budget=self.store_budget or None,
            speculate=self.speculate,
        )
        self.shell.push({"_vista": result, **({flags.out: result} if flags.out else {})})
        traits = {"progress_after": self.progress_after, "refresh_hz": self.refresh_hz, "began": began}
        session.drive(result, view_for(kind, result, **traits))
        if flags.analyze and kind != "off":
            from IPython.display import display

            shown = result.explain(analyze=True)
            display(_Text(str(shown)) if kind == "text" else shown)

    def _store(self) -> str | None:
        return self.store_dir or None

    # -- lines --------------------------------------------------------------------------------------------------

    def _subcommand(self, words: list[str]) -> Any:
        if not words:
            return _Text(help_text())
        name, rest = words[0], words[1:]
        if name.startswith("-"):
            raise VistaUsageError("VST005", "a run is a cell, not a line", "write %%vista and the spec below it")
        if name in LATER_SUBCOMMANDS:
            raise NotSupportedYet("VST951", f"%vista {name} is not supported yet", "`%vista` lists what is")
        known: dict[str, Callable[[list[str]], Any]] = {
            "explain": self._explain_run,
            "show": self._show,
            "store": self._store_command,
            "doctor": self._doctor,
            "cnns": self._cnns,
            "layers": self._layers,
        }
        if name not in known:
            hint = did_you_mean(name, tuple(SUBCOMMANDS), "subcommands")
            raise VistaUsageError("VST004", f"unknown subcommand {name!r}", hint)
        return known[name](rest)

    def _explain_run(self, words: list[str]) -> Any:
        rest, varied = take_vary(words)
        analyze = "--analyze" in rest
        rest = [word for word in rest if word != "--analyze"]
        if varied is None:
            return self._show(rest, "explain").explain(analyze=analyze)
        if analyze:
            raise VistaUsageError("VST003", "--vary plans and does not run", "leave --analyze or --vary out")
        from vista_nb import session
        from vista_nb.views.vary_view import VariationView

        _at_most(rest, 1, "explain")
        return VariationView(session.vary_run(rest[0] if rest else None, varied))

    def _show(self, words: list[str], name: str = "show") -> Any:
        from vista_nb import session

        _at_most(words, 1, name)
        return session.show(words[0] if words else None)

    def _store_command(self, words: list[str]) -> Any:
        from vista_nb.store.budget import store_budget
        from vista_nb.store_command import run_store

        return run_store(words, self._store(), store_budget(self.store_budget)).shown

    def _doctor(self, words: list[str]) -> Any:
        from vista_nb import session
        from vista_nb.listings import doctor_table

        if words[:1] == ["--calibrate"]:
            return self._calibrate(words[1:])
        _at_most(words, 0, "doctor")
        return doctor_table(session.doctor())

    def _calibrate(self, names: list[str]) -> Any:
        """One line that changes with each step; its last state is gone when the table is there."""
        from IPython.display import display

        from vista_nb import session
        from vista_nb.listings import calibration_table

        line = display(_Text("measuring ..."), display_id=True)
        records = session.calibrate(
            names, namespace=self.shell.user_ns, say=lambda text: line.update(_Text(text)) if line else None
        )
        if line:
            line.update(_Text(f"measured: {', '.join(record.cnn for record in records)}"))
        return calibration_table(records)

    def _cnns(self, words: list[str]) -> Any:
        from vista_nb.listings import cnns_table

        _at_most(words, 0, "cnns")
        return cnns_table()

    def _layers(self, words: list[str]) -> Any:
        from vista_nb.listings import layers_table

        _at_most(words, 1, "layers")
        if not words:
            raise VistaUsageError("VST003", "%vista layers needs a CNN", "%vista cnns lists them")
        from vista_nb.session.calibrating import as_measured
        from vista_nb.session.own_models import cnn_called

        return layers_table(*as_measured(cnn_called(words[0], self.shell.user_ns)))


class _Text(str):
    """Text that a notebook shows without quotes."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(str(self))


def _env_or(configured: str) -> str:
    """VISTA_NB_UI comes before `%config`: whoever runs a notebook headless must have the last word."""
    import os

    return "auto" if os.environ.get("VISTA_NB_UI", "").strip() else configured


def _at_most(words: list[str], most: int, name: str) -> None:
    if len(words) > most:
        extra = " ".join(words[most:])
        raise VistaUsageError("VST003", f"%vista {name}: nothing known about {extra!r}", SUBCOMMANDS[name])
