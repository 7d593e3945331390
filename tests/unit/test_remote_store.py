"""The remote tier's protocol, over pyarrow's local file system: what exists, what does not, what is never misread."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from remote_support import AWAY, FACTS, bring, forget_what_is_known, put, rows

from vista_nb.errors import VistaStoreError
from vista_nb.executor.cnn.tensors import tensors_column
from vista_nb.listings import store_table
from vista_nb.session.options import Options
from vista_nb.session.reuse import open_store
from vista_nb.store import remote as remote_module
from vista_nb.store.admin import check, clean, drop, inventory
from vista_nb.store.fetching import fetch, remote_rows
from vista_nb.store.files import Store
from vista_nb.store.manifest import FORMAT
from vista_nb.store.place import SCHEMES, Place, shown, store_place
from vista_nb.store.remote import Remote
from vista_nb.store.remote_part import RemotePart, Unfinished, parse_part, render_part
from vista_nb.units import format_bytes

NAMES = ["a", "bb", "ccc"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is a process of its own: nothing is known, nothing was damaged or away."""
    forget_what_is_known(monkeypatch)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "bucket").mkdir()
    return tmp_path / "bucket"


@pytest.fixture
def uri(bucket: Path) -> str:
    return bucket.as_uri()


def objects(bucket: Path, kind: str) -> list[Path]:
    return sorted((bucket / f"v{FORMAT}" / FACTS.key).glob(f"*.{kind}"))


# -- addresses -----------------------------------------------------------------------------------------------------


