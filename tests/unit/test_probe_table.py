"""Reading T_str without an engine: files, variables, keys, and what is said when something is wrong."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from vista_nb.errors import NotSupportedYet, VistaDataError
from vista_nb.executor.probe_columns import as_text
from vista_nb.executor.probe_table import check_keys, column_facts, read_structured
from vista_nb.spec.model import DataSource

TABLE = pa.table({"id": [3, 1, 2], "name": ["a", "b", None], "price": [1.5, None, 2.5]})


def path(text: object) -> DataSource:
    return DataSource(str(text), "path")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "json", "jsonl"])
def test_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    """The same rows out of each format; nulls stay nulls."""
    file = tmp_path / f"t.{suffix}"
    rows = TABLE.to_pylist()
    if suffix == "parquet":
        parquet.write_table(TABLE, file)
    elif suffix == "json":
        file.write_text(json.dumps(rows))
    elif suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        mark = "," if suffix == "csv" else "\t"
        lines = [mark.join("" if v is None else str(v) for v in row.values()) for row in rows]
        file.write_text("\n".join([mark.join(TABLE.column_names), *lines]) + "\n")
    assert read_structured(path(file), {}).to_pylist() == rows


def test_glob_and_folder(tmp_path: Path) -> None:
    """Several files become one table, in name order; a folder is read like Spark's output."""
    for number in (2, 1):
        parquet.write_table(TABLE.slice(number - 1, 1), tmp_path / f"part-{number}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    assert read_structured(path(tmp_path / "part-*.parquet"), {}).column("id").to_pylist() == [3, 1]
    assert read_structured(path(tmp_path), {}).num_rows == 2


def test_variables(tmp_path: Path) -> None:
    """A pyarrow table, a pandas frame with a category, a list of records."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [1, 2], "kind": pandas.Categorical(["x", "y"])}, index=[7, 9])
    got = read_structured(DataSource("$frame", "variable"), {"frame": frame})
    assert got.column_names == ["id", "kind"]
    assert got.schema.field("kind").type == pa.string()
    assert read_structured(DataSource("$t", "variable"), {"t": TABLE}).num_rows == 3
    assert read_structured(DataSource("t", "either"), {"t": TABLE.to_pylist()}).num_rows == 3


def test_columns_are_projected() -> None:
    """Only what is asked for, in the table's order."""
    got = read_structured(DataSource("$t", "variable"), {"t": TABLE}, columns=["price", "id"])
    assert got.column_names == ["id", "price"]


def test_a_name_that_is_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable and a file of one name: an error that says how to write each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rooms").mkdir()
    with pytest.raises(VistaDataError, match="both a variable and a file") as raised:
        read_structured(DataSource("rooms", "either"), {"rooms": TABLE})
    assert raised.value.code == "VST303"
    assert "$rooms" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [("house.csv", "VST302", "houses.csv"), ("nowhere/x.csv", "VST302", "houses.csv"), ("*.orc", "VST302", "houses")],
)
def test_missing_files_name_their_neighbours(tmp_path: Path, name: str, code: str, hint: str) -> None:
    """The hint is the nearest name, or what there is."""
    (tmp_path / "houses.csv").write_text("id\n1\n")
    with pytest.raises(VistaDataError) as raised:
        read_structured(path(tmp_path / name), {})
    assert raised.value.code == code
    assert hint in raised.value.hint


