"""Every data fault ends in a right result or a coded error that names the row, file or setting; the page says which.

`VISTA_NB_WRITE_DOCS=1 pytest tests/unit/test_data_faults.py` rewrites docs/data_faults.md; look at the diff.
"""

from __future__ import annotations

import ast
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from data_fault_cases import ENGINE, FAULTS, PAGE
from data_faults_support import ROWS, Fault, Seen, see

ROOT = PAGE.parents[1]
MARK = "<!-- rows: tests/unit/test_data_faults.py -->"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Every fault tried once."""
    return {fault.name: see(fault, tmp_path_factory.mktemp("fault")) for fault in FAULTS}


def row(fault: Fault, found: Seen) -> str:
    """The fault's line of the page. Numbers that hang on a library's version are left open."""
    told = "<br>".join(found.told) or "nothing: it is read like any other"
    told = re.sub(r"\(\d+ bytes not processed\)", "(... bytes not processed)", told)
    cells = (fault.name, fault.given, told, found.kept)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def test_the_page_is_what_happens(seen: dict[str, Seen]) -> None:
    """docs/data_faults.md holds, word for word, what the user sees of every fault."""
    rows = [row(fault, seen[fault.name]) for fault in FAULTS]
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARK)
    table, _, tail = rest.partition(MARK)
    if os.environ.get("VISTA_NB_WRITE_DOCS"):
        titles = "| fault | input | what you see | what is kept |\n| --- | --- | --- | --- |\n"
        PAGE.write_text(f"{head}{MARK}\n\n{titles}" + "\n".join(rows) + f"\n\n{MARK}{tail}", encoding="utf-8")
        return
    assert [line for line in table.splitlines() if line.startswith("| ")][2:] == rows


CODES = {
    "a view is missing for all": "VST331",
    "no photo fits": "VST331",
    "two photos for a key": "VST333",
    "more than 5 % bad": "VST338",
    "`bad_images: fail`": "VST337",
    "duplicate key": "VST312",
    "no key at all": "VST313",
    "no such key column": "VST122",
    "empty column asked for": "VST129",
    "NaN or infinite CNN features": "VST355",
    "single-class label": "VST130",
    "single class in training": "VST351",
    "label without classes": "VST130",
    "no rows": "VST305",
    "mixed types": "VST306",
    "column twice": "VST310",
    "torn csv": "VST309",
    "no table": "VST302",
}


def test_faults_that_end_the_cell_are_coded(seen: dict[str, Seen]) -> None:
    """These codes and no others; every other fault leaves a result."""
    found = {name: one.told[0].partition(":")[0] for name, one in seen.items() if one.error is not None}
    assert found == CODES


DROPPED = {
    "corrupt photo": 1, "truncated photo": 1, "zero-byte photo": 1, "the same broken bytes twice": 2, "huge photo": 1,
    "missing photo": 1, "missing photo that the table names": 2, "a view is missing": 1, "empty key": 1,
    "empty label": 1, "infinite label": 2,
}  # fmt: skip


def test_only_the_rows_with_the_fault_are_left_out(seen: dict[str, Seen]) -> None:
    """All others are trained on and scored."""
    kept = {name: one.outcome.rows.joined for name, one in seen.items() if one.outcome is not None}
    assert kept == {name: ROWS - DROPPED.get(name, 0) for name in kept}


def test_what_is_left_out_is_counted_by_its_reason(seen: dict[str, Seen]) -> None:
    """Bad, missing, nobody's, without key or label: each its own number."""
    counts = {name: one.outcome.rows for name, one in seen.items() if one.outcome is not None}
    assert counts["corrupt photo"].bad_images == 1
    assert counts["missing photo"].no_image == 1
    assert counts["missing photo"].bad_images == 0
    named = counts["missing photo that the table names"]
    assert (named.bad_images, named.no_image) == (1, 1)
    assert counts["photo without a row"].unmatched_images == 1
    assert counts["empty key"].null_key == 1
    assert counts["empty label"].null_label == 1
    assert counts["infinite label"].null_label == 2
    for rows in counts.values():
        assert rows.structured - rows.null_key - rows.null_label - rows.no_image - rows.bad_images == rows.joined


def test_bad_photos_are_named_each_by_its_own_path(seen: dict[str, Seen]) -> None:
    """Equal bytes are inferred once, yet each row names its own file; a missing view the file that was meant."""
    outcome = seen["the same broken bytes twice"].outcome
    assert outcome is not None
    assert [(b.key, Path(b.path).name) for b in outcome.bad_images] == [("k07", "k07.jpg"), ("k08", "k08.jpg")]
    outcome = seen["a view is missing"].outcome
    assert outcome is not None
    assert [Path(b.path).parts[-2:] for b in outcome.bad_images] == [("back", "k07.jpg")]


@pytest.mark.parametrize(
    "name", ["grayscale photo", "CMYK photo", "16-bit photo", "animation", "hostile and foreign names"]
)
def test_odd_photos_and_names_say_nothing(seen: dict[str, Seen], name: str) -> None:
    """They are read like any other."""
    assert seen[name].told == ()


def test_every_score_is_a_number(seen: dict[str, Seen]) -> None:
    """No fault that leaves a result leaves NaN in it."""
    for one in seen.values():
        for score in one.outcome.scores if one.outcome is not None else ():
            assert np.isfinite([score.value, score.ci_low, score.ci_high]).all()


@cache
def _tests_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_lists_the_machines_faults_with_their_tests() -> None:
    """Each named test is there."""
    page = PAGE.read_text(encoding="utf-8")
    for name, told, kept, test in ENGINE:
        assert f"| {name} | {told} | {kept} | `{test}` |" in page
        file, _, function = test.partition("::")
        assert function in _tests_of(file), test
