"""The line of the magic, word by word: variables in flags, flags of subcommands, its own help, how plans are shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import SPEC, Submitted, failed, run
from slow_run import submit_slow

from vista_nb import session
from vista_nb.errors import VistaUsageError
from vista_nb.magic_flags import FLAGS, SUBCOMMANDS
from vista_nb.session_command import SESSION_COMMANDS
from vista_nb.store_command import STORE_COMMANDS

WHAT_IF = "cnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}\n"


def test_variables_are_inserted_into_flags(shell: InteractiveShell, submitted: Submitted, tmp_path: Path) -> None:
    """`{{x}}` as in the body: the parameters of papermill reach the flags too; `$x` stays for the spec."""
    spec = tmp_path / "rooms.vista"
    spec.write_text(SPEC, encoding="utf-8")
    run(shell, f"limit, wanted, regularized, file = '4GB', ['fc6', 'conv5_3'], 0.1, {str(spec)!r}")
    run(shell, f"%%vista -q --max-mem {{{{limit}}}} --layers {{{{ wanted }}}} --set structured=$products\n{SPEC}")
    run(shell, "%vista run -q -f {{file}} --set model.regParam={{regularized}}")
    (_, first), (source, second) = submitted.calls
    assert first["max_memory"] == 4_000_000_000
    assert first["overrides"] == (("structured", "$products"), ("layers", "[fc6, conv5_3]"))
    assert source == spec
    assert second["overrides"] == (("model.regParam", "0.1"),)


@pytest.mark.parametrize(
    ("line", "words", "hint"),
    [
        ("--max-mem {{limt}}", "--max-mem: no variable `limt` is defined", "did you mean {{limit}}?"),
        ("--max-mem={{limit * 2}}", "must hold the name of one variable", "give it a name"),
        ("--set label={{submitted}}", "which has no text to insert", "$submitted"),
    ],
)
def test_a_variable_that_cannot_be_inserted_is_named(
    shell: InteractiveShell, submitted: Submitted, line: str, words: str, hint: str
) -> None:
    """Before anything starts, with what was meant."""
    shell.push({"limit": "4GB", "submitted": submitted})
    error, _ = failed(shell, f"%%vista {line}\n{SPEC}")
    assert isinstance(error, VistaUsageError)
    assert error.code == "VST019"
    assert words.rpartition(": ")[2] in error.message
    assert hint in error.hint
    assert submitted.calls == []


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("explain --analyse", "VST001", "did you mean `--analyze`?"),
        ("explain --analyze --analyze", "VST002", "explain [RUN]"),
        ("explain --vary memory=2g..8g --vary nodes=1..2", "VST002", "explain [RUN]"),
        ("show --all", "VST001", "show [RUN]"),
        ("runs -v", "VST001", "runs:"),
        ("spec --templat", "VST001", "did you mean `--template`?"),
        ("spec --template layers", "VST003", "spec [KEY"),
        ("doctor --calibrated", "VST001", "did you mean `--calibrate`?"),
        ("compare r1", "VST003", "compare RUN RUN"),
    ],
)
def test_flags_that_a_subcommand_does_not_have(shell: InteractiveShell, line: str, code: str, hint: str) -> None:
    """Never taken for the name of a run."""
    error, _ = failed(shell, f"%vista {line}")
    assert isinstance(error, VistaUsageError)
    assert (error.code, hint in error.hint) == (code, True), error


def test_the_overview_names_the_words_that_are_obeyed() -> None:
    """`session` and `store` list their own commands; a help that promises more would be a lie."""
    for name, commands in (("session", SESSION_COMMANDS), ("store", STORE_COMMANDS)):
        offered = re.findall(r"[a-z]+", SUBCOMMANDS[name].partition(":")[0])[1:]
        assert offered == list(commands)


def test_the_help_of_the_magic_lists_every_flag(shell: InteractiveShell) -> None:
    """`%%vista?` and `%vista` say the same."""
    text = shell.find_line_magic("vista").__doc__
    assert all(name in text for flag in FLAGS for name in flag.names)
    assert all(words in text for words in SUBCOMMANDS.values())


@pytest.mark.parametrize(("setting", "mimes"), [("auto", 2), ("text", 1), ("off", 0)])
def test_plans_obey_the_settings_of_display(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, setting: str, mimes: int
) -> None:
    """`--ui`, VISTA_NB_UI and `%config` alike: HTML and text, text alone, nothing; the plan is bound all the same."""
    run(shell, f"%config VistaMagic.ui = '{setting}'")
    by_setting = run(shell, f"%%vista --explain -o plan\n{WHAT_IF}")[1].outputs
    assert shell.user_ns.pop("plan").cnn == "resnet50"
    by_flag = run(shell, f"%%vista --explain --ui {setting}\n{WHAT_IF}")[1].outputs
    run(shell, "%config VistaMagic.ui = 'auto'")
    monkeypatch.setenv("VISTA_NB_UI", setting)
    by_environment = run(shell, f"%%vista --explain\n{WHAT_IF}")[1].outputs
    for outputs in (by_setting, by_flag, by_environment):
        assert sum(len(output.data) for output in outputs) == mimes


def test_every_subcommand_is_obeyed(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line for each in the overview; none is known only to the help."""
    spec = tmp_path / "rooms.vista"
    spec.write_text(SPEC, encoding="utf-8")
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path))
    monkeypatch.setattr(session, "submit", submit_slow())
    run(shell, f"%%vista -q -o rooms\n{SPEC}")
    name = shell.user_ns["rooms"].run_id
    lines = {
        "explain": (name, "eager, inference after join"),
        "show": (name, "0.856"),
        "runs": ("", name),
        "cancel": (name, "has ended already: done"),
        "wait": (name, "0.856"),
        "compare": (f"{name} {name}", "conv5_2"),
        "run": (f"-f {spec} --ui text", "0.856"),
        "session": ("info", "Spark"),
        "spec": ("pool", "max 2x2"),
        "store": ("ls", "the store is empty"),
        "doctor": ("", "Python"),
        "cnns": ("", "resnet50"),
        "layers": ("resnet50", "conv5_3"),
    }
    of_trained_runs = ["mistakes", "predict", "export"]  # test_mistakes_command.py, test_leaving_commands.py
    assert [*lines, *of_trained_runs] == list(SUBCOMMANDS)
    formatter: Any = shell.display_formatter
    for command, (words, expected) in lines.items():
        value, shown = run(shell, f"%vista {command} {words}")
        text = shown.stdout if value is None else formatter.format(value)[0]["text/plain"]
        assert expected in text, command
