"""`%vista store` and `vista-nb store` on a real store: look, pin, drop, clean, check, and mistakes in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell

from vista_nb.cli import main
from vista_nb.errors import VistaStoreError, VistaUsageError
from vista_nb.session import health
from vista_nb.session.storing import drop_layers, select
from vista_nb.store.admin import inventory
from vista_nb.store.files import Store
from vista_nb.store.manifest import LayerSetFacts
from vista_nb.store.parts import schema
from vista_nb.store_command import STORE_COMMANDS, run_store

SETS = (("resnet50", "fc6", "avg"), ("resnet50", "conv5_3", "max 2x2"), ("alexnet", "fc6", "avg"))


def facts(cnn: str, layer: str, pool: str) -> LayerSetFacts:
    return LayerSetFacts(cnn * 8, cnn, "decode1:caffe:224x224", layer, pool, "float32", 3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three layer sets; VISTA_NB_STORE_DIR names it."""
    store = Store(tmp_path)
    table = pa.table({"digest": ["a", "b"], "vector": [[1.0, 2.0, 3.0]] * 2}, schema=schema())
    for names in SETS:
        store.write_table(facts(*names), table, "run 1", 0.5)
    store.take(facts(*SETS[0]).key, ["a"])
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "vista_nb")
    yield shell
    shell.run_line_magic("config", "VistaMagic.store_budget = ''")
    shell.run_line_magic("config", "VistaMagic.store_dir = ''")


def layers_in(folder: Path) -> list[tuple[str, str]]:
    return [(held.facts.cnn, held.facts.layer) for held in Store(folder).ls()]


def test_ls_shows_sizes_uses_and_the_budget(folder: Path, shell: InteractiveShell) -> None:
    """As a table in text and HTML; without a word it is what `store` means."""
    shell.run_line_magic("config", "VistaMagic.store_budget = '5GB'")
    found = shell.run_line_magic("vista", "store ls")
    text = str(found)
    assert text == str(shell.run_line_magic("vista", "store"))
    lines = text.splitlines()
    assert [line.split()[1:3] for line in lines[1:4]] == [list(names[:2]) for names in (SETS[2], SETS[1], SETS[0])]
    assert "1x" in lines[3]
    assert "0.5 s" in lines[3]
    assert "of 5.0 GB; 0.5 s of inference saved so far" in lines[4]
    assert "<table" in found._repr_mimebundle_()["text/html"]


def test_pin_and_drop(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words narrow each other down; what is pinned is refused, and said where others went."""
    assert main(["store", "pin", "resnet50", "fc6"]) == 0
    assert capsys.readouterr().out.count("pinned") == 1
    assert main(["store", "drop", "resnet50", "fc6"]) == 1
    assert "VST617" in capsys.readouterr().err
    assert main(["store", "drop", "fc6"]) == 1
    assert "dropped alexnet fc6 avg" in (out := capsys.readouterr().out)
    assert "resnet50 fc6 is pinned" in out
    assert layers_in(folder) == [("resnet50", "conv5_3"), ("resnet50", "fc6")]
    assert main(["store", "unpin", "all"]) == 0
    assert main(["store", "drop", "all"]) == 0
    assert layers_in(folder) == []
    assert main(["store", "drop", "all"]) == 2


def test_verify_finds_what_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where this process has read the part before and its time and size are as they were."""
    assert main(["store", "verify"]) == 0
    assert "3 parts are whole" in capsys.readouterr().out
    store = Store(folder)
    (path,) = store.paths(facts(*SETS[0]).key)
    content, times = bytearray(path.read_bytes()), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    content[30] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=times)
    assert main(["store", "verify", "resnet50"]) == 1
    out = capsys.readouterr().out
    assert "1 parts are whole" in out
    assert "a broken part of resnet50 fc6 (2 rows) was set aside" in out
    assert main(["store", "verify"]) == 0


def test_gc_takes_a_size(folder: Path, shell: InteractiveShell) -> None:
    """Everything that may go, where nothing may stay."""
    shell.run_line_magic("vista", "store pin conv5_3")
    assert "2 parts removed" in str(shell.run_line_magic("vista", "store gc 0"))
    assert layers_in(folder) == [("resnet50", "conv5_3")]
    with pytest.raises(VistaUsageError, match="VST003"):
        run_store(["gc", "lots"])


def test_the_words(folder: Path) -> None:
    """CNN, layer, pooling, precision, the id's beginning; a word that fits nothing names what there is."""
    holdings = inventory(Store(folder)).holdings
    key = facts(*SETS[1]).key

    def chosen(*words: str) -> list[Any]:
        return [(h.layers.facts.cnn, h.layers.facts.layer) for h in select(holdings, words)]

    assert chosen("ALEXNET") == [("alexnet", "fc6")]
    assert chosen("max", "2x2") == [("resnet50", "conv5_3")] == chosen(key[:8])
    assert len(chosen("all")) == len(chosen("float32")) == 3
    with pytest.raises(VistaUsageError, match=r"VST014.*resnet5O"):
        chosen("resnet5O")
    with pytest.raises(VistaUsageError, match="VST014"):
        chosen("alexnet", "conv5_3")
    with pytest.raises(VistaUsageError, match="VST014"):
        drop_layers(["alexnet", "conv5_3"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["lsd"], "VST004"),
        (["pin"], "VST003"),
        (["drop"], "VST003"),
        (["ls", "x"], "VST003"),
        (["gc", "1", "2"], "VST003"),
    ],
)
def test_mistakes(folder: Path, words: list[str], code: str) -> None:
    """Coded, with the right form."""
    with pytest.raises(VistaUsageError, match=code) as found:
        run_store(words)
    assert found.value.hint


def test_every_command_is_said(shell: InteractiveShell) -> None:
    """The overview names each of them."""
    overview = str(shell.run_line_magic("vista", ""))
    assert all(name in overview for name in STORE_COMMANDS)


def test_settings_are_checked(folder: Path, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that is none, where it is written or else where it is read, and an address that nothing reads."""
    shell.run_line_magic("config", "VistaMagic.store_budget = 'much'")
    assert shell.magics_manager.registry["VistaMagic"].store_budget == ""
    monkeypatch.setenv("VISTA_NB_STORE_BYTES", "much")
    with pytest.raises(VistaStoreError, match="VST616"):
        shell.magics_manager.registry["VistaMagic"].vista("store ls")
    monkeypatch.delenv("VISTA_NB_STORE_BYTES")
    shell.run_line_magic("config", "VistaMagic.store_dir = 'ftp://name/store'")
    with pytest.raises(VistaStoreError, match="VST615"):
        shell.magics_manager.registry["VistaMagic"].vista("store ls")


def test_doctor_says_how_full_the_store_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder with its bytes and budget; what is wrong with a setting, and what to do."""
    monkeypatch.setenv("VISTA_NB_STORE_BYTES", "3GB")
    found = health._store()
    assert (found.ok, found.detail.startswith(str(folder)), found.detail.endswith("of 3.0 GB")) == (True, True, True)
    monkeypatch.setenv("VISTA_NB_STORE_BYTES", "some")
    assert not health._store().ok
    monkeypatch.setenv("VISTA_NB_STORE_DIR", "s3a://bucket")
    found = health._store()
    assert (found.ok, "folder" in found.fix) == (False, True)
