"""`pytest tests/golden --update-golden` rewrites the golden files; look at the diff before you keep it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PLANS = Path(__file__).with_name("plans")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/plans/*.txt")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with a golden file, or write it."""

    def check(name: str, text: str) -> None:
        path = PLANS / f"{name}.txt"
        # the option exists only where this folder is named on the command line
        if request.config.getoption("--update-golden", default=False):
            PLANS.mkdir(exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == path.read_text(encoding="utf-8")

    return check
