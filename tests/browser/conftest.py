"""One JupyterLab and one Chromium for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_support import Lab, chromium, lab_server


# "package", not "session": the browser's driver holds this thread's event loop, which the notebook tests need
@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on loopback."""
    folder: Path = tmp_path_factory.mktemp("lab")
    with lab_server(folder) as url:
        yield Lab(url, folder)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with chromium() as fresh:
        yield fresh
