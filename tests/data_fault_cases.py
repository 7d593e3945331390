"""Every data fault of DESIGN.md section 14 and then some, each as what is put into a sound shop."""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
from data_faults_support import ROWS, Fault, Shop, bomb, encoded, picture

from vista_nb.executor.downstream.split import held_out
from vista_nb.executor.local import LocalBackend
from vista_nb.executor.records import Rows, Vectors

HOSTILE = (
    "a'b\"c", "{id}", "%s {0.__class__}", "<img src=x onerror=alert(1)>", "new\nline", "ünïcödé", "日本語",
    " leading space", "semi;colon & $HOME", "..", "-rf", "*?[a]",
)  # fmt: skip


def _bytes(content: bytes, key: str = "k07") -> object:
    return lambda made: made.photo(key).write_bytes(content)


def _photo(kind: str, mode: str = "RGB", **options: object) -> object:
    return lambda made: made.photo("k07").write_bytes(encoded(picture().convert(mode), kind, **options))


def _truncated(made: Shop) -> None:
    content = made.photo("k07").read_bytes()
    made.photo("k07").write_bytes(content[:-40])


def _sixteen_bit(made: Shop) -> None:
    ramp = np.linspace(0, 65535, 24 * 16).astype(np.uint16).reshape(16, 24)
    from PIL import Image

    made.photo("k07").write_bytes(encoded(Image.fromarray(ramp), "PNG"))


def _animated(made: Shop) -> None:
    made.photo("k07").write_bytes(encoded(picture(), "GIF", save_all=True, append_images=[picture("blue")]))


def _same_error_page(made: Shop) -> None:
    for key in ("k07", "k08"):
        made.photo(key).write_bytes(b"<html>404</html>")


def _missing_named(made: Shop) -> None:
    made.set("file", lambda place: f"photos/k{place:02d}.jpg")
    made.rows[7]["file"] = "photos/gone.jpg"
    made.rows[8]["file"] = ""
    made.spec["images"] = "file"


def _many_bad(made: Shop) -> None:
    for place in range(5):
        made.photo(f"k{place:02d}").write_bytes(b"no picture")


def _second_views(made: Shop, missing: range) -> None:
    made.spec["images"] = "[photos/{id}.jpg, back/{id}.jpg]"
    (made.folder / "back").mkdir()
    for place in range(ROWS):
        if place not in missing:
            picture("blue", place).save(made.folder / "back" / f"k{place:02d}.jpg")


def _two_files(made: Shop) -> None:
    made.spec["images"] = "photos"
    picture().save(made.folder / "photos" / "k07.png")


def _hostile(made: Shop) -> None:
    for place, name in enumerate(HOSTILE):
        old, name = made.photo(f"k{place:02d}"), unicodedata.normalize("NFC", name)
        # as a Mac writes it
        old.rename(old.with_name(unicodedata.normalize("NFD", name) + ".jpg"))
        made.rows[place]["id"] = name


def _empty_key(made: Shop) -> None:
    made.rows[7]["id"] = ""


def _every_key_empty(made: Shop) -> None:
    made.set("id", lambda _: "")
    made.set("other", lambda place: place)


def _held(made: Shop) -> list[int]:
    """Rows that the split holds out."""
    keys = [row["id"] for row in made.rows]
    return np.flatnonzero(held_out(keys, 0, 0.3)).tolist()


def _nans(made: Shop) -> None:
    made.rows[7]["price"], made.rows[8]["price"], made.rows[9]["price"] = "nan", "inf", ""


def _unseen(made: Shop) -> None:
    made.rows[_held(made)[0]]["kind"] = "only held out"


def _untrained(made: Shop) -> None:
    made.rows[_held(made)[0]]["label"] = "violet"


def _one_train_class(made: Shop) -> None:
    held = _held(made)
    made.set("label", lambda place: "red" if place not in held else ("red", "blue")[place % 2])


def _unequal(made: Shop) -> None:
    made.set("label", lambda place: "blue" if place % 20 == 0 else "red")


def _label_gaps(made: Shop) -> None:
    made.rows[7]["label"] = ""


def _infinite_label(made: Shop) -> None:
    made.set("label", lambda place: place * 1.5)
    made.rows[7]["label"], made.rows[8]["label"] = "inf", "nan"
    made.spec["model"] = "LinearRegression(regParam=0.1)"


def _leak(made: Shop) -> None:
    made.set("code", lambda place: (10, 20, 30)[place % 3])


