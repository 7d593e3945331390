"""What docs/extending.md shows works: its Python blocks are run, its steps name what is there."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from docs_support import DOCS, ROOT, blocks
from planning_fixtures import FOODS, RESNET50, snapshot
from sample_run import sample_outcome, sample_plan

from vista_nb.optimizer import optimize as optimizer
from vista_nb.plan.candidate import Plan

PAGE = DOCS / "extending.md"
TEXT = PAGE.read_text(encoding="utf-8")


def python_block(start: str) -> str:
    """The one Python block of the page that begins so."""
    (found,) = [b.text for b in blocks(PAGE) if b.language == "python" and b.text.startswith(start)]
    return found


def module(name: str, start: str) -> ModuleType:
    """A block as the module that the page tells to write."""
    made = ModuleType(name)
    exec(compile(python_block(start), f"{PAGE.name}: {name}", "exec"), made.__dict__)
    return made


def spills(plan: Plan) -> bool:
    return any("go to disk" in note for note in plan.notes)


def test_the_plan_rule_changes_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foods eight times over: the fastest plan spills when pooling is pulled up; with the page's stage no plan does,
    where one of them fits.
    """
    rule = module("spilling", '"""No plan that spills')
    names: dict[str, Any] = {**vars(optimizer), "without_spill": rule.without_spill}
    exec(python_block("def avoid_spill"), names)
    stages = list(optimizer.STAGES)
    stages.insert(stages.index(optimizer.admit_by_memory) + 1, names["avoid_spill"])
    state = snapshot(RESNET50, replace(FOODS, rows=8 * FOODS.rows), pooling="pulled_up", materialization="eager")
    small = snapshot(RESNET50, replace(FOODS, rows=8 * FOODS.rows), pooling="pulled_up")
    assert spills(optimizer.optimize(state)), "the example needs a plan that spills"
    before = optimizer.optimize(small)
    monkeypatch.setattr(optimizer, "STAGES", tuple(stages))
    assert spills(optimizer.optimize(state)), "where everything spills, everything stays"
    after = optimizer.optimize(small)
    assert not spills(after)
    assert spills(before)


def test_the_view_shows_the_slowest_steps() -> None:
    """As text and as HTML, the slowest first."""
    outcome = replace(
        sample_outcome(sample_plan()), timeline=(("Join", 0.0, 1.0), ("CNN", 1.0, 9.0), ("Train", 9.0, 11.0))
    )
    table = module("slowest_view", '"""The steps of a run').slowest_table(outcome, 2)
    assert [row[0] for row in table.rows] == ["CNN", "Train"]
    assert "CNN" in str(table)
    assert "<table" in table._repr_mimebundle_()["text/html"]


def test_the_entries_of_the_cnn_are_what_the_roster_takes() -> None:
    """The page's `Application` and `Entry` are made by the classes that the scripts use."""
    import runpy

    from vista_nb.executor.cnn import applications

    entries = runpy.run_path(str(ROOT / "benchmarks" / "roster_entries.py"), run_name="roster_entries")
    made: list[Any] = []
    for start, names in (('entry = {"', vars(applications)), ("entry = Entry(", entries)):
        scope = dict(names)
        exec(python_block(start), scope)
        made.append(scope["entry"])
    (application,), entry = made[0].values(), made[1]
    assert application.size == entry.size
    assert entry.builder == f"keras.applications.{application.function}"
    assert {tap.name for tap in entry.taps} > set(entry.default_layers)
    assert len(entry.default_layers) == 5


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("vista_nb/executor/cnn/applications.py", "_APPLICATIONS"),
        ("benchmarks/write_estimators.py", "LEFT_OUT"),
        ("benchmarks/write_estimators.py", "BOTH_SITES"),
        ("benchmarks/write_estimators.py", "FAMILIES"),
        ("vista_nb/spec/estimator_call.py", "_LIBRARIES"),
        ("vista_nb/executor/downstream/make.py", "make_sklearn"),
        ("vista_nb/executor/downstream/make.py", "make_spark"),
        ("vista_nb/optimizer/optimize.py", "STAGES"),
        ("vista_nb/magic_flags.py", "SUBCOMMANDS"),
        ("vista_nb/magic_lines.py", "_COMMANDS"),
        ("vista_nb/views/pages.py", "PAGES"),
        ("vista_nb/views/pages.py", "TITLES"),
        ("tests/engine/test_cnn_roster.py", "PARAMETERS"),
    ],
)
def test_the_page_names_what_is_there(file: str, name: str) -> None:
    """Every table and function that a step tells to change is on the page, and defined in its file."""
    assert f"`{name}`" in TEXT
    defined = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    assert name in defined


def test_every_file_that_the_page_names_is_there() -> None:
    """But those that it tells to write."""
    written = {"vista_nb/optimizer/spilling.py", "vista_nb/views/slowest_view.py"}
    for path in set(re.findall(r"`((?:vista_nb|benchmarks|tests|docs)/[\w/.]+\.\w+)`", TEXT)) - written:
        assert (ROOT / path).is_file(), path
