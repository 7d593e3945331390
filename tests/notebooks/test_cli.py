"""`vista-nb`: exit statuses, short errors on standard error, one JSON object, light imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sample_run import SampleRun, sample_events, sample_plan

from vista_nb import session
from vista_nb.cli import main
from vista_nb.errors import NoFeasiblePlan, Problem, VistaCancelled, VistaError, VistaRunError, VistaSpecError
from vista_nb.result import VistaResult


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.vista"
    path.write_text("structured: products.csv\n", encoding="utf-8")
    return path


def submit_of(run: SampleRun) -> Any:
    return lambda source, **options: VistaResult(run)


def test_a_run_prints_its_stages_and_table(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0, through the real `session.run` and `drive`."""
    monkeypatch.setattr(session, "submit", submit_of(SampleRun([sample_events(sample_plan())])))
    assert main(["run", str(spec)]) == 0
    printed = capsys.readouterr()
    assert "*  conv5_2" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (VistaRunError("VST501", "worker lost"), 1),
        (VistaSpecError([Problem("VST101", "unknown key 'cnnn'")]), 2),
        (NoFeasiblePlan("nothing fits", "worker - user > core", 5_000_000_000), 3),
        (VistaCancelled("stopped", ["fc6"]), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_status_of_each_kind_of_failure(
    error: BaseException, status: int, spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error's class gives the status; its short form goes to standard error."""

    def submit(source: Any, **options: Any) -> VistaResult:
        raise error

    monkeypatch.setattr(session, "submit", submit)
    assert main(["run", str(spec)]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (str(error) or "interrupted") in printed.err
    assert "Traceback" not in printed.err


def test_explain_prints_text_or_one_json_object(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same plan twice."""
    monkeypatch.setattr(session, "explain", lambda source, **options: sample_plan())
    assert main(["explain", str(spec)]) == 0
    assert "fc6" in capsys.readouterr().out
    assert main(["explain", str(spec), "--json", "--profile", "sigmod2020", "--set", "plan.cpu=2"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["logical"]["materialization"] == "eager"
    assert plan["memory"]["total"] == sample_plan().memory.total


def test_no_plan_as_json(spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 and the object of DESIGN.md section 4."""

    def explain(source: Any, **options: Any) -> None:
        raise NoFeasiblePlan("nothing fits", "worker - user > core", 5_000_000_000)

    monkeypatch.setattr(session, "explain", explain)
    assert main(["explain", str(spec), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found == {"error": "nothing fits", "constraint": "worker - user > core", "smallest_memory": 5_000_000_000}


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["run"], ["run", "no-such-file"], ["explain", "x", "--profile", "best"], ["layers", "resnet5O"]],
)
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Coded like every other error."""
    assert main(arguments) == 2
    assert "VistaUsageError VST0" in capsys.readouterr().err


def test_analyze_prints_the_tree_or_one_json_object(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the table; with --json nothing but the object; --json alone is a usage error."""
    monkeypatch.setattr(session, "submit", submit_of(SampleRun([sample_events(sample_plan())])))
    assert main(["run", str(spec), "--analyze"]) == 0
    printed = capsys.readouterr().out
    assert "*  conv5_2" in printed
    assert "predicted    measured  ratio" in printed
    assert main(["run", str(spec), "--analyze", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"predicted_seconds", "measured_seconds", "error", "steps", "memory"} == set(found)
    assert main(["run", str(spec), "--json"]) == 2


def test_cnns_and_layers_come_from_the_roster(capsys: pytest.CaptureFixture[str]) -> None:
    """Real data, as text."""
    assert main(["cnns"]) == 0
    assert "resnet50" in capsys.readouterr().out
    assert main(["layers", "resnet50"]) == 0
    assert "conv5_3" in capsys.readouterr().out


def test_every_error_class_has_a_status_the_shell_can_read() -> None:
    """0 is success, so no error may have it."""

    def all_below(kind: type) -> set[type]:
        return {kind}.union(*(all_below(child) for child in kind.__subclasses__()))

    assert {error.exit_status for error in all_below(VistaError)} == {1, 2, 3}


def test_the_command_line_starts_without_an_engine() -> None:
    """`vista-nb layers` must not pay for Spark, TensorFlow, pandas or matplotlib."""
    code = (
        "import sys; from vista_nb.cli import main; main(['layers', 'resnet50']); "
        "heavy = {'pyspark', 'tensorflow', 'keras', 'pandas', 'pyarrow', 'matplotlib', 'IPython', 'ipywidgets'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "conv5_3" in done.stdout


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """`vista-nb layers resnet50 | true`."""
    command = f"{sys.executable} -m vista_nb.cli layers resnet50 | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


WHAT_IF = """cnn: resnet50
layers: top 2
statistics: {rows: 2000, structured_features: 20}
resources: {memory: 16 GB, cores: 2}
"""


def test_vary_prints_where_the_plan_changes_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real planner over a spec without data: text on standard output, SVG in the file."""
    spec, picture = tmp_path / "what_if.vista", tmp_path / "plan.svg"
    spec.write_text(WHAT_IF, encoding="utf-8")
    assert main(["explain", str(spec), "--vary", "memory=1g..16g", "--picture", str(picture)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("memory 1.0 GB .. 16.0 GB: the plan changes")
    assert "no plan fits" in out
    assert picture.read_text(encoding="utf-8").startswith("<svg ")


def test_vary_needs_a_range_and_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Coded errors, status 2."""
    spec = tmp_path / "what_if.vista"
    spec.write_text(WHAT_IF, encoding="utf-8")
    for arguments in (["--vary", "memory"], ["--vary", "nodes=1..2", "--json"], ["--picture", "x.svg"]):
        assert main(["explain", str(spec), *arguments]) == 2
        assert "VST00" in capsys.readouterr().err
