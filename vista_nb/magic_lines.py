"""The subcommands of `%vista`: explain, show, runs, compare, cancel, wait, run, session, store, spec, doctor, ...

Reads the words of the line and the magic's settings; returns what the notebook shows. May touch: the display, and what
`session` touches. DESIGN.md section 4. One function per subcommand, found by its name in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vista_nb.command_words import expect
from vista_nb.errors import VistaUsageError
from vista_nb.magic_flags import SUBCOMMANDS, flags_of, take_vary
from vista_nb.spec.suggest import did_you_mean
from vista_nb.views.words import Words

if TYPE_CHECKING:
    from vista_nb.magic import VistaMagic

__all__ = ["obey"]


def obey(magic: VistaMagic, words: Sequence[str]) -> Any:
    """What `%vista NAME ...` shows. Raises VistaUsageError for a name that is none."""
    name, rest = words[0], list(words[1:])
    if name.startswith("-"):
        raise VistaUsageError("VST005", "a run is a cell, not a line", "write %%vista and the spec below it")
    if name not in _COMMANDS:
        hint = did_you_mean(name, tuple(SUBCOMMANDS), "subcommands")
        raise VistaUsageError("VST004", f"unknown subcommand {name!r}", hint)
    return _COMMANDS[name](magic, rest)


def _explain(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb import session

    rest, varied = take_vary(words)
    analyze = "--analyze" in rest
    if analyze:
        rest.remove("--analyze")
    expect(rest, 0, 1, "explain")
    name = rest[0] if rest else None
    if varied is None:
        return session.show(name).explain(analyze=analyze)
    if analyze:
        raise VistaUsageError("VST003", "--vary plans and does not run", "leave --analyze or --vary out")
    from vista_nb.views.vary_view import VariationView

    return VariationView(session.vary_run(name, varied))


def _show(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb import session

    expect(words, 0, 1, "show")
    return session.show(words[0] if words else None)


def _runs(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.run_listing import runs_table

    expect(words, 0, 0, "runs")
    return runs_table()


def _compare(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb import session

    expect(words, 2, 2, "compare")
    return session.show(words[0]).compare(session.show(words[1]))


def _cancel(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.session.runs import GOING, find_going

    expect(words, 0, 1, "cancel")
    result = find_going(words[0] if words else None)
    if result.status not in GOING:
        return Words(f"{result.run_id} has ended already: {result.status}")
    result.cancel()
    ended = result.wait(1.0)
    kept = ", ".join(score.layer for score in result.outcome.scores if not score.is_baseline)
    said = "cancelled" if ended else "is being cancelled: a step that cannot be stopped now is left to end"
    return Words(f"{result.run_id} {said}; {f'kept: {kept}' if kept else 'no layer was finished'}")


def _wait(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.session.driving import wait_for
    from vista_nb.session.runs import find_run, going

    expect(words, 0, 1, "wait")
    left = going()
    return wait_for(left[-1] if left and not words else find_run(words[0] if words else None))


def _run(magic: VistaMagic, words: list[str]) -> Any:
    """`run -f FILE [flags]`, the file's flag anywhere."""
    rest = list(words)
    place = next((k for k, word in enumerate(rest) if word.partition("=")[0] in ("-f", "--file")), None)
    if place is None:
        raise VistaUsageError("VST003", "%vista run needs a spec file", SUBCOMMANDS["run"])
    _, equals, name = rest.pop(place).partition("=")
    if not equals:
        if place == len(rest):
            raise VistaUsageError("VST003", "-f needs a file", SUBCOMMANDS["run"])
        name = rest.pop(place)
    file = Path(name).expanduser()
    if not file.is_file():
        raise VistaUsageError("VST008", f"no spec file {name!r}", "give the path of a text file holding the spec")
    return magic.execute(file, flags_of(rest), magic.shell.user_ns)


def _session(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb.session_command import run_session

    return run_session(words, magic)


def _store(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb.store.budget import store_budget
    from vista_nb.store_command import run_store

    return run_store(words, magic.store_folder(), store_budget(magic.store_budget)).shown


def _spec(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.spec_help import spec_help

    template = "--template" in words
    if template:
        words.remove("--template")
    expect(words, 0, 0 if template else 1, "spec")
    return spec_help("--template" if template else words[0] if words else None)


def _doctor(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb import session
    from vista_nb.listings import doctor_table

    if words[:1] == ["--calibrate"]:
        return _calibrate(magic, words[1:])
    expect(words, 0, 0, "doctor")
    return doctor_table(session.doctor())


def _calibrate(magic: VistaMagic, names: list[str]) -> Any:
    """One line that changes with each step; its last state is gone when the table is there."""
    from IPython.display import display

    from vista_nb import session
    from vista_nb.listings import calibration_table

    line = display(Words("measuring ..."), display_id=True)
    records = session.calibrate(
        names, namespace=magic.shell.user_ns, say=lambda text: line.update(Words(text)) if line else None
    )
    if line:
        line.update(Words(f"measured: {', '.join(record.cnn for record in records)}"))
    return calibration_table(records)


def _cnns(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.listings import cnns_table

    expect(words, 0, 0, "cnns")
    return cnns_table()


def _layers(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb.listings import layers_table
    from vista_nb.session.calibrating import as_measured
    from vista_nb.session.own_models import cnn_called

    if not words:
        raise VistaUsageError("VST003", "%vista layers needs a CNN", "%vista cnns lists them")
    expect(words, 1, 1, "layers")
    return layers_table(*as_measured(cnn_called(words[0], magic.shell.user_ns)))


def _predict(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb.leaving_command import run_predict

    return run_predict(words, magic)


def _export(magic: VistaMagic, words: list[str]) -> Any:
    from vista_nb.leaving_command import run_export

    return run_export(words, magic)


def _mistakes(magic: VistaMagic, words: list[str]) -> Any:  # noqa: ARG001 (alike)
    from vista_nb.mistakes_command import run_mistakes

    return run_mistakes(words)


_COMMANDS: Final[dict[str, Callable[[VistaMagic, list[str]], Any]]] = {
    "explain": _explain,
    "show": _show,
    "runs": _runs,
    "compare": _compare,
    "cancel": _cancel,
    "wait": _wait,
    "run": _run,
    "session": _session,
    "store": _store,
    "spec": _spec,
    "doctor": _doctor,
    "cnns": _cnns,
    "layers": _layers,
    "mistakes": _mistakes,
    "predict": _predict,
    "export": _export,
}
