"""`precision` before anything runs: seconds and bytes of bfloat16, what a machine lacks, shares of a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planning_fixtures import LAPTOP

from vista_nb.catalog.bind import bind
from vista_nb.catalog.bind_machine import unfit
from vista_nb.catalog.precision import ASSUMED_RATIO, SPREAD_UNKNOWN, bfloat16_note, bfloat16_ratio, in_precision
from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.statistics import WorkloadStatistics
from vista_nb.catalog.workload import Workload
from vista_nb.executor.cnn.devices import gpu_share
from vista_nb.executor.probe_gpu import has_gpu, smallest
from vista_nb.executor.probe_machine import cpu_flags, has_bfloat16
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.precision import in_doubt
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.plan.candidate import Plan
from vista_nb.spec.model import Precision, Spec
from vista_nb.spec.parse import parse

SPEC = """structured: houses.csv
images: photos/{id}.jpg
label: expensive
cnn: %s
layers: top 3
model: LogisticRegression(regParam=0.01)
task: classification
"""


def spec(cnn: str = "resnet50", more: str = "") -> Spec:
    parsed = parse(SPEC % cnn + more)
    assert not parsed.problems
    return parsed.spec


def workload(precision: str) -> Workload:
    bound = bind(spec("resnet50", f"precision: {precision}\n"), load_roster(), None)
    assert not bound.problems
    assert not bound.not_yet
    assert bound.workload is not None
    return bound.workload


def plan(precision: str) -> Plan:
    statistics = WorkloadStatistics(rows=2000, structured_features=20, image_bytes=14_000)
    return optimize(Snapshot(workload(precision), statistics, LAPTOP))


def named(name: str) -> CNNFacts:
    found = load_roster().find(name)
    assert found is not None
    return found


def test_every_cnn_of_the_roster_was_measured() -> None:
    """The ratios come from benchmarks/bfloat16_ratio.py; a new entry of the roster needs one."""
    assert [cnn.name for cnn in load_roster().cnns if bfloat16_ratio(cnn) is None] == []


def test_bfloat16_halves_the_weights_and_scales_the_seconds() -> None:
    """In float32 nothing changes."""
    cnn = named("resnet50")
    assert in_precision(cnn, Precision.FLOAT32) is cnn
    there = in_precision(cnn, Precision.BFLOAT16)
    ratio = bfloat16_ratio(cnn)
    assert ratio is not None
    assert there.layers[-1].seconds == pytest.approx(ratio * cnn.layers[-1].seconds)
    assert there.serialized == cnn.serialized - cnn.serialized // 2
    assert there.resident == cnn.resident - cnn.serialized // 2


def test_an_unknown_cnn_is_guessed_and_said() -> None:
    """Its seconds are in wide doubt, and the plan's notes say so."""
    mine = replace(named("resnet50"), name="mine")
    assert in_precision(mine, Precision.BFLOAT16).layers[-1].seconds == ASSUMED_RATIO * mine.layers[-1].seconds
    (note,) = bfloat16_note(mine, Precision.BFLOAT16)
    assert "never measured in bfloat16" in note
    assert bfloat16_note(mine, Precision.FLOAT32) == ()
    known = workload("bfloat16")
    assert dict(in_doubt(DEFAULT, replace(known, cnn=mine)).spread)["cnn_factor"] == SPREAD_UNKNOWN
    assert in_doubt(DEFAULT, known) is DEFAULT


def test_a_cnn_that_is_slower_in_bfloat16_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured ratio stands in the note, and the workload carries it."""
    monkeypatch.setattr("vista_nb.catalog.precision._ratios", lambda: {"resnet50": 1.31})
    notes = workload("bfloat16").notes
    assert any("1.31 of float32's seconds" in note for note in notes)
    assert not any("bfloat16" in note for note in workload("float32").notes)


def test_a_plan_in_bfloat16_is_faster_and_smaller() -> None:
    """The prediction follows the measured ratio, the workers' region the weights."""
    one, two = plan("float32"), plan("bfloat16")
    assert one.chosen is not None
    assert two.chosen is not None
    assert one.chosen.seconds is not None
    assert two.chosen.seconds is not None
    assert two.chosen.seconds < one.chosen.seconds
    assert two.memory.dl_execution < one.memory.dl_execution


def cpuinfo(root: Path, text: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu amx_tile amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags\t\t: fpu sse avx2 avx512f\n", False),
        ("processor\t: 0\n", False),
    ],
)
def test_bfloat16_is_read_from_the_flags(tmp_path: Path, text: str, expected: bool) -> None:
    """Intel's and AMD's AVX512, Intel's tiles, ARM; a processor that tells nothing has none."""
    assert has_bfloat16(cpuinfo(tmp_path, text)) is expected


def test_flags_are_words(tmp_path: Path) -> None:
    """Of the first processor."""
    assert cpu_flags(cpuinfo(tmp_path, "flags : a b\nflags : c\n")) == {"a", "b"}
    assert cpu_flags(tmp_path / "nowhere") == frozenset()


def test_bfloat16_is_refused_where_the_processor_lacks_it() -> None:
    """The setting and its place are named; where it is there, or not asked for, nothing is refused."""
    wanted = spec(more="precision: bfloat16\n")
    (problem,) = unfit(wanted, replace(LAPTOP, bfloat16=False), None)
    assert problem.code == "VST411"
    assert "precision: bfloat16" in problem.message
    assert problem.line == 8
    assert unfit(wanted, replace(LAPTOP, bfloat16=True), None) == ()
    assert unfit(spec(), replace(LAPTOP, bfloat16=False), None) == ()


def test_gpu_memory_is_refused_where_there_is_no_such_gpu() -> None:
    """None at all, a smaller one, and bfloat16, which only the processor computes."""
    wanted = spec(more="resources: {gpu_memory: 8g}\n")
    (problem,) = unfit(wanted, LAPTOP, None)
    assert (problem.code, problem.line) == ("VST412", 8)
    assert "gpu_memory" in problem.message
    assert unfit(wanted, LAPTOP, 16 * 10**9) == ()
    assert "4000000000" in unfit(wanted, LAPTOP, 4 * 10**9)[0].message
    both = spec(more="resources: {gpu_memory: 8g}\nprecision: bfloat16\n")
    assert [p.code for p in unfit(both, replace(LAPTOP, bfloat16=True), 16 * 10**9)] == ["VST412"]


def test_gpus_are_found_without_tensorflow(tmp_path: Path) -> None:
    """By the driver's folder; their memory as nvidia-smi lists it, the least of several."""
    assert not has_gpu(tmp_path)
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    assert has_gpu(tmp_path)
    assert smallest("81559\n40960\n") == 40960 * 2**20
    assert smallest("No devices were found\n") is None


def test_the_share_of_a_gpu() -> None:
    """Whole MiB, never more than the whole together; nothing planned is no share."""
    assert gpu_share(0, 4) == 0
    assert gpu_share(8 * 10**9, 1) <= 8 * 10**9
    share = gpu_share(8 * 10**9, 3)
    assert share % 2**20 == 0
    assert 8 * 10**9 - 3 * 2**20 < 3 * share <= 8 * 10**9
