"""The flags and subcommands round a run: limits, background, run -f, runs, compare, cancel, wait, session, spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import FLAG_CASES, SPEC, Submitted, failed, run
from sample_run import SampleRun, sample_events, sample_outcome, sample_plan, sample_score
from slow_run import SlowRun, submit_slow

from vista_nb import session
from vista_nb.errors import PlanRefused, VistaCancelled, VistaRunError, VistaUsageError
from vista_nb.magic import VistaMagic
from vista_nb.magic_flags import FLAGS, CellFlags, parse_flags
from vista_nb.result import VistaResult
from vista_nb.session import jvm, runs

WHAT_IF = "cnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}\n"


def code_of(error: BaseException) -> str:
    return str(getattr(error, "code", type(error).__name__))


@pytest.mark.parametrize(("line", "field", "value"), FLAG_CASES)
def test_every_flag_is_read(line: str, field: str, value: object) -> None:
    """One case per flag at least: none is known only to the help."""
    assert getattr(parse_flags(line), field) == value
    assert getattr(CellFlags(), field) != value


def test_no_flag_is_without_a_case() -> None:
    """The table above grows with FLAGS."""
    lines = " ".join(line for line, *_ in FLAG_CASES)
    assert all(any(name in lines for name in flag.names) for flag in FLAGS)


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("--max-mem lots", "VST003", "--max-mem 4GB"),
        ("--max-time 0", "VST003", "--max-time 90s"),
        ("--max-time soon", "VST003", "--max-time 90s"),
        ("--layers fc6 --set layers=all", "VST002", "keep one"),
        ("--bg --bg", "VST002", "keep one"),
        ("--bg --explain", "VST003", "leave one"),
        ("--bg --analyze", "VST003", "%vista explain --analyze"),
        ("--bgg", "VST001", "did you mean `--bg`?"),
        ("--max-memory 4GB", "VST001", "did you mean `--max-mem`?"),
        ("--layers", "VST003", "LAYERS"),
    ],
)
def test_mistakes_in_the_new_flags_are_coded(
    shell: InteractiveShell, submitted: Submitted, line: str, code: str, hint: str
) -> None:
    """Before anything starts."""
    error, text = failed(shell, f"%%vista {line}\n{SPEC}")
    assert isinstance(error, VistaUsageError)
    assert (error.code, hint in error.hint) == (code, True), error
    assert code in text
    assert submitted.calls == []


def test_limits_and_layers_reach_the_session(shell: InteractiveShell, submitted: Submitted) -> None:
    """A flag wins over `%config`."""
    run(shell, "%config VistaMagic.max_mem = '16GB'\n%config VistaMagic.max_time = '1h'")
    run(shell, f"%%vista -q --layers 'top 2' --max-time 90s\n{SPEC}")
    options = submitted.calls[0][1]
    assert (options["max_memory"], options["max_seconds"]) == (16_000_000_000, 90.0)
    assert options["overrides"] == (("layers", "top 2"),)


@pytest.mark.parametrize(
    ("flags", "code"),
    [("--max-mem 1MB", "VST211"), ("--max-time 1s", "VST212"), ("--profile sigmod2020 --max-time 1h", "VST213")],
)
def test_a_plan_beyond_a_limit_is_refused_and_shown(shell: InteractiveShell, flags: str, code: str) -> None:
    """The real planner: the plan first, then a true error."""
    from IPython.utils.capture import capture_output

    with capture_output() as shown:
        outcome = shell.run_cell(f"%%vista --explain {flags}\n{WHAT_IF}")
    assert isinstance(outcome.error_in_exec, PlanRefused)
    assert outcome.error_in_exec.code == code
    assert "resnet50" in shown.outputs[0].data["text/plain"]
    assert run(shell, f"%%vista --explain --max-mem 1TB --max-time 1000h\n{WHAT_IF}")[1].outputs


def test_settings_with_wrong_values_are_refused_where_they_are_written(shell: InteractiveShell) -> None:
    """`%config` keeps the old value (IPython says why)."""
    magic = next(c for c in shell.configurables if isinstance(c, VistaMagic))
    run(shell, "%config VistaMagic.max_mem = 'lots'\n%config VistaMagic.store_budget = '-3'")
    run(shell, "%config VistaMagic.max_time = 'soon'")
    assert (magic.max_mem, magic.store_budget, magic.max_time) == ("", "", "")
    run(shell, "%config VistaMagic.max_time = '10m'")
    assert magic.max_time == "10m"


def test_run_f_is_the_cell_from_a_file(shell: InteractiveShell, submitted: Submitted, tmp_path: Path) -> None:
    """The path goes to the session; the cell's flags hold, before and after it."""
    spec = tmp_path / "rooms.vista"
    spec.write_text(SPEC, encoding="utf-8")
    run(shell, f"%vista run -f {spec} -o rooms -q")
    run(shell, f"%vista run -q --reuse never --file={spec}")
    assert [source for source, _ in submitted.calls] == [spec, spec]
    assert submitted.calls[1][1]["reuse"] == "never"
    assert isinstance(shell.user_ns["rooms"], VistaResult)
    for line, code in (
        ("run", "VST003"),
        ("run -f", "VST003"),
        ("run -f no-such", "VST008"),
        (f"run -f {spec} --x", "VST001"),
    ):
        assert code_of(failed(shell, f"%vista {line}")[0]) == code


