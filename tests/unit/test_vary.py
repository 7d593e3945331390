"""Where the plan changes as memory, nodes or cores vary: boundaries, text, picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest
from planning_fixtures import FOODS_ENCODED, LAPTOP, RESNET50, VISTANET, snapshot

from vista_nb.errors import NoFeasiblePlan, VistaUsageError
from vista_nb.optimizer.optimize import optimize
from vista_nb.optimizer.vary import vary
from vista_nb.plan.candidate import Plan
from vista_nb.plan.variation import Variation, variation_text
from vista_nb.session.varying import parse_range
from vista_nb.units import GB, MB, format_bytes
from vista_nb.views.vary_view import VariationView, alt_text, variation_svg

GIVEN = snapshot(RESNET50, replace(FOODS_ENCODED, rows=2000), LAPTOP, layers=2)


@pytest.fixture(scope="module")
def by_memory() -> Variation:
    return vary(GIVEN, "memory", 1 * GB, 16 * GB, optimize)


def decisions(plan: Plan | None) -> tuple[object, ...] | None:
    return None if plan is None else (plan.logical.name, plan.physical.cpu, plan.physical.batch_size)


def test_segments_cover_the_range(by_memory: Variation) -> None:
    """From end to end, in order, neighbours a percent apart at most; each really has the plan it names."""
    segments = by_memory.segments
    assert segments[0].low == 1 * GB
    assert segments[-1].high == 16 * GB
    assert by_memory.changes >= 2
    for left, right in pairwise(segments):
        assert 0 < right.low - left.high <= left.high / 100 + 1
    for segment in segments:
        for value, plan in ((segment.low, segment.first), (segment.high, segment.last)):
            system = replace(GIVEN.system, memory=value)
            try:
                found = optimize(replace(GIVEN, system=system))
            except NoFeasiblePlan:
                found = None
            assert decisions(found) == decisions(plan)


def test_where_nothing_fits_the_inequality_is_said(by_memory: Variation) -> None:
    """1 GB holds no ResNet50 worker; the change lies at the smallest memory that works."""
    first, second, *_ = by_memory.segments
    assert first.first is None
    assert "memory 1.0 GB" in first.constraint
    with pytest.raises(NoFeasiblePlan) as caught:
        optimize(replace(GIVEN, system=replace(GIVEN.system, memory=1 * GB)))
    smallest = caught.value.smallest_memory
    assert smallest is not None
    assert first.high < smallest <= second.low


def test_seconds_never_rise_with_the_machine(by_memory: Variation) -> None:
    """The line of the picture falls."""
    seconds = [s for _, s in by_memory.points if s is not None]
    assert seconds == sorted(seconds, reverse=True)


def test_nodes_are_exact_and_more_than_one_is_no_local_machine() -> None:
    """Every change between neighbouring whole numbers; all nodes used counts as the same decision."""
    found = vary(snapshot(RESNET50, FOODS_ENCODED, LAPTOP), "nodes", 1, 12, optimize)
    for left, right in pairwise(found.segments):
        assert right.low == left.high + 1
    assert found.segments[-1].last is not None
    assert found.segments[-1].last.driver_node is not None
    assert {value for value, _ in found.points} <= set(range(1, 13))


def test_text_has_a_line_per_plan(by_memory: Variation) -> None:
    """Head, then from where to where, decisions, seconds."""
    head, *lines = variation_text(by_memory).splitlines()
    assert head == f"memory 1.0 GB .. 16.0 GB: the plan changes {by_memory.changes} times"
    assert len(lines) == len(by_memory.segments)
    assert "no plan fits" in lines[0]
    assert "eager, after join, pushed down" in lines[-1]
    assert format_bytes(by_memory.segments[1].low) in lines[1]


def test_one_value_and_one_plan() -> None:
    """low = high: a single plan, and still a picture."""
    given = snapshot(VISTANET, replace(FOODS_ENCODED, rows=100), LAPTOP)
    found = vary(given, "cores", 2, 2, optimize)
    assert variation_text(found).splitlines()[0] == "cores 2 .. 2: the plan stays the same"
    ET.fromstring(variation_svg(found))
    # nothing fits anywhere: no line to draw
    none = vary(given, "memory", 300 * MB, 400 * MB, optimize)
    ET.fromstring(variation_svg(none))
    assert none.segments[0].first is None


def test_sigmod2020_predicts_no_time_and_is_varied_all_the_same() -> None:
    """cpu changes with memory; there is no second to draw."""
    given = snapshot(RESNET50, profile="sigmod2020")
    found = vary(given, "memory", 8 * GB, 32 * GB, optimize)
    assert found.changes >= 3
    assert all(seconds is None for _, seconds in found.points)
    ET.fromstring(variation_svg(found))


def test_the_picture_has_its_text_twin(by_memory: Variation) -> None:
    """Well-formed SVG, role and alternative text, a band per plan; in HTML with the list."""
    svg = variation_svg(by_memory)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == alt_text(by_memory)
    assert sum(1 for child in root if child.tag.endswith("rect")) == len(by_memory.segments)
    bundle = VariationView(by_memory)._repr_mimebundle_()
    assert bundle["text/plain"] == variation_text(by_memory)
    assert svg in bundle["text/html"]
    assert "<script" not in bundle["text/html"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("memory=2g..64g", ("memory", 2 * GB, 64 * GB)),
        ("memory=512MiB..2GB", ("memory", 512 * 2**20, 2 * GB)),
        ("nodes=1..64", ("nodes", 1, 64)),
        ("cores=4..4", ("cores", 4, 4)),
    ],
)
def test_ranges(text: str, found: tuple[str, int, int]) -> None:
    """Units as everywhere."""
    assert parse_range(text) == found


@pytest.mark.parametrize(
    "text",
    ["memory", "memory=2g", "disk=1..2", "nodes=0..4", "nodes=8..1", "nodes=1.5..2", "memory=x..2g", "nodes=1..999999"],
)
def test_wrong_ranges_are_refused_with_a_hint(text: str) -> None:
    """A coded error each."""
    with pytest.raises(VistaUsageError) as caught:
        parse_range(text)
    assert caught.value.code == "VST009"
    assert "--vary" in caught.value.hint


def test_other_keys_are_refused() -> None:
    """The pure function guards itself."""
    with pytest.raises(ValueError, match="cannot vary"):
        vary(GIVEN, "gpu_memory", 1, 2, optimize)
