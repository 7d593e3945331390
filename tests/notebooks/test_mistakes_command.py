"""`%vista mistakes` in a real shell: the best layer, one layer, two layers, and mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import failed, run
from seen_run import class_result

from vista_nb import session
from vista_nb.result import VistaResult
from vista_nb.views.gallery_view import Gallery


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str | None]:
    """The runs that were asked for; each is the same run of five rows."""
    names: list[str | None] = []

    def show(name: str | None) -> VistaResult:
        names.append(name)
        return class_result(tmp_path)

    monkeypatch.setattr(session, "show", show)
    return names


@pytest.mark.parametrize(
    ("line", "keys", "runs"),
    [
        ("mistakes", ("k<script>", "a2"), [None]),
        ("mistakes conv5 -n 1", ("k<script>",), [None]),
        ("mistakes -n=1 --run r2 conv5", ("k<script>",), ["r2"]),
        ("mistakes conv5 fc6", ("a1", "a2"), [None]),
        ("mistakes '(table)' --run=r7", ("a2", "b1", "a3"), ["r7"]),
    ],
)
def test_a_gallery_of_the_run(
    shell: InteractiveShell, asked: list[str | None], line: str, keys: tuple[str, ...], runs: list[str | None]
) -> None:
    """Layers by place, the rest by flag, in any order."""
    shown, _ = run(shell, f"%vista {line}")
    assert isinstance(shown, Gallery)
    assert set(shown.keys) == set(keys)
    assert asked == runs


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mistakes conv5 fc6 more", "VST003"),
        ("mistakes -n", "VST003"),
        ("mistakes -n many", "VST003"),
        ("mistakes --layer fc6", "VST001"),
        ("mistakes -n 500", "VST030"),
        ("mistakes fc66", "VST006"),
    ],
)
def test_what_is_wrong_with_the_line(shell: InteractiveShell, asked: list[str | None], line: str, code: str) -> None:
    """Coded, never a traceback."""
    error, _ = failed(shell, f"%vista {line}")
    assert getattr(error, "code", "") == code
    assert len(asked) <= 1