def test_other_trouble_is_coded(tmp_path: Path) -> None:
    """No rows, no such variable, no table, a broken file, an unknown kind, a remote address, a double column."""
    (tmp_path / "empty.csv").write_text("id,label\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "t.xls").write_text("x")
    cases: list[tuple[DataSource, dict[str, object], str]] = [
        (path(tmp_path / "empty.csv"), {}, "VST305"),
        (DataSource("$hauses", "variable"), {"houses": TABLE}, "VST304"),
        (DataSource("$n", "variable"), {"n": 3}, "VST306"),
        (path(tmp_path / "broken.parquet"), {}, "VST309"),
        (path(tmp_path / "t.xls"), {}, "VST308"),
        (path("s3://bucket/t.parquet"), {}, "VST931"),
        (DataSource("$d", "variable"), {"d": pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"])}, "VST310"),
    ]
    for source, namespace, code in cases:
        with pytest.raises((VistaDataError, NotSupportedYet)) as raised:
            read_structured(source, namespace)
        assert raised.value.code == code
        assert raised.value.hint


def test_column_facts() -> None:
    """Kinds, distinct, nulls (NaN counts), frequent values, paths."""
    table = pa.table(
        {
            "n": pa.array([1.0, float("nan"), None, 2.0] * 5),
            "s": ["a", "b"] * 10,
            "p": [f"img/{i}.JPG" for i in range(20)],
            "b": [True, False] * 10,
            "l": [[1]] * 20,
            "d": [dt.date(2020, 1, 1)] * 20,
            "m": [dt.datetime(2020, 1, 1)] * 20,
            "t": [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 12)] * 10,
            "u": [dt.timedelta(days=1)] * 20,
        }
    )
    facts = {fact.name: fact for fact in column_facts(table)}
    assert (facts["n"].kind, facts["n"].distinct, facts["n"].nulls) == ("number", 2, 10)
    assert (facts["s"].frequent, facts["s"].values, facts["s"].path_like) == (2, ("a", "b"), False)
    assert (facts["p"].path_like, facts["p"].distinct) == (True, 20)
    assert (facts["b"].kind, facts["l"].kind, facts["u"].kind) == ("boolean", "other", "other")
    assert [facts[name].kind for name in "dmt"] == ["date", "date", "datetime"]


def test_keys_become_text_once() -> None:
    """Null and NaN keys go and are counted; 7.0 is 7; checking twice changes nothing."""
    rows, report = check_keys(pa.table({"id": [7.0, None, float("nan"), 8.0], "x": [1, 2, 3, 4]}), "id")
    assert rows.column("id").to_pylist() == ["7", "8"]
    assert (report.rows, report.null_key) == (2, 2)
    again, report = check_keys(rows, "id")
    assert again.equals(rows)
    assert report.null_key == 0
    assert as_text(pa.chunked_array([["", "a"]])).to_pylist() == [None, "a"]


def test_bad_keys_are_named() -> None:
    """Duplicates with examples; a column that is not there; nothing but nulls."""
    with pytest.raises(VistaDataError, match="'a', 'b'") as raised:
        check_keys(pa.table({"id": ["b", "a", "a", "b", "c"]}), "id")
    assert raised.value.code == "VST312"
    with pytest.raises(VistaDataError) as raised:
        check_keys(TABLE, "key")
    assert raised.value.code == "VST311"
    with pytest.raises(VistaDataError) as raised:
        check_keys(pa.table({"id": pa.array([None, None], pa.string())}), "id")
    assert raised.value.code == "VST313"


def test_paths_need_no_pandas(tmp_path: Path) -> None:
    """Reading, facts, keys and links of a csv import neither pandas nor an engine."""
    from executor_support import catalogue

    table = catalogue(tmp_path, rows=6)
    code = f"""
import sys
from pathlib import Path
from vista_nb.executor.probe_images import link_images
from vista_nb.executor.probe_table import check_keys, column_facts, read_structured
from vista_nb.spec.model import DataSource, ImageSource, Spec
source = DataSource({str(table)!r}, "path")
t = read_structured(source, {{}})
column_facts(t)
rows, _ = check_keys(t, "id")
spec = Spec(structured=source, images=(ImageSource("photos/{{id}}.jpg", "pattern"),), label="label")
images = link_images(spec, rows, cache=Path({str(tmp_path / "d.sqlite")!r}))
assert images.links.num_rows == 6
print([m for m in ("pandas", "pyspark", "tensorflow", "sklearn") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_with_leading_zeros_are_names(tmp_path: Path) -> None:
    """`007` keeps its zeros: a photo is called 007.jpg; a column of plain numbers stays one."""
    file = tmp_path / "t.csv"
    file.write_text("id,size\n007,10\n108,20\n")
    table = read_structured(DataSource(str(file), "path"), {})
    assert table.column("id").to_pylist() == ["007", "108"]
    assert table.column("size").to_pylist() == [10, 20]
