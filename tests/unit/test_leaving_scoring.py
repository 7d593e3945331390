"""New rows through a pipeline, without the CNN: who is scored, who is answered with a problem, in which order.

The process with TensorFlow is stood in for at its seam by the mean colours of the decoded photo; tests/engine/
test_leaving.py has the real one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from executor_support import COLOURS, catalogue, photo, workload

from vista_nb.errors import NotSupportedYet, VistaDataError, VistaUsageError
from vista_nb.executor.cnn.decode import BadImageError, decode
from vista_nb.executor.downstream.encode import fit_encoder
from vista_nb.executor.downstream.fit import LinearModel
from vista_nb.executor.downstream.preparation import Preparation
from vista_nb.executor.inputs import ModelSource
from vista_nb.executor.leaving import new_rows, scoring
from vista_nb.executor.leaving.frame import predictions_frame
from vista_nb.executor.leaving.pipeline import Pipeline, label_kind
from vista_nb.executor.leaving.scoring import score
from vista_nb.executor.probe_table import read_structured
from vista_nb.executor.records import Vectors
from vista_nb.spec.model import BadImages, ImageSource

CLASSES = tuple(sorted(COLOURS))
ASKED: list[int] = []


def mean_colours(images: pa.Table, digests: Collection[str]) -> tuple[Vectors, dict[str, str]]:
    """Three numbers per photo, and why a photo has none: what the process answers."""
    ASKED.append(len(digests))
    found: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for row in images.to_pylist():
        digest = row["digest"]
        if digest not in digests:
            continue
        try:
            content = row["content"] if "content" in row else Path(row["path"]).read_bytes()
            found[digest] = decode(content, 8, 8).mean(axis=(0, 1)) / 255
        except BadImageError as error:
            reasons[digest] = str(error)
    block = np.array(list(found.values()), dtype=np.float32).reshape(-1, 3)
    return Vectors(tuple(found), (block,), 3), reasons


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @contextmanager
    def features(*arguments: Any) -> Iterator[Any]:
        yield mean_colours

    monkeypatch.setattr(scoring, "photo_features", features)
    monkeypatch.setenv("VISTA_NB_STORE_DIR", str(tmp_path / "store"))
    ASKED.clear()


def pipeline(folder: Path, layer: str = "top", **spec: Any) -> Pipeline:
    """Says the colour that the photo has most of; `(table)` says red or blue by the price."""
    table = catalogue(folder, rows=12)
    work = workload(table, images=(ImageSource(str(folder / "photos/{id}.jpg"), "pattern"),), **spec)
    encoder = fit_encoder(read_structured(work.spec.structured, {}), work.features, np.ones(12, bool))  # type: ignore[arg-type]
    views = len(work.spec.images)
    width = 0 if layer == "(table)" else 3
    weights = np.zeros((3, encoder.width + width * (views if work.spec.views == "concat" else 1)))
    for place, name in enumerate(CLASSES):
        if width:
            weights[place, encoder.width + ["red", "green", "blue"].index(name)] = 30.0
    if not width:
        weights[0, 0], weights[2, 0] = 5.0, -5.0
    model = LinearModel(weights, np.zeros(3), (0, 1, 2), CLASSES)
    preparation = Preparation(layer, encoder, width, views, work.spec.views)
    source = ModelSource("local", "random", None, "0" * 64)
    return Pipeline(layer, work, preparation, model, CLASSES, "text", source, folder)


def fresh(folder: Path, colours: str = "red green blue red") -> Path:
    """New products `n0`, `n1`, ... with photos of these colours; `bad` and `none` for one unreadable and for none."""
    (folder / "more").mkdir()
    rows = []
    for place, colour in enumerate(colours.split()):
        rows.append({"id": f"n{place}", "price": place, "kind": "x"})
        target = folder / "more" / f"n{place}.jpg"
        if colour == "bad":
            target.write_bytes(b"broken")
        elif colour != "none":
            photo(target, colour, 100 + place)
    pd.DataFrame(rows).to_csv(folder / "new.csv", index=False)
    return folder / "new.csv"


def scored(one: Pipeline, table: Any, images: Any) -> pd.DataFrame:
    return predictions_frame(score(one, table, images), one)


def test_rows_are_scored_in_their_order(tmp_path: Path) -> None:
    """Prediction, its probability, one column per class."""
    found = scored(pipeline(tmp_path), fresh(tmp_path), "more/{id}.jpg")
    assert found["prediction"].tolist() == ["red", "green", "blue", "red"]
    assert found.columns.tolist() == ["prediction", "probability", "p(blue)", "p(green)", "p(red)", "problem"]
    assert (found["probability"] > 0.9).all()
    assert found.index.tolist() == ["n0", "n1", "n2", "n3"]


def test_a_row_that_cannot_be_scored_says_why(tmp_path: Path) -> None:
    """A corrupt photo, none, no key: the others are scored all the same."""
    table = pd.read_csv(fresh(tmp_path, "red bad none blue green"))
    table.loc[4, "id"] = None
    found = scored(pipeline(tmp_path), table, str(tmp_path / "more"))
    assert found["prediction"].tolist() == ["red", None, None, "blue", None]
    assert found["problem"].tolist() == ["", "not a picture in a known format", "no photo", "", "no key"]
    assert found.index.tolist()[:4] == ["n0", "n1", "n2", "n3"]
    assert found.index[4] is None
    assert [(key, stage) for key, _, stage, _ in found.attrs["bad_images"]] == [("n1", "decode")]


@pytest.mark.parametrize("fault", ["decode", "scan"])
def test_under_fail_a_bad_photo_is_an_error(tmp_path: Path, fault: str) -> None:
    """Found while decoding, or while linking (a path that the table names): both name row and file."""
    table: Any = fresh(tmp_path, "red bad blue")
    images: Any = "more/{id}.jpg"
    if fault == "scan":
        (tmp_path / "more" / "n1.jpg").unlink()
        table = pd.read_csv(table).assign(photo=[str(tmp_path / "more" / f"n{i}.jpg") for i in range(3)])
        images = "photo"
    with pytest.raises(VistaDataError, match=r"VST337.*'n1'.*n1\.jpg"):
        score(pipeline(tmp_path, bad_images=BadImages.FAIL), table, images)


def test_photos_as_bytes_in_a_column(tmp_path: Path) -> None:
    """As `images:` takes them."""
    table = pd.read_csv(fresh(tmp_path, "red bad blue"))
    table["photo"] = [(tmp_path / "more" / f"{key}.jpg").read_bytes() for key in table["id"]]
    found = scored(pipeline(tmp_path), table, "photo")
    assert found["prediction"].tolist() == ["red", None, "blue"]


def test_a_photo_in_twenty_may_be_bad_and_more(tmp_path: Path) -> None:
    """The 5 % rule protects a training; here each row is answered for itself."""
    found = scored(pipeline(tmp_path), fresh(tmp_path, "bad bad red"), "more/{id}.jpg")
    assert found["prediction"].tolist() == [None, None, "red"]


def test_many_rows_go_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer does not depend on their size."""
    table = fresh(tmp_path, " ".join(["red", "green", "bad", "blue"] * 40))
    whole = scored(pipeline(tmp_path), table, "more/{id}.jpg")
    ASKED.clear()
    monkeypatch.setattr(scoring, "_MOST_ROWS", 64)
    pd.testing.assert_frame_equal(scored(pipeline(tmp_path), table, "more/{id}.jpg"), whole)
    assert len(ASKED) == 3


