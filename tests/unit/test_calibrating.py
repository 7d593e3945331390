"""Which measured numbers a plan may use: of this machine only, by mode; and what EXPLAIN says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vista_nb
from vista_nb.catalog.roster import load_roster
from vista_nb.errors import NoFeasiblePlan, VistaUsageError
from vista_nb.listings import calibration_table, layers_table
from vista_nb.optimizer.calibration import Measured
from vista_nb.plan.explain import explain
from vista_nb.session import calibrate, calibrating, doctor, vary
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord, MachineRecord
from vista_nb.units import GB

RESNET50 = load_roster().find("resnet50")
assert RESNET50 is not None
TOP = RESNET50.layers[-1]
RECORD = CNNRecord(
    "resnet50", RESNET50.builder, "ab" * 32, "float32", 1_700_000_000.0, "doctor",
    {TOP.name: Measured(2 * TOP.seconds, 1.9 * TOP.seconds, 2.2 * TOP.seconds)}, Measured(9.0, 8.5, 9.9),
    ((8, 1_000_000_000), (32, 1_480_000_000)), 102_000_000,
)  # fmt: skip
SPEC: dict[str, Any] = {
    "cnn": "resnet50",
    "layers": "top 3",
    "model": "LogisticRegression(regParam=0.01)",
    "statistics": {"rows": 4000, "structured_features": 10},
    "resources": {"memory": "8 GB", "cores": 1},
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationCache:
    """A calibrated machine in a cache of its own."""
    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "read")
    monkeypatch.delenv("VISTA_NB_UI", raising=False)
    made = CalibrationCache(tmp_path)
    made.keep(RECORD)
    made.keep(MachineRecord(RECORD.when, {"decode_seconds": Measured(0.002, 0.0019, 0.0022)}))
    return made


def planned(**changes: Any) -> vista_nb.plan.candidate.Plan:
    return vista_nb.explain({**SPEC, **changes})


def test_a_plan_for_this_machine_uses_and_names_what_was_measured(cache: CalibrationCache) -> None:
    """Twice the seconds of the roster; the line of two batch sizes with its margin; one note with the date."""
    plan = planned(plan={"batch_size": 32, "cpu": 1})
    (note,) = [note for note in plan.notes if "measured on this machine" in note]
    assert note.startswith("resnet50's seconds and memory as measured on this machine, 2023-11-")
    assert plan.memory.dl_execution == -(-1_480_000_000 * 108 // 100)
    assert note in explain(plan)
    smaller = planned(plan={"batch_size": 8, "cpu": 1})
    assert smaller.memory.dl_execution == -(-1_000_000_000 * 108 // 100)
    least = planned(plan={"batch_size": 1, "cpu": 1})
    assert least.memory.dl_execution == smaller.memory.dl_execution  # what loading takes, a smaller batch takes too


def test_a_plan_with_the_rosters_numbers_is_faster(cache: CalibrationCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode `never` plans as if nothing had been measured, and says nothing of it."""
    slow = planned()
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "never")
    usual = planned()
    assert slow.chosen is not None
    assert usual.chosen is not None
    assert slow.chosen.seconds > 1.5 * usual.chosen.seconds  # type: ignore[operator]
    assert not any("measured" in note for note in usual.notes)
    assert cache.cnns()


@pytest.mark.parametrize(
    "resources",
    [
        {"memory": "8 GB", "cores": 4, "nodes": 8},
        {"memory": "8 GB", "cores": 1, "nodes": 2, "master": "spark://head:7077"},
        {"memory": "8 GB", "cores": 4096},
        {"memory": "900 TB", "cores": 1},
    ],
    ids=["nodes", "master", "more cores", "more memory"],
)
def test_a_what_if_about_another_machine_uses_the_roster(
    cache: CalibrationCache,
    monkeypatch: pytest.MonkeyPatch,
    resources: dict[str, Any],
) -> None:
    """Its plan is the uncalibrated one, to the last character."""
    with_numbers = explain(planned(resources=resources))
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "never")
    assert explain(planned(resources=resources)) == with_numbers


def test_vary_keeps_the_numbers_it_began_with(cache: CalibrationCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """More nodes like this one: no jump from measured numbers to the roster's between one node and two."""
    measured = dict(vary(SPEC, "nodes=1..2").points)
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "never")
    usual = dict(vary(SPEC, "nodes=1..2").points)
    for nodes in (1, 2):
        assert measured[nodes] is not None
        assert measured[nodes] > 1.3 * usual[nodes]  # type: ignore[operator]
    assert cache.cnns()


