"""A real IPython shell with the extension loaded, and a stand-in for the engine behind `session.submit`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import Submitted
from traitlets.config import Config

from vista_nb import errors, session
from vista_nb.session import runs


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A fresh shell without history, with no setting from outside, and no run before."""
    for name in ("VISTA_NB_UI", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runs, "_results", {})
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.run_cell("%load_ext vista_nb").raise_error()
    yield shell
    errors.short_errors(True)
    InteractiveShell.clear_instance()


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> Submitted:
    stand_in = Submitted()
    monkeypatch.setattr(session, "submit", stand_in)
    return stand_in
