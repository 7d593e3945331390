"""`%%vista` and `%vista` in a real IPython shell; only the engine behind `session.submit` is stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import SPEC, Submitted, failed, run
from sample_run import SampleRun, sample_events, sample_outcome, sample_plan, sample_score

from vista_nb import session
from vista_nb.errors import VistaCancelled, VistaRunError, VistaUsageError
from vista_nb.magic import VistaMagic
from vista_nb.plan.candidate import Plan
from vista_nb.result import VistaResult


def test_a_cell_runs_its_body_and_shows_the_result_once(shell: InteractiveShell, submitted: Submitted) -> None:
    """Static form: one display with text, html and png; nothing returned, `_vista` bound."""
    value, shown = run(shell, f"%%vista --ui static\n{SPEC}")
    assert value is None
    assert [source for source, _ in submitted.calls] == [SPEC]
    assert len(shown.outputs) == 1
    assert set(shown.outputs[0].data) == {"text/plain", "text/html", "image/png"}
    assert isinstance(shell.user_ns["_vista"], VistaResult)


def test_flags_and_settings_reach_the_session(shell: InteractiveShell, submitted: Submitted) -> None:
    """A flag wins over `%config`; notebook variables go along."""
    run(shell, "products = 42\n%config VistaMagic.reuse = 'never'\n%config VistaMagic.store_dir = 'somewhere'")
    run(shell, f"%%vista -q --profile sigmod2020 --set plan.cpu=2 --set resources.memory=4GB\n{SPEC}")
    run(shell, f"%%vista -q --reuse require\n{SPEC}")
    first, second = (options for _, options in submitted.calls)
    assert first["namespace"]["products"] == 42
    assert (first["reuse"], first["profile"], first["store_dir"]) == ("never", "sigmod2020", "somewhere")
    assert first["overrides"] == (("plan.cpu", "2"), ("resources.memory", "4GB"))
    assert second["reuse"] == "require"


def test_the_name_is_bound_before_the_run_ends(shell: InteractiveShell, submitted: Submitted) -> None:
    """A failed run can be looked into: the partial result is there when the error comes."""
    submitted.run = SampleRun([sample_events(sample_plan(), 9)], status="failed")
    submitted.run.outcome = sample_outcome(submitted.run.plan, scores=(sample_score("conv4_6"),), tests=())
    submitted.run.error = VistaRunError("VST501", "worker lost", "try again", stage="train")
    error, text = failed(shell, f"%%vista -o rooms --ui static\n{SPEC}")
    assert error is submitted.run.error
    assert "VistaRunError VST501: worker lost" in text
    assert "Traceback" not in text
    assert shell.user_ns["rooms"].status == "failed"
    assert list(shell.user_ns["rooms"].accuracy.layer) == ["conv4_6"]


def test_quiet_binds_and_shows_nothing(shell: InteractiveShell, submitted: Submitted) -> None:
    """`-q`."""
    value, shown = run(shell, f"%%vista -o rooms -q\n{SPEC}")
    assert value is None
    assert shown.outputs == []
    assert shown.stdout == ""
    assert shell.user_ns["rooms"].best.layer == "conv5_2"


def test_without_a_kernel_lines_of_text_are_written(shell: InteractiveShell, submitted: Submitted) -> None:
    """A terminal gets one line per stage and the table."""
    _, shown = run(shell, f"%%vista\n{SPEC}")
    assert "[5/11] CNN: image to conv4_6 .. fc6: 25.0 s, 800 images, 32.0 images/s" in shown.stdout
    assert "*  conv5_2" in shown.stdout


def test_an_interrupt_is_a_real_error_that_says_what_was_kept(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KeyboardInterrupt in the waiting main thread cancels the run and ends as VistaCancelled."""
    waits = iter([False, KeyboardInterrupt(), True, True])

    def wait(timeout: float | None = None) -> bool:
        answer = next(waits)
        if isinstance(answer, KeyboardInterrupt):
            submitted.run.portions = []
            raise answer
        return answer

    submitted.run = SampleRun([[], []], status="cancelled")
    submitted.run.outcome = sample_outcome(submitted.run.plan, scores=(sample_score("conv4_6"),), tests=())
    monkeypatch.setattr(submitted.run, "wait", wait)
    error, text = failed(shell, f"%%vista --ui static\n{SPEC}")
    assert isinstance(error, VistaCancelled)
    assert submitted.run.cancelled.is_set()
    assert "kept: conv4_6" in text