def test_an_address_is_a_tier_behind_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is the environment's where it names one, else the cache's, as without an address."""
    monkeypatch.delenv("VISTA_NB_STORE_DIR", raising=False)
    cache = store_place().folder
    assert store_place("s3://bucket/x") == Place(cache, "s3://bucket/x")
    monkeypatch.setenv("VISTA_NB_STORE_DIR", "gs://bucket/y")
    assert store_place() == Place(cache, "gs://bucket/y")
    assert store_place(tmp_path) == Place(tmp_path)
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path))
    assert store_place("s3://bucket/x") == Place(tmp_path, "s3://bucket/x")
    assert store_place("~/store") == Place(Path.home() / "store")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3a://b/x", "s3://..."),
        ("ftp://u:secret@h/x", "ftp://h/x"),
        (Path("s3://b/x"), "as text"),
        ("s3:/b/x", "as text"),
    ],
)
def test_other_addresses_are_refused(given: str | Path, said: str) -> None:
    """By their scheme, or because pathlib has spoilt them; and no password is repeated."""
    with pytest.raises(VistaStoreError, match="VST615") as caught:
        store_place(given)
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", [*SCHEMES, "s3a", "ftp", "http"])
def test_schemes_are_those_of_pyarrow(scheme: str) -> None:
    """Ours is a list, so that a wrong one is refused before anything is imported; this holds it to pyarrow's.

    The query is one that nobody knows: whoever knows the scheme stumbles over that before it connects.
    """
    from pyarrow import fs

    with pytest.raises((pa.ArrowException, OSError)) as caught:
        fs.FileSystem.from_uri(f"{scheme}://name/x?no_such_option=1" if scheme != "file" else "file://relative")
    assert ("Unrecognized filesystem type" in str(caught.value)) == (scheme not in SCHEMES)


def test_what_an_address_carries_is_not_shown() -> None:
    assert shown("s3://key:secret@bucket/a/b/?endpoint_override=http://h:1") == "s3://bucket/a/b"


# -- the protocol --------------------------------------------------------------------------------------------------


def test_a_part_goes_and_comes(bucket: Path, uri: str, tmp_path: Path) -> None:
    """Values, run and time are those of the kernel that made it; the objects are as ADR 30 says."""
    told = put(tmp_path / "one", uri, NAMES, run="r7")
    assert any("1 new part (" in line and line.endswith(f"sent to {uri}") for line in told)
    (json_path,), (part_path,) = objects(bucket, "json"), objects(bucket, "parquet")
    assert json_path.stem == part_path.stem
    assert json.loads(json_path.read_text())["digests"] == NAMES
    made = Store(tmp_path / "one").lookup(FACTS.key)
    found, notes = bring(tmp_path / "two", uri, ["a", "ccc"])
    assert found == {"a": [97.0, 1.0, 1.0], "ccc": [99.0, 3.0, 1.0]}
    assert notes == ()
    kept = Store(tmp_path / "two").lookup(FACTS.key)
    assert made is not None
    assert kept is not None
    assert (kept.run, kept.created, kept.seconds_per_image) == ("r7", made.created, 0.5)
    assert (kept.parts[0].sha256, kept.parts[0].bytes) == (made.parts[0].sha256, made.parts[0].bytes)


def test_what_is_there_is_neither_fetched_nor_sent_again(bucket: Path, uri: str, tmp_path: Path) -> None:
    """A kernel that fetched a part, and then reads it, sends nothing; a third asks for two rows and gets one part."""
    put(tmp_path / "one", uri, ["a", "bb"])
    put(tmp_path / "two", uri, ["bb", "ccc"], run="r2")
    assert len(objects(bucket, "json")) == 2
    store = Store(tmp_path / "three", of_run=True, remote=uri)
    seen = remote_rows(store, FACTS.key, {"bb", "zzz"})
    assert seen is not None
    assert (seen.digests, seen.run) == ({"bb"}, "r2")
    assert fetch(store, FACTS.key, {"bb"}) == {"bb"}
    assert len(store.lookup(FACTS.key).parts) == 1  # type: ignore[union-attr]
    store.take(FACTS.key, {"bb"})
    assert store.settle() == ()
    store.close()
    assert len(objects(bucket, "json")) == 2


def test_what_was_made_while_the_store_was_away_goes_later(bucket: Path, uri: str, tmp_path: Path) -> None:
    """A part that lies here alone is sent by the next run that reads it."""
    Store(tmp_path / "one").write_table(FACTS, rows(NAMES), "r1")
    store = Store(tmp_path / "one", of_run=True, remote=uri)
    store.take(FACTS.key, set(NAMES))
    assert len(store.settle()) == 1
    store.close()
    assert bring(tmp_path / "two", uri, NAMES)[0].keys() == set(NAMES)


def test_raw_tensors_stay_here(bucket: Path, uri: str, tmp_path: Path) -> None:
    """A network brings them no sooner than the CNN makes them again."""
    raw = replace(FACTS, pooling="raw")
    store = Store(tmp_path / "one", of_run=True, remote=uri)
    column = tensors_column({"conv5_1": np.zeros((1, 3), np.float32)}, [True])
    store.write_table(raw, pa.table({"digest": ["a"], "tensors": column}), "r1")
    assert store.settle() == ()
    store.close()
    assert list(bucket.iterdir()) == []


# -- what is not as it should be -----------------------------------------------------------------------------------


class _Killed(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("moment", ["in the part", "before the JSON", "in the JSON"])
def test_a_killed_upload_left_nothing(
    moment: str, bucket: Path, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any moment: nobody sees the part, nobody complains, the next run sends it, and gc takes the rest in a day."""
    Store(tmp_path / "one").write_table(FACTS, rows(NAMES), "r1")
    local = Store(tmp_path / "one").lookup(FACTS.key)
    assert local is not None
    _killed_sending(Remote(uri, print), RemotePart(FACTS, local.parts[0], frozenset(NAMES)), tmp_path / "one", moment)
    assert len(objects(bucket, "parquet")) == 1
    assert bring(tmp_path / "two", uri, NAMES) == ({}, ())
    young, old = (clean_remote(tmp_path / "two", uri, age) for age in (0.0, 2 * 86_400.0))
    assert (young, old) == (0, 2 if moment == "in the JSON" else 1)
    assert objects(bucket, "*") == []
    store = Store(tmp_path / "one", of_run=True, remote=uri)
    store.take(FACTS.key, set(NAMES))
    store.settle()
    store.close()
    assert bring(tmp_path / "two", uri, NAMES)[0].keys() == set(NAMES)