def test_a_mistake_in_a_file_has_its_line_and_caret(shell: InteractiveShell, tmp_path: Path) -> None:
    """The real parser: the place in the file, the hint."""
    spec = tmp_path / "rooms.vista"
    spec.write_text("cnn: resnet50\nlabbel: x\n", encoding="utf-8")
    _, text = failed(shell, f"%vista run -f {spec}")
    assert "VST102 line 2, column 1" in text
    assert "    ^^^^^^" in text
    assert "did you mean `label`?" in text


def test_bg_in_a_terminal_says_how_to_wait(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, nothing later: a thread must not write into the prompt. wait returns the result."""
    monkeypatch.setattr(session, "submit", submit_slow())
    value, shown = run(shell, f"%%vista --bg -o rooms\n{SPEC}")
    name = shell.user_ns["rooms"].run_id
    assert value is None
    assert shown.outputs[0].data == {"text/plain": f"{name} runs in the background: %vista wait {name} waits and "
                                     f"shows it, %vista cancel {name} stops it"}  # fmt: skip
    result, shown = run(shell, f"%vista wait {name}")
    assert result is shell.user_ns["rooms"]
    assert result.status == "done"
    assert run(shell, "%vista wait")[0] is result  # it has ended: shown at once


def test_runs_cancel_and_compare(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed with their state; a cancelled run keeps what it finished; two runs side by side."""
    monkeypatch.setattr(session, "submit", submit_slow())
    run(shell, f"%%vista -q -o first\n{SPEC}")
    monkeypatch.setattr(session, "submit", submit_slow(hold="end"))
    run(shell, f"%%vista -q --bg -o second\n{SPEC}")
    first, second = shell.user_ns["first"].run_id, shell.user_ns["second"].run_id
    listed = str(run(shell, "%vista runs")[0])
    assert listed.index(first) < listed.index(second)
    assert "running" in listed
    assert "conv5_2" in listed
    assert "cancelled" in run(shell, "%vista cancel")[0]
    assert "has ended already: cancelled" in run(shell, f"%vista cancel {second}")[0]
    assert isinstance(failed(shell, "%vista wait")[0], VistaCancelled)
    compared = str(run(shell, f"%vista compare {first} {second}")[0])
    assert "0.856" in compared
    assert "status: done against cancelled" in compared
    for line, code in (("compare r1", "VST003"), (f"compare {first} r999", "VST010"), ("cancel", "VST010")):
        assert code_of(failed(shell, f"%vista {line}")[0]) == code


def test_compare_says_what_differs() -> None:
    """Differences per layer with their sign, layers of one run only, other plans and models named."""
    plan, short = sample_plan(), sample_plan(("conv5_3", "fc6"), cnn="vgg16")
    first, second = SampleRun([], plan), SampleRun([], short)
    second.outcome = sample_outcome(short, scores=(sample_score("conv5_3", 0.9), sample_score("fc6", 0.8)))
    text = str(VistaResult(first).compare(VistaResult(second)))
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "+0.056" in lines["conv5_3"]
    assert "-0.019" in lines["fc6"]
    assert "computed, not run" in lines["conv4_6"]
    assert "CNN: resnet50 against vgg16" in text


def test_session_info_names_the_source_of_each_setting(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default, `%config`, environment; starts nothing."""
    monkeypatch.setenv("VISTA_NB_STORE_BYTES", "7GB")
    run(shell, "%config VistaMagic.reuse = 'never'")
    text = str(run(shell, "%vista session")[0])
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "%config" in rows["reuse"]
    assert "never" in rows["reuse"]
    assert "VISTA_NB_STORE_BYTES" in rows["store_budget"]
    assert rows["ui"].split()[-1] == "default"
    assert "Spark" in text


def test_session_stop_and_restart_without_an_engine(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to stop is said; while a run goes on both are refused; a user's own session is left alone."""
    monkeypatch.setattr(jvm, "current", lambda: None)
    monkeypatch.setattr(jvm, "has_users_session", lambda: False)
    monkeypatch.setattr(jvm, "stop", lambda: None)
    assert "not up" in run(shell, "%vista session stop")[0]
    assert "not up" in run(shell, "%vista session restart")[0]
    monkeypatch.setattr(jvm, "has_users_session", lambda: True)
    assert "left alone" in run(shell, "%vista session restart")[0]
    going = SlowRun()
    monkeypatch.setitem(runs._results, going.run_id, VistaResult(going))
    for word in ("stop", "restart"):
        error, _ = failed(shell, f"%vista session {word}")
        assert code_of(error) == "VST015"
        assert going.run_id in str(error)
    assert code_of(failed(shell, "%vista session restrt")[0]) == "VST004"


def test_spec_help(shell: InteractiveShell) -> None:
    """All keys, one key, one part, a template that parses."""
    from vista_nb.spec.parse import parse

    assert "bad_images" in str(run(shell, "%vista spec")[0])
    layers = str(run(shell, "%vista spec layers")[0])
    assert "top 5" in layers
    plan = str(run(shell, "%vista spec plan")[0])
    assert "plan.materialization" in plan
    assert "lazy, eager, staged" in str(run(shell, "%vista spec plan.materialization")[0])
    template = str(run(shell, "%vista spec --template")[0])
    head, _, body = template.partition("\n")
    assert parse_flags(head.removeprefix("%%vista")).out == "result"
    assert parse(body).problems == ()
    for line, hint in (
        ("spec layer", "`layers`"),
        ("spec target", "`label`"),
        ("spec plan.cpus", "`plan.cpu`"),
        ("spec cpu", "`plan.cpu`"),
    ):
        error, _ = failed(shell, f"%vista {line}")
        assert isinstance(error, VistaUsageError)
        assert (error.code, hint in error.hint) == ("VST018", True), error


def test_an_interrupt_while_planning_is_a_cancelled_run(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Python traceback; the name stays unbound."""

    def interrupted(source: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "submit", interrupted)
    error, text = failed(shell, f"%%vista -o rooms\n{SPEC}")
    assert isinstance(error, VistaCancelled)
    assert "Traceback" not in text
    assert "rooms" not in shell.user_ns


def test_an_interrupt_before_the_view_is_there_stops_the_run(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that nobody watches must not go on."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vista_nb.views.choose.view_for", interrupted)
    error, _ = failed(shell, f"%%vista -o rooms\n{SPEC}")
    assert isinstance(error, VistaCancelled)
    assert submitted.run.cancelled.is_set()


def test_long_errors_hold_the_whole_chain(shell: InteractiveShell, submitted: Submitted) -> None:
    """`short_errors = False`: Python's frames and the cause."""
    error = VistaRunError("VST511", "step failed", "look below")
    error.__cause__ = ValueError("the root cause")
    submitted.run = SampleRun([sample_events(sample_plan(), 5)], status="failed")
    submitted.run.error = error
    run(shell, "%config VistaMagic.short_errors = False")
    text = failed(shell, f"%%vista --ui off\n{SPEC}")[1]
    assert "the root cause" in text
    assert "Traceback" in text


def test_every_flag_subcommand_and_setting_is_documented() -> None:
    """docs/magic.md names all of them; a setting's variable too."""
    from vista_nb.magic_flags import SUBCOMMANDS
    from vista_nb.magic_settings import SETTINGS

    text = (Path(__file__).resolve().parents[2] / "docs" / "magic.md").read_text(encoding="utf-8")
    assert [flag.names[-1] for flag in FLAGS if not any(f"`{name}" in text for name in flag.names)] == []
    assert [name for name in SUBCOMMANDS if f"%vista {name}" not in text and f"`{name}" not in text] == []
    assert [s.trait for s in SETTINGS if s.trait and f"`{s.trait}`" not in text] == []
    assert [s.variable for s in SETTINGS if s.trait and s.variable and s.variable not in text] == []


def test_every_setting_of_the_magic_is_listed_by_session(shell: InteractiveShell) -> None:
    """Each trait that `%config` knows has its row, and its environment variable is the one the code reads."""
    from vista_nb.magic_settings import SETTINGS

    magic = next(c for c in shell.configurables if isinstance(c, VistaMagic))
    assert set(magic.trait_names(config=True)) == {setting.trait for setting in SETTINGS if setting.trait}
    package = Path(__file__).resolve().parents[2] / "vista_nb"
    files = [path for path in package.rglob("*.py") if path.name != "magic_settings.py"]
    read = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [setting.variable for setting in SETTINGS if setting.variable not in read] == []