def test_a_plan_that_does_not_fit_offers_another_cnn_than_its_own(cache: CalibrationCache) -> None:
    """The roster's number of the same CNN may be smaller than what was measured here: that is no way out."""
    cache.keep(replace(RECORD, peaks=((8, 2_000_000_000), (32, 2_480_000_000))))
    with pytest.raises(NoFeasiblePlan) as refused:
        planned(resources={"memory": "2.2 GB", "cores": 1}, plan={"batch_size": 32})
    assert "cnn: resnet50" not in refused.value.hint


def test_the_published_system_is_not_calibrated(cache: CalibrationCache) -> None:
    """Profile sigmod2020 has the paper's constants."""
    plan = planned(plan={"profile": "sigmod2020"}, resources={"memory": "16 GB", "cores": 2})
    assert not any("measured" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("calibrate_as", "ui", "mode"),
    [("", "", "auto"), ("NEVER", "", "never"), ("read", "static", "read"), ("", "static", "never"), ("?", "", "auto")],
)
def test_mode(monkeypatch: pytest.MonkeyPatch, calibrate_as: str, ui: str, mode: str) -> None:
    """The variable first; deterministic output has no numbers of a machine."""
    monkeypatch.setenv("VISTA_NB_CALIBRATE", calibrate_as)
    monkeypatch.setenv("VISTA_NB_UI", ui)
    assert calibrating.mode() == mode


def test_a_run_at_one_batch_size_moves_the_rosters_line(cache: CalibrationCache) -> None:
    """Its slope is the roster's; without one, the peak counts at the roster's batch alone."""
    cache.keep(replace(RECORD, peaks=((16, 1_300_000_000),)))
    assert RESNET50 is not None
    (record,) = cache.cnns()
    sloped = replace(RESNET50, resident_per_image=10_000_000)
    assert calibrating._line(sloped, record) == (1_460_000_000, 10_000_000, 0)
    flat = replace(RESNET50, resident_per_image=0)
    assert calibrating._line(flat, record) == (None, None, None)
    assert calibrating._line(flat, replace(record, peaks=((32, GB),))) == (1_080_000_000, None, None)
    assert calibrating._line(flat, replace(record, peaks=())) == (None, None, None)


def test_layers_say_whose_seconds_they_are(cache: CalibrationCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured ones where there are any, the roster's otherwise."""
    assert RESNET50 is not None
    table = layers_table(*calibrating.as_measured(RESNET50))
    assert "seconds as measured on this machine, 2023-11-" in table.caption
    assert table.rows[-1][8] == f"{2000 * TOP.seconds:.3g}"
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "never")
    table = layers_table(*calibrating.as_measured(RESNET50))
    assert "the roster's" in table.caption
    assert table.rows[-1][8] == f"{1000 * TOP.seconds:.3g}"


def test_layers_table_has_widths_shares_and_bytes() -> None:
    """Of a layer with positions and of a vector."""
    table = layers_table("resnet50")
    rows = {row[0]: row for row in table.rows}
    assert rows["conv5_3"][2:8] == ("7 x 7 x 2048", "8192", "2048", "401 KB", "7.71", "100%")
    assert rows["fc6"][2:6] == ("1000", "1000", "1000", "4.0 KB")
    assert rows["fc6"][9] == "default, class scores"
    with pytest.raises(VistaUsageError, match="VST007"):
        layers_table("resnet51")


def test_doctor_tells_of_the_calibration(cache: CalibrationCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is and how old; that it is unused; that there is none."""
    found = {check.name: check for check in doctor()}["calibration"]
    assert found.ok
    assert "resnet50" in found.detail
    assert found.detail.endswith("days ago")
    monkeypatch.setenv("VISTA_NB_CALIBRATE", "never")
    assert "unused" in {check.name: check for check in doctor()}["calibration"].detail
    monkeypatch.setenv("VISTA_NB_CACHE_DIR", str(Path(str(cache)) / "none"))
    assert calibration_table([RECORD]).rows[0][:4] == (
        "resnet50", TOP.name, f"{2000 * TOP.seconds:.3g}", f"{1000 * TOP.seconds:.3g}",
    )  # fmt: skip


def test_an_unknown_cnn_is_refused_before_anything_is_measured(cache: CalibrationCache) -> None:
    """No process starts."""
    with pytest.raises(VistaUsageError, match=r"VST007.*resnet51"):
        calibrate(["resnet51"], say=lambda line: pytest.fail(line))
