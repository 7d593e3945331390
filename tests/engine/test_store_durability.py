"""A store that is killed, damaged, filled up, shared and kept small: never a wrong feature. Real processes and disks.

A few of each of what benchmarks/store_kills.py does in numbers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import store_kills
from vista_nb.store.files import Store


def test_killed_writers(tmp_path: Path) -> None:
    """`kill -9` at random moments of pooled writes, raw commits, evictions: what was reported is there and right."""
    found = store_kills.kills(tmp_path, 9, seed=7)
    assert (found.done, found.wrong, found.lost, found.broken) == (9, 0, 0, 0)
    assert found.rows > 0
    assert found.repaired > 0, "leftovers are removed, and that is said"


def test_damaged_files(tmp_path: Path) -> None:
    """Flipped bits and cut files of any kind: right rows or none, said, and whole again after the next write."""
    found = store_kills.damage(tmp_path, 24, seed=3)
    assert (found.done, found.wrong, found.lost) == (24, 0, 0)
    assert found.repaired > 0


def test_a_disk_without_room(tmp_path: Path) -> None:
    """Another program takes all of it now and then: coded refusals, nothing half-written, and then it works again."""
    with store_kills.small_disk(tmp_path, 4_000_000) as mounted:
        if not mounted:
            pytest.skip("mounting a small tmpfs needs root")
        found = store_kills.full_disk(tmp_path, 8, seed=5)
        assert (found.done, found.wrong) == (8, 0)
        assert found.refused > 0
        assert list(Store(tmp_path / "store").layout.staging.iterdir()) == []


@pytest.mark.parametrize("budget", [10**12, 3_000_000])
def test_two_kernels(tmp_path: Path, budget: int) -> None:
    """Both write and read the same layers at once, with room and with little."""
    found = store_kills.kernels(tmp_path, 6, budget)
    assert (found.done, found.wrong, found.lost, found.broken) == (6, 0, 0, 0)
    assert found.rows == 6 * 2 * 3 * 120


def test_a_small_budget(tmp_path: Path) -> None:
    """Ten times the budget: the folder never holds more, not even while a file is being written; the pin stays."""
    found = store_kills.budget_held(tmp_path, 5_000_000, 50_000_000, 1_000_000)
    assert (found.wrong, found.lost) == (0, 0)
    assert 2_500_000 < found.peak <= 5_000_000
    assert found.rows > 0
