"""The measuring processes with a real CNN, and Spark's real workers against what was measured of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaCancelled, VistaEnvironmentError, VistaRunError
from vista_nb.executor.cnn import throwaway
from vista_nb.executor.cnn.measuring import MeasuredArtifact, measure_machine, measure_prefixes, measure_worker
from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
from vista_nb.session import calibrate
from vista_nb.session.calibration_cache import CalibrationCache, CNNRecord
from vista_nb.spec.model import Pooling

pytestmark = [pytest.mark.slow, pytest.mark.tf]

ROOT = Path(__file__).resolve().parents[2]
CNN = load_roster().find("vistanet")
assert CNN is not None


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def record(cache: Path) -> CNNRecord:
    """vistanet, calibrated once for this module; every step was announced."""
    said: list[str] = []
    before = os.environ["VISTA_NB_CACHE_DIR"]
    os.environ["VISTA_NB_CACHE_DIR"] = str(cache)
    try:
        (made,) = calibrate(["vistanet"], say=said.append)
    finally:
        os.environ["VISTA_NB_CACHE_DIR"] = before
    assert len(said) == 6
    assert all(line.startswith("vistanet: ") for line in said[1:])
    return made


def test_calibration_of_the_bundled_cnn(record: CNNRecord, cache: Path) -> None:
    """Every default layer has positive seconds within its spread; start-up, bytes and a rising line of memory too."""
    assert CNN is not None
    assert tuple(record.layer_seconds) == CNN.default_layers
    for measured in (*record.layer_seconds.values(), record.start):
        assert measured is not None
        assert 0 < measured.low <= measured.value <= measured.high
    assert [batch for batch, _ in record.peaks] == [1, 8, 32]
    one, eight, most = (peak for _, peak in record.peaks)
    assert 400_000_000 < one <= eight < most < 3_000_000_000
    assert 4 * CNN.parameters * 0.5 < record.serialized < 4 * CNN.parameters * 2
    kept = CalibrationCache(cache)
    assert kept.cnns() == (record,)
    machine = kept.machine()
    assert machine is not None
    assert set(machine.rates) == {"decode_seconds", "decode_pixel_seconds", "disk_write", "disk_read"}
    assert all(rate.low <= rate.value <= rate.high for rate in machine.rates.values())


def test_a_missing_artifact_is_refused(cache: Path) -> None:
    """Before any process starts."""
    assert CNN is not None
    for measure in (lambda f: measure_worker(f, CNN), lambda f: measure_prefixes(f, ["fc6"])):
        with pytest.raises(VistaEnvironmentError, match="VST444"):
            measure(cache / "artifacts" / "none")


def test_a_layer_that_the_artifact_lacks_is_a_coded_crash(record: CNNRecord, cache: Path) -> None:
    """The process dies; its last words are in the error."""
    assert CNN is not None
    source = resolve_model(CNN, "bundled", 0, cache)
    folder = prepare_artifact(source, CNN, None, CNN.default_layers, Pooling.MAX_2X2, "float32", cache)
    with pytest.raises(VistaRunError, match=r"VST540.*measuring.*conv1"):
        measure_prefixes(folder, ["conv1"])


def test_cancel_ends_the_process() -> None:
    """As the kernel's interrupt does."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(VistaCancelled, match="measuring"):
        measure_machine(cancel)


def test_kernel_side_imports_no_engine() -> None:
    """`doctor` and EXPLAIN read calibrations in the kernel."""
    code = (
        "import sys, vista_nb.session.calibrating, vista_nb.executor.cnn.measuring, vista_nb.session.run_record\n"
        "print([m for m in ('tensorflow', 'keras', 'pyspark', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_throw_away_module_needs_no_kernel(tmp_path: Path) -> None:
    """`python -m` with a request file, as `ask` starts it; the answer is one marked line."""
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"what": "machine"}))
    done = subprocess.run(
        [sys.executable, "-m", "vista_nb.executor.cnn.measure", str(request)],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(throwaway._PREFIX)]
    assert json.loads(line.removeprefix(throwaway._PREFIX))["rates"]["decode_seconds"]


@pytest.mark.spark
@pytest.mark.parametrize("batch", [8, 32])
def test_spark_workers_hold_what_was_planned(record: CNNRecord, cache: Path, batch: int) -> None:
    """Eight tasks in fresh workers: each one's high-water mark is within 15 % of the plan's number, and never above.

    The run leaves its own record, of random weights, beside `doctor`'s.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker_memory", "--cell", "vistanet", str(batch)],
        capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "VISTA_NB_CACHE_DIR": str(cache), "VISTA_NB_CALIBRATE": "auto"},
    )  # fmt: skip
    mark = "WORKER_MEMORY "
    cell = json.loads(next(line for line in done.stdout.splitlines() if line.startswith(mark)).removeprefix(mark))
    assert cell["calibrated"]
    assert cell["images"] == 16 * batch
    assert len(cell["held"]) == 2
    assert cell["held"][-1] <= cell["planned"]
    assert cell["held"][0] >= 0.85 * cell["planned"]
    ran = [kept for kept in CalibrationCache(cache).cnns() if kept.source == "run"]
    assert len(ran) == 1
    assert ran[0].digest != record.digest
    assert 0.97 * cell["held"][-1] <= dict(ran[0].peaks)[batch] <= cell["held"][-1]
    # batches under 16 pay for their calls: they say little of an image's own seconds
    assert list(ran[0].layer_seconds) == (["fc6"] if batch >= 16 else [])
    assert (ran[0].start is not None and ran[0].start.value > 0) == (batch >= 16)


def test_measured_artifact_gives_the_line() -> None:
    """Two points, one line."""
    assert MeasuredArtifact(1, (4.0, 4.1), {8: 900, 32: 1140}).resident.at(32) == 1140
