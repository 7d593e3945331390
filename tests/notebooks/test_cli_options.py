"""`vista-nb`: limits, other layers and help of the spec, with the real planner and no data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vista_nb.cli import main

WHAT_IF = "cnn: resnet50\nlayers: top 2\nstatistics: {rows: 2000, structured_features: 20}\n"


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "what_if.vista"
    path.write_text(WHAT_IF, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("limit", "code"), [(["--max-mem", "1MB"], "VST211"), (["--max-time", "1s"], "VST212")])
def test_a_plan_beyond_a_limit_is_printed_and_refused(
    spec: str, limit: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 3: the plan on standard output, the error on the other; one object where JSON was asked for."""
    assert main(["explain", spec, *limit]) == 3
    printed = capsys.readouterr()
    assert "resnet50" in printed.out
    assert code in printed.err
    assert main(["explain", spec, "--json", *limit]) == 3
    assert json.loads(capsys.readouterr().out)["code"] == code


def test_limits_that_hold_change_nothing(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same plan."""
    assert main(["explain", spec]) == 0
    plain = capsys.readouterr().out
    assert main(["explain", spec, "--max-mem", "1TB", "--max-time", "1000h"]) == 0
    assert capsys.readouterr().out == plain


def test_other_layers(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As `--set layers=...`."""
    assert main(["explain", spec, "--layers", "conv4_6..conv5_1"]) == 0
    assert "conv4_6" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--max-mem", "lots"], ["--max-time", "0"], ["--layers"]])
def test_wrong_values_are_status_2(spec: str, option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Coded like every other mistake."""
    assert main(["explain", spec, *option]) == 2
    assert "VST001" in capsys.readouterr().err


def test_spec_help(capsys: pytest.CaptureFixture[str]) -> None:
    """All keys, one, a part, the template; an unknown one with what was meant."""
    assert main(["spec"]) == 0
    assert "bad_images" in capsys.readouterr().out
    assert main(["spec", "plan.join"]) == 0
    assert "shuffle, broadcast" in capsys.readouterr().out
    assert main(["spec", "--template"]) == 0
    assert capsys.readouterr().out.startswith("%%vista")
    assert main(["spec", "targett"]) == 2
    assert "VST018" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "hint"),
    [("--max-memory=4GB", "did you mean `--max-mem`?"), ("--prof", "did you mean `--profile`?"), ("more", "--help")],
)
def test_unknown_options_say_what_was_meant(
    spec: str, option: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the command that was called; half an option is none, as in the magic."""
    assert main(["explain", spec, option]) == 2
    printed = capsys.readouterr().err
    assert "VST001: vista-nb explain: unknown argument" in printed
    assert hint in printed