def _class_leak(made: Shop) -> None:
    made.set("is_red", lambda place: place % 3 == 0)


def _number_leak(made: Shop) -> None:
    made.set("label", lambda place: (place * 37) % 100 + place / 100)
    made.set("cents", lambda place: 100 * ((place * 37) % 100) + place)
    made.spec |= {"model": "LinearRegression(regParam=0.1)", "features": "[cents, kind]"}


def _numbers_with_text(made: Shop) -> None:
    made.set("weight", lambda place: f"{place * 3} kg")


def _overflow(made: Shop) -> None:
    """A CNN that overflows on one photo, in one layer."""

    def spoil(backend: LocalBackend) -> None:
        plain = backend.vectors

        def vectors(layer: str, rows: Rows) -> Vectors:
            found = plain(layer, rows)
            if layer == "mid":
                block = np.concatenate(found.blocks)
                block[found.digests.index(rows.digests[0][rows.keys.index("k07")]), 3] = math.inf
                found = Vectors(found.digests, (block,), found.width)
            return found

        backend.vectors = vectors  # type: ignore[method-assign]

    made.spoil = spoil


def _table(made: Shop, table: object) -> None:
    made.tables["t"] = table
    made.spec["structured"] = "$t"


def _mixed(made: Shop) -> None:
    import pandas as pd

    _table(made, pd.DataFrame({"id": ["a", 1], "label": ["x", "y"]}, dtype=object))


def _double_column(made: Shop) -> None:
    (made.folder / "items.csv").write_text("id,label,price,price\nk00,red,1,2\nk01,blue,3,4\n")


def _torn(made: Shop) -> None:
    (made.folder / "items.csv").write_text("id,label,price\nk00,red\nk01,blue,3,4\n")


FAULTS = (
    # -- photos
    Fault("corrupt photo", "`k07.jpg` holds no picture", _bytes(b"no picture")),
    Fault("truncated photo", "the end of `k07.jpg` is missing", _truncated),
    Fault("zero-byte photo", "`k07.jpg` has no bytes", _bytes(b"")),
    Fault(
        "the same broken bytes twice",
        "two failed downloads, `k07.jpg` and `k08.jpg`, hold one error page",
        _same_error_page,
    ),
    Fault("huge photo", "a PNG of some bytes that claims 60 000 x 60 000 pixels", _bytes(bomb())),
    Fault("grayscale photo", "`k07.jpg` is gray", _photo("JPEG", "L")),
    Fault("CMYK photo", "`k07.jpg` is CMYK", _photo("JPEG", "CMYK")),
    Fault("16-bit photo", "`k07.jpg` is a 16-bit PNG", _sixteen_bit),
    Fault("animation", "`k07.jpg` is an animated GIF: the first picture counts", _animated),
    Fault("missing photo", "no file `photos/k07.jpg`", lambda made: made.photo("k07").unlink()),
    Fault(
        "missing photo that the table names",
        "a column of paths: row k07 names a file that is not there, row k08 names none",
        _missing_named,
    ),
    Fault(
        "photo without a row",
        "`photos/stranger.jpg`",
        lambda made: picture().save(made.folder / "photos" / "stranger.jpg"),
    ),
    Fault(
        "a view is missing",
        "two photos per record, the second of k07 is not there",
        lambda made: _second_views(made, range(7, 8)),
    ),
    Fault(
        "a view is missing for all", "the second pattern fits no file", lambda made: _second_views(made, range(ROWS))
    ),
    Fault("no photo fits", "`images: photos/{kind}.jpg`", lambda made: made.spec.update(images="photos/{kind}.jpg")),
    Fault("two photos for a key", "a folder with `k07.jpg` and `k07.png`", _two_files),
    Fault("more than 5 % bad", "five of 60 photos hold no picture", _many_bad),
    Fault(
        "`bad_images: fail`",
        "one photo holds no picture",
        lambda made: (made.photo("k07").write_bytes(b"no picture"), made.spec.update(bad_images="fail")),
    ),
    Fault(
        "hostile and foreign names",
        "names with quotes, braces, markup, a line break; accents composed in the table, decomposed on disk",
        _hostile,
    ),
    # -- keys
    Fault("duplicate key", "rows k07 and k08 have the key `k07`", lambda made: made.rows[8].update(id="k07")),
    Fault("empty key", "one row has no key", _empty_key),
    Fault("no key at all", "the key column is empty", _every_key_empty),
    Fault("no such key column", "`on: key`", lambda made: made.spec.update(on="key")),
    # -- features
    Fault("NaN, infinity, nothing", "`price` of three rows", _nans),
    Fault("constant column", "`shop` is `a` in every row", lambda made: made.set("shop", lambda _: "a")),
    Fault("empty column", "`blank` has no value", lambda made: made.set("blank", lambda _: "")),
    Fault(
        "empty column asked for",
        "`features: [blank]`",
        lambda made: (made.set("blank", lambda _: ""), made.spec.update(features="[blank]")),
    ),
    Fault("numbers with text", "`weight` is `3 kg`, `6 kg`, ...", _numbers_with_text),
    Fault("category unseen in training", "`kind` of one held-out row: counts with the infrequent", _unseen),
    Fault("a column is the label", "`code` is 10, 20, 30 for the three classes", _leak),
    Fault("a column is one class", "`is_red`", _class_leak),
    Fault("a column orders the label", "a regression of `label`, with `cents` = 100 x `label`", _number_leak),
    Fault("NaN or infinite CNN features", "the CNN overflows on `k07.jpg`", _overflow),
    # -- label
    Fault("single-class label", "every row is `red`", lambda made: made.set("label", lambda _: "red")),
    Fault("single class in training", "all other classes are held out", _one_train_class),
    Fault("class absent from training", "one held-out row is `violet`", _untrained),
    Fault("unequal classes", "3 of 60 rows are `blue`", _unequal),
    Fault("empty label", "one row has no label", _label_gaps),
    Fault("infinite label", "a regression; one label is `inf`, one `nan`", _infinite_label),
    Fault(
        "label without classes",
        "every row has a text of its own",
        lambda made: made.set("label", lambda place: f"text {place}"),
    ),
    # -- tables
    Fault(
        "no rows",
        "the table is empty",
        lambda made: _table(made, pa.table({"id": pa.array([], pa.string()), "label": pa.array([], pa.string())})),
    ),
    Fault("mixed types", "a pandas column with text and numbers", _mixed),
    Fault("column twice", "two columns called `price`", _double_column),
    Fault("torn csv", "rows with more and fewer fields than the header", _torn),
    Fault("no table", "`structured: absent.csv`", lambda made: made.spec.update(structured="absent.csv")),
)

