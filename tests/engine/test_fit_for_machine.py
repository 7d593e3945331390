"""What this machine lacks: a run is refused with the setting named, EXPLAIN says it, a what-if plans other machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from executor_support import catalogue

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor import probe_gpu, probe_machine
from vista_nb.session.options import Options
from vista_nb.session.prepare import Prepared, plan_of, prepare
from vista_nb.session.runs import refuse_unsupported

BODY = """structured: {table}
images: photos/{{id}}.jpg
label: label
cnn: mobilenet_025
weights: random
layers: top 2
model: LogisticRegression(regParam=0.05)
{more}
"""
WHAT_IF = """cnn: resnet50
layers: top 3
model: LogisticRegression(regParam=0.05)
task: classification
statistics: {rows: 20000, structured_features: 130}
precision: bfloat16
resources: {memory: 32g, cores: 8, gpu_memory: 8g}
"""


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with neither bfloat16 nor a GPU."""
    plain = replace(probe_machine.machine(), bfloat16=False)
    monkeypatch.setattr(probe_machine, "machine", lambda *_: plain)
    monkeypatch.setattr(probe_gpu, "gpu_memory", lambda: None)


def prepared(folder: Path, more: str) -> Prepared:
    return prepare(BODY.format(table=catalogue(folder, rows=60), more=more), {}, Options())


@pytest.mark.parametrize(
    ("more", "code", "setting"),
    [
        ("precision: bfloat16", "VST411", "precision: bfloat16"),
        ("resources: {gpu_memory: 2g}", "VST412", "gpu_memory"),
    ],
)
@pytest.mark.usefixtures("lacking")
def test_a_run_is_refused_and_explain_says_so(tmp_path: Path, more: str, code: str, setting: str) -> None:
    """The plan is found all the same: it is worth reading."""
    found = prepared(tmp_path, more)
    with pytest.raises(VistaEnvironmentError, match=code) as refused:
        refuse_unsupported(found)
    assert setting in str(refused.value)
    (note,) = [note for note in plan_of(found).notes if "a run here is refused" in note]
    assert setting in note


@pytest.mark.usefixtures("lacking")
def test_without_these_settings_nothing_changes(tmp_path: Path) -> None:
    """float32 on the processor."""
    found = prepared(tmp_path, "precision: float32")
    refuse_unsupported(found)
    assert not [note for note in plan_of(found).notes if "refused" in note]


@pytest.mark.usefixtures("lacking")
def test_a_what_if_is_about_another_machine() -> None:
    """No refusal in its notes, and the machine's bfloat16 is unknown."""
    found = prepare(WHAT_IF, {}, Options())
    assert found.unfit == ()
    assert found.snapshot.system.bfloat16 is None
    assert not [note for note in plan_of(found).notes if "refused" in note]


def test_where_the_machine_has_it_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 on a processor that has it; a GPU that is large enough."""
    able = replace(probe_machine.machine(), bfloat16=True)
    monkeypatch.setattr(probe_machine, "machine", lambda *_: able)
    monkeypatch.setattr(probe_gpu, "gpu_memory", lambda: 16 * 10**9)
    refuse_unsupported(prepared(tmp_path / "a", "precision: bfloat16"))
    refuse_unsupported(prepared(tmp_path / "b", "resources: {gpu_memory: 8g}"))
