"""A run as a script: Python that compiles, with the spec as it ran and what the notebook alone had beside it."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_run import SampleRun

from vista_nb.errors import VistaUsageError
from vista_nb.result import VistaResult
from vista_nb.session.exporting import script_of
from vista_nb.session.options import Options
from vista_nb.spec import parse

CELL = "structured: {table}\nimages: p/{{id}}.jpg\nlabel: y\ncnn: {cnn}\nmodel: {model}\n"


def result(
    table: str = "t.csv", cnn: str = "resnet50", model: str = "LogisticRegression()", **options: Any
) -> VistaResult:
    handle = SampleRun([])
    spec = parse(CELL.format(table=table, cnn=cnn, model=model)).spec
    handle.workload = replace(handle.workload, spec=spec, label="y")
    handle.prepared = SimpleNamespace(structured=pa.table({"id": ["a"], "y": [1]}))  # type: ignore[attr-defined]
    handle.options = Options(**options)  # type: ignore[attr-defined]
    return VistaResult(handle)  # type: ignore[arg-type]


def spec_in(text: str) -> str:
    """The value of SPEC, by Python's own parser."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "SPEC":  # type: ignore[attr-defined]
            return str(ast.literal_eval(node.value))
    raise AssertionError("no SPEC")


def test_the_spec_in_the_script_is_the_one_that_ran() -> None:
    """Read back, it is equal; the script imports the public API only."""
    run = result("it's \\ a.csv")
    text = script_of(run, {}).text
    assert parse(spec_in(text)).spec == run._handle.workload.spec
    assert [line for line in text.splitlines() if line.startswith(("import", "from"))] == ["import vista_nb"]
    assert "best conv5_2" in ast.get_docstring(ast.parse(text), clean=False).splitlines()[0]  # type: ignore[union-attr]
    assert 'vista_nb.run(SPEC, ui="text")' in text


def test_flags_of_the_run_are_arguments() -> None:
    """Those that were given."""
    assert (
        "vista_nb.run(SPEC, reuse='never', max_seconds=9.0, "
        in script_of(result(reuse="never", max_seconds=9.0), {}).text
    )


def test_a_table_of_the_notebook_is_written_beside(tmp_path: Path) -> None:
    """As Parquet, under the script's name; the spec names the file."""
    run = result("$rooms")
    files = script_of(run, {"rooms": object()}, "mine").write(tmp_path / "mine.py")
    assert [file.name for file in files] == ["mine.py", "rooms.parquet"]
    assert pq.read_table(tmp_path / "mine_data" / "rooms.parquet").to_pylist() == [{"id": "a", "y": 1}]
    assert parse(spec_in(files[0].read_text())).spec.structured.text == "mine_data/rooms.parquet"  # type: ignore[union-attr]


def test_what_is_gone_is_named() -> None:
    """A loaded result has no table: the script says what to define, and takes it from there."""
    run = result("$rooms")
    del run._handle.prepared  # type: ignore[attr-defined]
    script = script_of(run, {})
    assert script.missing == ("rooms",)
    assert "rooms = ...  # the notebook's own table: define it here" in script.text
    assert 'vista_nb.run(SPEC, namespace={"rooms": rooms}, ui="text")' in script.text
    ast.parse(script.text)


def test_a_bare_name_that_is_a_file_stays_one() -> None:
    """`rooms` without such a variable is a path."""
    assert script_of(result("rooms"), {}).table is None
    assert script_of(result("rooms"), {"rooms": object()}).table is not None


def test_a_cnn_of_the_notebook_is_copied_beside(tmp_path: Path) -> None:
    """From the file that the run saved it to."""
    (tmp_path / "abc.keras").write_bytes(b"keras")
    run = result(cnn="$net")
    work = run._handle.workload
    run._handle.workload = replace(work, cnn=replace(work.cnn, builder=f"file:{tmp_path}/abc.keras"))  # type: ignore[misc]
    files = script_of(run, {}, "mine").write(tmp_path / "mine.py")
    assert (tmp_path / "mine_data" / "net.keras").read_bytes() == b"keras"
    assert parse(spec_in(files[0].read_text())).spec.cnn == "mine_data/net.keras"


def scale_and_fit(x: Any, y: Any) -> Any:
    """A callable of the notebook."""
    return x, y


def test_models_of_the_notebook_become_code() -> None:
    """scikit-learn's as its constructor, nested ones too; a function as its source."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    run = result(model="$clf")
    text = script_of(run, {"clf": RandomForestClassifier(50, max_depth=3)}).text
    assert "import sklearn.ensemble\n" in text
    assert "MODEL = sklearn.ensemble.RandomForestClassifier(max_depth=3, n_estimators=50)" in text
    assert 'namespace={"clf": MODEL}' in text
    nested = script_of(run, {"clf": OneVsRestClassifier(LogisticRegression(C=0.5))}).text
    assert "sklearn.multiclass.OneVsRestClassifier(estimator=sklearn.linear_model.LogisticRegression(C=0.5))" in nested
    ast.parse(nested)
    function = script_of(run, {"clf": scale_and_fit}).text
    assert "def scale_and_fit(x: Any, y: Any) -> Any:" in function
    assert 'namespace={"clf": scale_and_fit}' in function
    steps = script_of(run, {"clf": make_pipeline(StandardScaler(), LogisticRegression(C=float("inf")))}).text
    assert "('standardscaler', sklearn.preprocessing.StandardScaler())" in steps
    assert "sklearn.linear_model.LogisticRegression(C=float('inf'))" in steps
    unknown = script_of(run, {"clf": make_pipeline(FunctionTransformer(func=np.log), LogisticRegression())})
    assert unknown.missing == ("clf",)
    assert "NOT COMPLETE: define clf first" in unknown.text
    ast.parse(unknown.text)


def test_a_script_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """Somebody may have edited it."""
    (tmp_path / "a.py").write_text("mine")
    with pytest.raises(VistaUsageError, match="VST027"):
        script_of(result(), {}).write(tmp_path / "a.py")
