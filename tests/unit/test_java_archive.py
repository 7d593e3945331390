"""The class-data archive: one per Java and Spark, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vista_nb.executor.java_archive import class_archive


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Java home with an empty java."""
    java = tmp_path / "home" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("")
    return tmp_path / "home"


def test_the_first_jvm_writes_it_and_the_second_maps_it(home: Path, tmp_path: Path) -> None:
    """Under a name of its own until the JVM has ended well."""
    first = class_archive(home, tmp_path)
    assert first is not None
    assert first.part is not None
    assert f"-XX:ArchiveClassesAtExit={first.part}" in first.options
    first.part.write_bytes(b"classes")
    assert "ArchiveClassesAtExit" in class_archive(home, tmp_path).options  # type: ignore[union-attr]
    first.keep(0)
    second = class_archive(home, tmp_path)
    assert second is not None
    assert second.part is None
    assert f"-XX:SharedArchiveFile={first.file}" in second.options
    assert first.file.read_bytes() == b"classes"


@pytest.mark.parametrize("status", [None, -9, 1])
def test_a_jvm_that_ended_badly_leaves_nothing(home: Path, tmp_path: Path, status: int | None) -> None:
    """Half an archive is none."""
    found = class_archive(home, tmp_path)
    assert found is not None
    assert found.part is not None
    found.part.write_bytes(b"half")
    found.keep(status)
    assert not found.part.exists()
    assert not found.file.exists()


def test_another_java_has_another_archive(home: Path, tmp_path: Path) -> None:
    """An update in place too."""
    before = class_archive(home, tmp_path)
    os.utime(home / "bin" / "java", ns=(1, 1))
    after = class_archive(home, tmp_path)
    assert before is not None
    assert after is not None
    assert before.file != after.file


def test_parts_of_killed_kernels_are_removed(home: Path, tmp_path: Path) -> None:
    """Young ones may still be written."""
    folder = tmp_path / "java"
    folder.mkdir()
    old, young = folder / "spark-0.1.part", folder / "spark-0.2.part"
    for part in (old, young):
        part.write_bytes(b"")
    os.utime(old, (1, 1))
    class_archive(home, tmp_path)
    assert not old.exists()
    assert young.exists()


def test_a_folder_with_a_blank_goes_without(home: Path, tmp_path: Path) -> None:
    """Java's options are cut at blanks."""
    assert class_archive(home, tmp_path / "my cache") is None