def test_explain_shows_the_plan_and_does_not_run(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text and html; `-o` binds the plan."""
    asked: dict[str, Any] = {}

    def explain(source: str, **options: Any) -> Plan:
        asked.update(options, source=source)
        return sample_plan()

    monkeypatch.setattr(session, "explain", explain)
    value, shown = run(shell, f"%%vista --explain -o plan --set plan.cpu=2\n{SPEC}")
    assert value is None
    assert asked["source"] == SPEC
    assert asked["overrides"] == (("plan.cpu", "2"),)
    assert shell.user_ns["plan"] == sample_plan()
    assert submitted.calls == []
    data = shown.outputs[0].data
    assert "fc6" in data["text/plain"]
    assert "CNN workers" in data["text/html"]
    assert run(shell, f"%%vista --explain -q\n{SPEC}")[1].outputs == []


def test_a_spec_with_braces_and_dollars_arrives_as_written(shell: InteractiveShell, submitted: Submitted) -> None:
    """IPython's own expansion of {x} and $x must not touch the body or the line."""
    run(shell, "id = 7")
    run(shell, f"%%vista -q --set images=photos/\n{SPEC}")
    assert submitted.calls[0][0] == SPEC


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("--reus auto", "VST001", "did you mean `--reuse`?"),
        ("-o a -o b", "VST002", "keep one"),
        ("-o", "VST003", "NAME"),
        ("-o 2nd", "VST003", "Python name"),
        ("-o class", "VST003", "Python name"),
        ("--reuse allways", "VST003", "one of: auto, never, require"),
        ("--ui widgets", "VST003", "did you mean `widget`?"),
        ("-q=yes", "VST003", "alone"),
        ("--set cpu", "VST003", "plan.cpu=2"),
        ("-o 'a", "VST003", "quote"),
        ("show", "VST005", "%vista show"),
        ("rooms", "VST005", "below the first line"),
    ],
)
def test_mistakes_in_the_flags_are_coded(
    shell: InteractiveShell, submitted: Submitted, line: str, code: str, hint: str
) -> None:
    """Unknown, duplicate, incomplete: VistaUsageError with one hint, before anything starts."""
    error, text = failed(shell, f"%%vista {line}\n{SPEC}")
    assert isinstance(error, VistaUsageError)
    assert error.code == code
    assert hint in error.hint
    assert code in text
    assert submitted.calls == []


def test_analyze_shows_the_result_and_then_predicted_against_measured(
    shell: InteractiveShell, submitted: Submitted
) -> None:
    """Two displays; the second has the tree with both columns, as text and as HTML. `-q` shows neither."""
    _, shown = run(shell, f"%%vista --analyze --ui static\n{SPEC}")
    assert len(shown.outputs) == 2
    analyzed = shown.outputs[1].data
    assert set(analyzed) == {"text/plain", "text/html"}
    assert "predicted    measured  ratio" in analyzed["text/plain"]
    assert "Start the engines" in analyzed["text/html"]
    _, quiet = run(shell, f"%%vista --analyze -q\n{SPEC}")
    assert quiet.outputs == []


def test_analyze_runs_and_so_goes_with_neither_explain_nor_vary(shell: InteractiveShell, submitted: Submitted) -> None:
    """Coded, before anything starts."""
    error, _ = failed(shell, f"%%vista --explain --analyze\n{SPEC}")
    assert isinstance(error, VistaUsageError)
    assert error.code == "VST003"
    assert submitted.calls == []
    error, _ = failed(shell, "%vista explain --analyze --vary memory=2g..64g")
    assert isinstance(error, VistaUsageError)
    assert error.code == "VST003"


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("shwo", "VST004", "did you mean `show`?"),
        ("store lsd", "VST004", "did you mean `ls`?"),
        ("-o rooms", "VST005", "%%vista"),
        ("layers", "VST003", "%vista cnns"),
        ("layers resnet5O", "VST007", "did you mean `resnet50`?"),
        ("doctor now", "VST003", "doctor"),
    ],
)
def test_mistakes_in_subcommands_are_coded(shell: InteractiveShell, line: str, code: str, hint: str) -> None:
    """Did-you-mean for names, the right form for a run written as a line."""
    error, text = failed(shell, f"%vista {line}")
    assert isinstance(error, VistaUsageError)
    assert (error.code, hint in error.hint) == (code, True)
    assert code in text