def test_views_side_by_side_and_averaged(tmp_path: Path) -> None:
    """Two photos a row; a row that lacks one of them is bad."""
    table = fresh(tmp_path, "red green blue")
    (tmp_path / "back").mkdir()
    for place, colour in ((0, "red"), (1, "blue")):
        photo(tmp_path / "back" / f"n{place}.jpg", colour, place)
    sources = tuple(ImageSource(f"{name}/{{id}}.jpg", "pattern") for name in ("a", "b"))
    for views, second in (("concat", "green"), ("mean", "blue")):
        one = pipeline(tmp_path, views=views)
        spec = replace(one.workload.spec, images=sources)
        one = replace(one, workload=replace(one.workload, spec=spec))
        encoder = one.preparation.encoder
        width = encoder.width + (6 if views == "concat" else 3)
        weights = np.zeros((3, width))
        for place, name in enumerate(CLASSES):
            weights[place, encoder.width + ["red", "green", "blue"].index(name)] = 30.0
        model = LinearModel(weights, np.array([0.5, 0, 0]), (0, 1, 2), CLASSES)
        one = replace(one, model=model, preparation=Preparation("top", encoder, 3, 2, views))
        found = scored(one, table, ["more/{id}.jpg", "back/{id}.jpg"])
        assert found["prediction"].tolist() == ["red", second, None]
        assert found["problem"].tolist() == ["", "", "view 2 has no file"]
        with pytest.raises(VistaUsageError, match=r"VST025.*1 image sources for a model of 2 views"):
            score(one, table, "more/{id}.jpg")


