"""A user's own SparkSession, in a process of its own: used as it is, said in one line; refused where it cannot hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from executor_support import catalogue

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf]

SCRIPT = """
import json, os, sys
from pyspark.sql import SparkSession
from vista_nb.executor.java import java_home
os.environ["JAVA_HOME"] = str(java_home(__import__("pathlib").Path(os.environ["VISTA_NB_CACHE_DIR"])))
os.environ["PYSPARK_PYTHON"] = sys.executable
heap, spec = sys.argv[1], sys.argv[2]
theirs = SparkSession.builder.master("local[1]").config("spark.driver.memory", heap)
for name, value in {"ui.enabled": "false", "driver.host": "127.0.0.1", "memory.fraction": "0.5"}.items():
    theirs = theirs.config("spark." + name, value)
theirs = theirs.getOrCreate()
SETTINGS = [f"spark.sql.{name}" for name in ("shuffle.partitions", "adaptive.enabled")]
before = [theirs.conf.get(name) for name in SETTINGS]
import vista_nb
from vista_nb.errors import VistaError
answer = {}
try:
    run = vista_nb.run(spec)
    run.wait()
    if run.error is not None:
        raise run.error
    plan = run._handle.plan
    answer = {"scores": len(run.accuracy), "cpu": plan.physical.cpu, "lines": plan.notes}
except VistaError as error:
    answer = {"code": error.code, "message": error.message, "hint": error.hint}
answer["alive"] = theirs.range(3).count() == 3
answer["same"] = before == [theirs.conf.get(name) for name in SETTINGS]
theirs.stop()
print("ANSWER " + json.dumps(answer))
"""


def given(tmp_path: Path, heap: str, extra: str) -> dict[str, object]:
    """One cell on a session with so much heap."""
    table = catalogue(tmp_path, rows=40)
    spec = f"structured: {table}\nimages: photos/{{id}}.jpg\nlabel: label\ncnn: mobilenet_025\nweights: random\n{extra}"
    own = {f"VISTA_NB_{name}_DIR": str(tmp_path / name.lower()) for name in ("CACHE", "STORE")}
    environment = os.environ | own | {"VISTA_NB_CALIBRATE": "never", "VISTA_NB_UI": "off"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, heap, spec], env=environment, capture_output=True, text=True, timeout=500
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert lines, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(lines[0].removeprefix("ANSWER "))
    return answer


def test_it_is_used_as_it_is_and_said(tmp_path: Path) -> None:
    """One task slot where the plan wanted two workers: one line says what could not be had; the session goes on."""
    answer = given(tmp_path, "1g", "layers: top 2\nresources: {cores: 2, memory: 6GB}\nplan: {cpu: 2}")
    assert answer["scores"] == 4, answer
    assert (answer["alive"], answer["same"], answer["cpu"]) == (True, True, 1)
    said = [line for line in answer["lines"] if "your own SparkSession" in line]  # type: ignore[attr-defined]
    assert len(said) == 1
    assert "cpu: 1 instead of 2, as it has 1 task slots per executor" in said[0]


def test_a_plan_that_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    """Partitions larger than its User Memory: a coded error before any task runs; the session is alive after it."""
    answer = given(
        tmp_path,
        "512m",
        "layers: top 2\nresources: {memory: 6GB}\nstatistics: {model_resident: 2GB}\nplan: {training: cluster}",
    )
    assert answer["code"] == "VST207", answer
    assert "user" in str(answer["message"])
    assert "spark.stop()" in str(answer["hint"])
    assert answer["alive"]