ENGINE = (
    (
        "worker killed while it infers",
        "the pass goes down the plan's ladder, one line says so",
        "everything: the same numbers",
        "tests/engine/test_spark_backend.py::test_a_killed_worker_costs_a_retry_not_the_run",
    ),
    (
        "memory limit of a cgroup",
        "a plan that fits; or VST201 with the smallest memory that would do",
        "everything, or nothing starts",
        "tests/engine/test_memory_limits.py::test_an_admitted_plan_finishes_within_its_limit",
    ),
    (
        "the kernel's memory killer takes a worker",
        "one line, a milder rung",
        "everything: finished partitions are not made again",
        "tests/engine/test_memory_limits.py::test_the_memory_killer_takes_a_worker_and_the_rest_is_kept",
    ),
    (
        "disk full during a store write",
        "a coded refusal; the run goes on without keeping",
        "what was stored before, whole",
        "tests/engine/test_store_durability.py::test_a_disk_without_room",
    ),
    (
        "kernel killed during a store write",
        "nothing: the next kernel reads what is whole",
        "every part that was reported",
        "tests/engine/test_store_durability.py::test_killed_writers",
    ),
    (
        "damaged store files",
        "one line; the photos are inferred again",
        "right rows or none",
        "tests/engine/test_store_durability.py::test_damaged_files",
    ),
    (
        "two kernels on one store",
        "nothing",
        "both sides' parts",
        "tests/engine/test_store_durability.py::test_two_kernels",
    ),
    (
        "interrupt at any stage",
        "`VistaCancelled` with the finished layers",
        "finished layers and their features",
        "tests/engine/test_interrupt_stages.py::test_at_every_stage",
    ),
    (
        "Spark's JVM killed between cells",
        "nothing: another one starts",
        "everything",
        "tests/engine/test_session.py::test_a_run_survives_the_death_of_the_jvm",
    ),
    (
        "a standalone cluster loses a worker",
        "Spark runs its tasks elsewhere",
        "everything: the same numbers",
        "tests/engine/test_standalone.py::test_plans_agree_and_a_killed_worker_costs_its_tasks",
    ),
)
"""Faults of machines, whose tests are elsewhere: what happens, what the user sees, what is kept, the test."""

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data_faults.md"
