"""Which layers come to the kernel by one job."""

from __future__ import annotations

from typing import Any

import pytest

from vista_nb.executor.spark_collect import Made, by_one_job

ONE, OTHER = object(), object()
TEN = frozenset(f"{i}" for i in range(10))


def part(table: Any, column: str = "f0") -> Made:
    return Made(None, None, TEN, (table, column) if table else None)


@pytest.mark.parametrize(
    ("tables", "most", "groups"),
    [
        ("111", 1_000, [("a", "b", "c")]),
        ("111", 80, [("a", "b"), ("c",)]),
        ("111", 40, [("a",), ("b",), ("c",)]),
        ("111", 1, [("a",), ("b",), ("c",)]),  # a layer wider than the room comes alone
        ("121", 1_000, [("a",), ("b",), ("c",)]),  # neighbours only: the order is kept
        ("112", 1_000, [("a", "b"), ("c",)]),
        ("1-1", 1_000, [("a",), ("b",), ("c",)]),  # vectors in a table of their own
        ("---", 1_000, [("a",), ("b",), ("c",)]),
        ("", 1_000, []),
    ],
)
def test_neighbours_of_one_table_come_together(tables: str, most: int, groups: list[tuple[str, ...]]) -> None:
    """As long as the kernel has room; ten rows of four values each."""
    known = {"1": ONE, "2": OTHER, "-": None}
    parts = {layer: [part(known[table])] for layer, table in zip("abc", tables, strict=False)}
    assert by_one_job(parts, dict.fromkeys("abc", 4), most) == groups


def test_layers_of_other_waves_do_not_mix() -> None:
    """The tables must be the same in every wave."""
    parts = {"a": [part(ONE), part(OTHER)], "b": [part(ONE), part(OTHER)], "c": [part(OTHER)]}
    assert by_one_job(parts, dict.fromkeys("abc", 4), 1_000) == [("a", "b"), ("c",)]
