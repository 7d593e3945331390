"""Fixtures of the tests on real engines: backends on the tests' Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_support import SparkMaker


@pytest.fixture
def made(spark: Any, cache: Path, tmp_path: Path) -> Iterator[SparkMaker]:
    """Makes backends, and closes them after the test."""
    maker = SparkMaker(spark, cache, tmp_path)
    yield maker
    maker.close()
