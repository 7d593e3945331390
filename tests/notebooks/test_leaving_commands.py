"""`%vista predict` and `%vista export` in a real shell; the run behind them is the sample one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from magic_support import failed, run
from sample_run import SampleRun

from vista_nb import session
from vista_nb.errors import VistaUsageError
from vista_nb.result import VistaResult
from vista_nb.spec import parse


class Asked(VistaResult):
    """Notes what `.predict` is asked for."""

    calls: list[tuple[Any, ...]]

    def predict(self, table: Any, images: Any = None, layer: Any = None) -> pd.DataFrame:
        self.calls.append((table, images, layer))
        return pd.DataFrame({"prediction": [1]})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The last run, and the names it was asked by."""
    handle = SampleRun([])
    spec = parse("structured: $rooms\nimages: p/{id}.jpg\nlabel: y\ncnn: resnet50\n").spec
    handle.workload = replace(handle.workload, spec=spec)
    handle.prepared = SimpleNamespace(structured=None)  # type: ignore[attr-defined]
    result = Asked(handle)  # type: ignore[arg-type]
    result.calls = []
    names: list[str | None] = []
    monkeypatch.setattr(session, "show", lambda name: names.append(name) or result)
    result.names = names  # type: ignore[attr-defined]
    return result


@pytest.mark.parametrize(
    ("line", "asked", "name"),
    [
        ("new.csv", ("new.csv", None, None), None),
        ("new.csv photos/{id}.jpg", ("new.csv", "photos/{id}.jpg", None), None),
        ("new.csv a/{id}.jpg b/{id}.jpg", ("new.csv", ["a/{id}.jpg", "b/{id}.jpg"], None), None),
        ("$table 'my photos' --layer fc6 --run r3", ([1, 2], "my photos", "fc6"), "r3"),
        ("new.csv --layer=(table)", ("new.csv", None, "(table)"), None),
    ],
)
def test_predict_asks_the_run(shell: InteractiveShell, shown: Any, line: str, asked: Any, name: str | None) -> None:
    """Table, image sources, layer and run as written; `$name` is a variable."""
    shell.push({"table": [1, 2]})
    found, _ = run(shell, f"%vista predict {line}")
    assert isinstance(found, pd.DataFrame)
    assert shown.calls == [asked]
    assert shown.names == [name]


def test_predict_binds_its_frame(shell: InteractiveShell, shown: Any) -> None:
    """`-o found`."""
    run(shell, "%vista predict new.csv -o found")
    assert shell.user_ns["found"]["prediction"].tolist() == [1]


def test_a_saved_folder_is_a_run_too(
    shell: InteractiveShell, shown: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--run FOLDER` loads what `.save` wrote."""
    (tmp_path / "manifest.json").write_text("{}")
    loaded: list[Path] = []
    monkeypatch.setattr(session, "load", lambda path: loaded.append(path) or shown)
    run(shell, f"%vista predict new.csv --run {tmp_path}")
    assert loaded == [tmp_path]
    assert shown.names == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("predict", "VST003"),
        ("predict a.csv --layer", "VST003"),
        ("predict a.csv --lyer fc6", "VST001"),
        ("predict a.csv -o 1x", "VST003"),
        ("predict $nothing", "VST025"),
        ("export", "VST003"),
        ("export a b --py", "VST003"),
        ("export --py a.py b.py", "VST003"),
    ],
)
def test_mistakes_are_coded(shell: InteractiveShell, shown: Any, line: str, code: str) -> None:
    """With the form in the hint."""
    error, _ = failed(shell, f"%vista {line}")
    assert isinstance(error, VistaUsageError)
    assert error.code == code


def test_export_shows_or_writes_the_script(shell: InteractiveShell, shown: Any, tmp_path: Path) -> None:
    """Without a file it is text to read; with one, the message names all that was written."""
    import pyarrow as pa

    shown._handle.prepared.structured = pa.table({"id": ["a"]})
    text, _ = run(shell, "%vista export --py")
    assert "import vista_nb\n" in text
    assert "vista_run_data/rooms.parquet" in text
    said, _ = run(shell, f"%vista export r2 --py {tmp_path / 'mine.py'}")
    assert str(said) == f"written: {tmp_path / 'mine.py'}, {tmp_path / 'mine_data' / 'rooms.parquet'}"
    assert shown.names == [None, "r2"]
    assert "mine_data/rooms.parquet" in (tmp_path / "mine.py").read_text()