def _killed_sending(remote: Remote, found: RemotePart, root: Path, moment: str) -> None:
    """The real upload up to `moment`; what a dead process left of the object it was writing."""
    source = Store(root).layout.folder(found.key) / found.part.file
    text, writing = render_part(found).encode(), remote._writing
    cut = {"in the part": ".parquet", "before the JSON": "", "in the JSON": ".json"}[moment]

    def dying(path: str) -> object:
        stream = writing(path)
        if cut and path.endswith(cut):
            stream.write(text[:40])
            stream.close()
            raise _Killed
        if path.endswith(".json"):
            stream.close()
            Path(path).unlink()
            raise _Killed
        return stream

    remote._writing = dying  # type: ignore[method-assign]
    with pytest.raises(_Killed):
        remote.send(found, source, lambda: False)


def clean_remote(folder: Path, uri: str, ahead: float) -> int:
    """Objects that `gc` removes, of which so many seconds have passed."""
    from vista_nb.store.remote_admin import sweep_remote

    return sweep_remote(Store(folder, remote=uri), time.time() + ahead).files


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink], ids=["flipped", "cut", "gone"])
def test_a_damaged_object_is_ignored_and_said(damage: object, bucket: Path, uri: str, tmp_path: Path) -> None:
    """Never a wrong row; the kernel that made the rows anew sends them, and the next one finds those first."""
    put(tmp_path / "one", uri, NAMES)
    damage(objects(bucket, "parquet")[0])  # type: ignore[operator]
    found, notes = bring(tmp_path / "two", uri, NAMES)
    assert found == {}
    assert len(notes) == 1
    assert "a broken part of resnet50 conv5_1 (3 rows)" in notes[0]
    assert bring(tmp_path / "three", uri, NAMES) == ({}, ())  # this process knows it by now
    put(tmp_path / "two", uri, NAMES, run="r2")
    assert len(objects(bucket, "json")) == 2
    remote_module._damaged.clear()
    assert bring(tmp_path / "four", uri, NAMES)[0].keys() == set(NAMES)


def test_a_json_that_changed_is_ignored_and_said(bucket: Path, uri: str, tmp_path: Path) -> None:
    """Its checksum is over the digests too: no row is looked for under another photo's name."""
    put(tmp_path / "one", uri, NAMES)
    (path,) = objects(bucket, "json")
    path.write_text(path.read_text().replace('"bb"', '"zz"'))
    found, notes = bring(tmp_path / "two", uri, ["zz"])
    assert found == {}
    assert "was ignored" in notes[0]


