"""JSON, text and HTML of one plan say the same; `why` speaks in the JSON's numbers."""

from __future__ import annotations

import os

from golden_workloads import WORKLOADS
from hypothesis import assume, given, settings
from test_planning import planned, workloads

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.plan.candidate import Plan
from vista_nb.plan.explain import explain
from vista_nb.plan.explain_json import to_json
from vista_nb.plan.why import runners_up, why_sentences
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.memory_view import memory_html
from vista_nb.views.plan_view import plan_html
from vista_nb.views.theme import esc

EXAMPLES = int(os.environ.get("VISTA_NB_EXAMPLES", "20"))


def check(plan: Plan) -> None:
    """Every number of the JSON that people are shown, as they are shown it."""
    found, text = to_json(plan), explain(plan)
    html, bars = plan_html(plan), memory_html(plan.memory)
    worker = next(line for line in text.splitlines() if line.startswith("worker "))
    memory = found["memory"]
    assert memory["total"] == sum(size for name, size in memory.items() if name != "total")
    for name, size in memory.items():
        if size:
            assert format_bytes(size) in worker
            assert format_bytes(size) in bars
            assert name == "total" or f"{name} {format_bytes(size)}" in worker
    _check_decisions(found, text, html)
    _check_numbers(found, text, html)
    _check_why(plan, found, text, html)


def _check_decisions(found: dict[str, dict[str, object]], text: str, html: str) -> None:
    logical, physical = found["logical"], found["physical"]
    name = "{materialization}, inference {inference}, pooling {pooling}".format(**logical).replace("_", " ")
    waves = "1 wave" if logical["waves"] == 1 else f"{logical['waves']} waves"
    assert f"plan: {name}, {waves}" in text
    assert name in html
    decisions = "num_partitions {num_partitions}   batch {batch_size}   join {join}   {persistence}".format(**physical)
    assert decisions in text
    assert f"training {physical['training']}" in text
    assert f"cpu {physical['cpu']} x {physical['threads_per_task']} thread" in text
    for words in (f"{physical['join']} join", f"{physical['persistence']} storage", f"batch {physical['batch_size']}"):
        assert words in html


def _check_numbers(found: dict[str, object], text: str, html: str) -> None:
    sizes, chosen = found["sizes"], next(c for c in found["candidates"] if c["feasible"])  # type: ignore[attr-defined]
    for name in ("s_single", "s_double"):
        assert f"{name} {format_bytes(sizes[name])}" in text  # type: ignore[index]
    for table in sizes["t_i"]:  # type: ignore[index]
        assert f"{table['layer']} {format_bytes(table['bytes'])}" in text
    if chosen["seconds"] is not None:
        low, high = (format_seconds(chosen[end]) for end in ("seconds_low", "seconds_high"))
        words = f"predicted {format_seconds(chosen['seconds'])} ({low} to {high})"
        volumes = [f"{n} {format_bytes(chosen[f'bytes_{n}'])}" for n in ("read", "shuffled", "materialized", "spilled")]
        for said in (words, *volumes):
            assert said in text
            assert said in html


def _check_why(plan: Plan, found: dict[str, object], text: str, html: str) -> None:
    candidates = found["candidates"]
    for candidate, sentence in zip(runners_up(plan), why_sentences(plan), strict=True):
        same = candidates[plan.candidates.index(candidate)]  # type: ignore[index]
        assert f"  {sentence}" in text.splitlines()
        assert format_bytes(same["peak_bytes"]) in html
        if same["why"] is not None:
            assert same["why"] in sentence
            assert esc(same["why"]) in html
        if same["feasible"] and same["seconds"] is not None:
            assert format_seconds(same["seconds"]) in sentence


@settings(max_examples=EXAMPLES, deadline=None)
@given(workloads())
def test_json_text_and_html_agree(workload: Snapshot) -> None:
    """Over random workloads."""
    plan = planned(workload)
    assume(plan is not None)
    assert plan is not None
    check(plan)


def test_they_agree_on_every_golden_workload() -> None:
    """And under both profiles."""
    for workload in WORKLOADS.values():
        plan = planned(workload)
        assert plan is not None
        check(plan)