def test_the_table_alone_looks_at_no_photo(tmp_path: Path) -> None:
    """Not even for where they lie."""
    one = pipeline(tmp_path, "(table)")
    table = pd.DataFrame({"id": ["a", "b"], "price": [1000, -1000], "kind": ["x", "new"]})
    found = scored(one, table, "nowhere/{id}.jpg")
    assert found["prediction"].tolist() == ["blue", "red"]
    assert ASKED == []


def test_the_label_need_not_be_there_nor_be_known(tmp_path: Path) -> None:
    """A null label keeps a row out of training, not out of scoring."""
    table = pd.read_csv(fresh(tmp_path)).assign(label=[None, "red", None, None])
    assert scored(pipeline(tmp_path), table, str(tmp_path / "more"))["problem"].tolist() == [""] * 4


@pytest.mark.parametrize(
    ("kind", "classes", "expected"),
    [
        (pa.bool_(), ("False", "True"), [True, False]),
        (pa.int32(), ("10", "9"), [9, 10]),
        (pa.float64(), ("0.5", "3"), [3.0, 0.5]),
        (pa.string(), ("1", "2"), ["2", "1"]),
    ],
)
def test_classes_become_values_of_the_label(tmp_path: Path, kind: pa.DataType, classes: Any, expected: Any) -> None:
    """They compare with the column they came from."""
    one = replace(pipeline(tmp_path, "(table)"), classes=classes, label_kind=label_kind(kind))
    model = replace(
        one.model, coefficients=one.model.coefficients[[2]], intercepts=np.zeros(1), trained=(0, 1), classes=classes
    )  # type: ignore[type-var,attr-defined]
    table = pd.DataFrame({"id": ["a", "b"], "price": [-1000, 1000], "kind": ["x", "x"]})
    assert scored(replace(one, model=model), table, None)["prediction"].tolist() == expected


def test_a_regression_gives_numbers(tmp_path: Path) -> None:
    """No classes, no probabilities; NaN where a row was not scored."""

    class Price:
        def predict(self, matrix: Any) -> Any:
            return matrix[:, 0].astype(np.float64) + 7

        def probabilities(self, matrix: Any) -> Any:
            raise AssertionError("a regression has none")

    one = replace(pipeline(tmp_path), model=Price(), classes=())
    found = scored(one, fresh(tmp_path, "red none"), "more/{id}.jpg")
    assert found.columns.tolist() == ["prediction", "problem"]
    assert found["prediction"].isna().tolist() == [False, True]


def test_photos_of_another_machine_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coded, before a process starts."""
    real = new_rows.link_images

    def away(*arguments: Any, **options: Any) -> Any:
        linked = real(*arguments, **options)
        paths = pa.array([f"hdfs://host{path}" for path in linked.images.column("path").to_pylist()])
        return replace(linked, images=linked.images.set_column(1, "path", paths))

    monkeypatch.setattr(new_rows, "link_images", away)
    with pytest.raises(NotSupportedYet, match=r"VST934.*hdfs://host"):
        score(pipeline(tmp_path), fresh(tmp_path), "more/{id}.jpg")
