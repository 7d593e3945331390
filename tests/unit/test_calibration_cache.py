"""Calibration as files: what one kernel keeps another reads; other machines, versions, broken files are not there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vista_nb.executor.cnn import artifact
from vista_nb.optimizer.calibration import Measured
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord, MachineRecord, machine_key

RECORD = CNNRecord(
    "resnet50", "keras.applications.ResNet50", "ab" * 32, "float32", 1_700_000_000.0, "doctor",
    {"conv4_6": Measured(0.033, 0.032, 0.036), "fc6": Measured(0.04, 0.04, 0.045)}, Measured(4.0, 3.9, 4.4),
    ((8, 900_000_000), (32, 1_200_000_000)), 102_000_000,
)  # fmt: skip
MACHINE = MachineRecord(1_700_000_000.0, {"disk_write": Measured(2e8, 1.5e8, 2.1e8)})


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    """Both kinds of record, by another reader."""
    CalibrationCache(tmp_path).keep(RECORD)
    CalibrationCache(tmp_path).keep(MACHINE)
    read = CalibrationCache(tmp_path)
    assert read.cnns() == (RECORD,)
    assert read.machine() == MACHINE
    assert read.cnn(RECORD.builder, RECORD.digest, "float32") == RECORD
    assert not list(tmp_path.rglob("tmp*"))


def test_same_architecture_serves_other_weights_but_not_other_precisions(tmp_path: Path) -> None:
    """Seconds and bytes depend on the architecture; a measured one (`doctor`) is taken before a run's."""
    cache = CalibrationCache(tmp_path)
    later = replace(RECORD, digest="cd" * 32, source="run", when=RECORD.when + 1000)
    cache.keep(RECORD)
    cache.keep(later)
    assert cache.cnn(RECORD.builder, "ef" * 32, "float32") == RECORD
    assert cache.cnn(RECORD.builder, later.digest, "float32") == RECORD
    held_more = replace(later, peaks=((32, 1_300_000_000),))
    cache.keep(held_more)
    found = cache.cnn(RECORD.builder, later.digest, "float32")
    assert found == replace(RECORD, peaks=((8, 900_000_000), (32, 1_300_000_000)))
    assert cache.cnn(RECORD.builder, RECORD.digest, "bfloat16") is None
    assert cache.cnn("keras.applications.VGG16", "", "float32") is None


def test_a_users_file_has_only_its_own_record(tmp_path: Path) -> None:
    """Another model may lie under the same path tomorrow."""
    cache = CalibrationCache(tmp_path)
    mine = replace(RECORD, builder="file:/models/mine.keras")
    cache.keep(mine)
    assert cache.cnn(mine.builder, "cd" * 32, "float32") is None
    assert cache.cnn(mine.builder, mine.digest, "float32") == mine


def test_another_machine_or_version_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's name holds CPU features, cores, versions and the artifact's format."""
    CalibrationCache(tmp_path).keep(RECORD)
    before = machine_key()
    monkeypatch.setattr(artifact, "FORMAT", artifact.FORMAT + 1)
    assert machine_key() != before
    assert CalibrationCache(tmp_path).cnns() == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 0}', '{"format": 1, "cnn": "x"}'])
def test_a_broken_file_is_measured_again(tmp_path: Path, text: str) -> None:
    """Half a file, another format, missing fields: as if it were not there, and replaced by the next."""
    cache = CalibrationCache(tmp_path)
    cache.keep(RECORD)
    (file,) = tmp_path.rglob("cnn-*.json")
    file.write_text(text)
    assert cache.cnns() == ()
    cache.keep(RECORD)
    assert cache.cnns() == (RECORD,)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """A run never fails for its calibration."""
    (tmp_path / "calibration").write_text("a file where the folder should be")
    cache = CalibrationCache(tmp_path)
    cache.keep(RECORD)
    assert cache.cnns() == ()


def test_files_are_plain_json(tmp_path: Path) -> None:
    """Readable by people."""
    CalibrationCache(tmp_path).keep(RECORD)
    (file,) = tmp_path.rglob("cnn-*.json")
    assert json.loads(file.read_text())["layer_seconds"]["fc6"] == {"value": 0.04, "low": 0.04, "high": 0.045}