def test_a_part_of_another_version_is_not_read(uri: str, tmp_path: Path) -> None:
    """Nor one under another name; half a JSON is an unfinished one."""
    put(tmp_path / "one", uri, NAMES)
    found = Remote(uri, print).parts(FACTS.key)[0]
    text = render_part(found)
    assert parse_part(text, FACTS.key, found.name) == found
    assert parse_part(text.replace(f'"format": {FORMAT}', '"format": 99'), FACTS.key, found.name) is None
    with pytest.raises(ValueError, match="does not describe"):
        parse_part(text, FACTS.key, "0" * 32)
    with pytest.raises(Unfinished):
        parse_part(text[: len(text) // 2], FACTS.key, found.name)


def test_two_kernels_at_once(bucket: Path, uri: str, tmp_path: Path) -> None:
    """20 rounds of two kernels that write and read the same layer: every row whole, whoever came first."""
    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            names = [f"{letter}{number}" for letter in "abcd"]
            list(pool.map(lambda root, n=names: put(root, uri, n), (tmp_path / "one", tmp_path / "two")))
            found, notes = bring(tmp_path / f"three{number}", uri, names)
            assert found == {name: [float(ord(name[0])), float(len(name)), 1.0] for name in names}
            assert notes == ()


@pytest.fixture
def away() -> str:
    """A bucket where nobody answers."""
    return AWAY


def test_a_store_out_of_reach_costs_a_note(away: str, tmp_path: Path) -> None:
    """What was written stays here; the look is a note with its code, once."""
    told = put(tmp_path / "one", away, NAMES)
    assert any("VST618" in line and "it stays here" in line for line in told)
    store = Store(tmp_path / "two", remote=away)
    assert remote_rows(store, FACTS.key, set(NAMES)) is None
    assert fetch(store, FACTS.key, set(NAMES)) == set()
    assert len(store.notes()) == 1
    assert store.remote_trouble is not None
    assert store.remote_trouble.code == "VST618"
    assert Store(tmp_path / "one").digests(FACTS.key) == set(NAMES)


def test_a_store_out_of_reach_is_not_asked_at_once_again(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question may take seconds; after a while it is asked anew."""
    asked: list[str] = []
    listing = Remote._list
    monkeypatch.setattr(Remote, "_list", lambda self, folder: asked.append(folder) or listing(self, folder))
    for seconds, questions in ((30.0, 1), (30.0, 1), (0.0, 2)):
        monkeypatch.setattr(remote_module, "RETRY_SECONDS", seconds)
        with pytest.raises(VistaStoreError, match="VST618"):
            Remote(away, print).layer_keys()
        assert len(asked) == questions
    monkeypatch.setattr(remote_module, "RETRY_SECONDS", 300.0)
    with pytest.raises(VistaStoreError, match="VST618"):
        open_store(Options("require", store_dir=away)).remote.layer_keys()  # type: ignore[union-attr]
    assert len(asked) == 3


def test_a_stopped_run_sends_nothing_more(bucket: Path, uri: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "one", of_run=True, remote=uri)
    store.stop_sending()
    with pytest.raises(RuntimeError):
        store._sending._pool.submit(print)  # type: ignore[union-attr]
    store.write_table(FACTS, rows(NAMES), "r1")
    assert store.settle() == ()
    store.close()
    assert objects(bucket, "*") == []


def test_no_room_here_is_said(uri: str, tmp_path: Path) -> None:
    """The local budget goes on: what does not fit does not come, and the run infers it."""
    put(tmp_path / "one", uri, NAMES)
    store = Store(tmp_path / "two", 10, remote=uri)
    assert fetch(store, FACTS.key, set(NAMES)) == set()
    assert "VST614" in store.notes()[0]


# -- what people do with it ----------------------------------------------------------------------------------------


def test_looking_dropping_checking(bucket: Path, uri: str, tmp_path: Path) -> None:
    """`ls` shows what is remote, also where nothing is here; `verify` reads it; `drop` removes it, JSON first."""
    put(tmp_path / "one", uri, NAMES)
    store = Store(tmp_path / "two", remote=uri)
    (holding,) = inventory(store).holdings
    assert (holding.layers.rows, holding.remote_rows, holding.remote_bytes > 0) == (0, 3, True)
    shown_as = str(store_table(inventory(store)))
    assert f"3 images, {format_bytes(holding.remote_bytes)}" in shown_as
    assert f"in {uri}" in shown_as
    assert (check(store, [FACTS.key]).parts, check(store, [FACTS.key]).notes) == (1, ())
    assert drop(store, FACTS.key) == holding.remote_bytes
    assert objects(bucket, "*") == []
    assert inventory(Store(tmp_path / "two", remote=uri)).holdings == ()


def test_verify_sets_a_broken_part_aside(bucket: Path, uri: str, tmp_path: Path) -> None:
    """Its JSON goes, so that no kernel finds it; the part is for `gc` once it is a day old."""
    put(tmp_path / "one", uri, NAMES)
    (path,) = objects(bucket, "parquet")
    flip(path)
    checked = check(Store(tmp_path / "two", remote=uri), [FACTS.key])
    assert (checked.parts, len(checked.notes)) == (0, 1)
    assert objects(bucket, "*") == [path]
    clean(Store(tmp_path / "two", remote=uri))
    assert path.exists()
    os.utime(path, (0, 0))
    assert clean(Store(tmp_path / "two", remote=uri)).swept.files == 1
    assert not path.exists()


def test_looking_while_it_is_away(away: str, tmp_path: Path) -> None:
    """The local tier is shown all the same."""
    Store(tmp_path / "one").write_table(FACTS, rows(NAMES), "r1")
    found = inventory(Store(tmp_path / "one", remote=away))
    assert [holding.layers.rows for holding in found.holdings] == [3]
    assert "VST618" in found.notes[0]
