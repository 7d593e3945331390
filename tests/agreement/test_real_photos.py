"""Real photos: the clothing and the houses set against a hand-written Keras + scikit-learn run on the same rows.

The whole sets are used (about two minutes): on fewer rows one point of accuracy is one row.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import vista_nb
from benchmarks import real_photos

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.tf, pytest.mark.shared]


@pytest.fixture(scope="module")
def clothing(shared: Path) -> Any:
    return vista_nb.run(real_photos.clothing_spec())


@pytest.fixture(scope="module")
def by_hand(shared: Path) -> dict[str, float]:
    return real_photos.reference_accuracies()


def test_every_layer_is_within_a_point_of_the_hand_written_run(clothing: Any, by_hand: dict[str, float]) -> None:
    """The same rows, L2, C = 0.01: another decoder and another solver move an accuracy by less than a point."""
    ours = clothing.accuracy.set_index("layer").value
    assert {name: ours[name] for name in by_hand} == pytest.approx(by_hand, abs=0.01)


def test_layers_keep_their_order(clothing: Any, by_hand: dict[str, float]) -> None:
    """Where the reference sees three points or more between two layers, so does vista_nb see the same sign."""
    ours = clothing.accuracy.set_index("layer").value
    far = [(a, b) for a, b in combinations(by_hand, 2) if abs(by_hand[a] - by_hand[b]) >= 0.03]
    assert far
    assert all((ours[a] - ours[b]) * (by_hand[a] - by_hand[b]) > 0 for a, b in far)


def test_the_report_says_that_pictures_help(clothing: Any) -> None:
    """Clothes are told apart by their photos."""
    assert "Pictures help" in str(clothing.report())


def test_the_report_says_that_pictures_do_not_clearly_help(shared: Path) -> None:
    """Houses: 535 rows, and plain concatenation does not beat the table."""
    result = vista_nb.run(real_photos.houses_spec())
    assert "Pictures do not" in str(result.report())  # clearly help, or help at all