def test_listings(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CNNs and layers from the real roster, the store from a real, empty folder."""
    cnns, _ = run(shell, "%vista cnns")
    assert "resnet50" in str(cnns)
    layers, _ = run(shell, "%vista layers ResNet-50")
    assert "conv5_3" in str(layers)
    assert "<table" in layers._repr_mimebundle_()["text/html"]
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path))
    assert "the store is empty" in str(run(shell, "%vista store ls")[0])
    overview, _ = run(shell, "%vista")
    assert "--profile PROFILE" in overview
    assert "layers CNN" in overview


def test_show_and_explain_repaint_the_last_run(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`%vista show [RUN]` asks the session; `%vista explain` is the plan of the same run."""
    result = VistaResult(SampleRun([]))
    asked: list[str | None] = []
    monkeypatch.setattr(session, "show", lambda run=None: asked.append(run) or result)
    assert run(shell, "%vista show")[0] is result
    assert "fc6" in str(run(shell, "%vista explain r2")[0])
    assert asked == [None, "r2"]


def test_config_knows_the_settings_and_short_errors_can_be_long(shell: InteractiveShell, submitted: Submitted) -> None:
    """`%config VistaMagic.short_errors = False` gives Python's traceback."""
    run(shell, "%config VistaMagic.short_errors = False")
    error, text = failed(shell, f"%%vista --bogus\n{SPEC}")
    assert isinstance(error, VistaUsageError)
    assert "Traceback" in text
    run(shell, "%config VistaMagic.short_errors = True")
    assert "Traceback" not in failed(shell, f"%%vista --bogus\n{SPEC}")[1]
    run(shell, "%config VistaMagic.ui = 'fancy'")  # IPython logs the refusal
    assert next(c for c in shell.configurables if isinstance(c, VistaMagic)).ui == "auto"


def test_loading_twice_keeps_the_settings(shell: InteractiveShell) -> None:
    """`%load_ext`, `%reload_ext`: one magic, once in `%config`."""
    run(shell, "%config VistaMagic.ui = 'off'\n%reload_ext vista_nb")
    magics = [c for c in shell.configurables if isinstance(c, VistaMagic)]
    assert len(magics) == 1
    assert magics[0].ui == "off"


def test_the_environment_comes_before_config(
    shell: InteractiveShell, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs a notebook headless has the last word, short of the cell's own flag."""
    run(shell, "%config VistaMagic.ui = 'text'")
    monkeypatch.setenv("VISTA_NB_UI", "off")
    assert run(shell, f"%%vista\n{SPEC}")[1].stdout == ""
    assert "conv5_2" in run(shell, f"%%vista --ui text\n{SPEC}")[1].stdout


WHAT_IF = "cnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}\n"


def test_vary_shows_where_the_plan_changes(shell: InteractiveShell) -> None:
    """`%%vista --explain --vary`: bound, shown with a picture, nothing runs."""
    _, shown = run(shell, f"%%vista --explain -o found --vary memory=2g..8g\n{WHAT_IF}")
    assert shell.user_ns["found"].key == "memory"
    bundle = shown.outputs[0].data
    assert bundle["text/plain"].startswith("memory 2.0 GB .. 8.0 GB: the plan changes")
    assert 'role="img"' in bundle["text/html"]


def test_vary_of_a_run_asks_the_session(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`%vista explain [RUN] --vary KEY=LOW..HIGH`."""
    asked = []

    def vary_run(name: str | None, varied: str) -> str:
        asked.append((name, varied))
        return "variation"

    monkeypatch.setattr(session, "vary_run", vary_run)
    run(shell, "found = %vista explain r2 --vary nodes=1..64")
    assert asked == [("r2", "nodes=1..64")]
    assert shell.user_ns["found"].variation == "variation"


@pytest.mark.parametrize("line", ["%vista explain --vary", "%%vista --vary memory=2g..8g\n" + WHAT_IF])
def test_vary_mistakes_are_coded(shell: InteractiveShell, line: str) -> None:
    """A missing range, and a run that is asked to vary."""
    with pytest.raises(VistaUsageError, match="vary"):
        shell.run_cell(line).raise_error()
