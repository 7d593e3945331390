"""What is learnt of train rows: views combined, `reduce: pca K`, encodings per fold, new rows as held-out ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from executor_support import EAGER, STAGED, catalogue, make_plan, photo, run_inputs, run_plan, workload

from vista_nb.executor.downstream.preparation import side_by_side
from vista_nb.executor.downstream.reduce import fit_reducer
from vista_nb.executor.local import LocalBackend
from vista_nb.spec.model import ImageSource

RANDOM = np.random.default_rng(0)
FRONT, BACK = ImageSource("photos/{id}.jpg", "pattern"), ImageSource("back/{id}.jpg", "pattern")


def vectors(rows: int = 80, width: int = 30) -> np.ndarray:
    """Columns of very different scale with a few directions in them; the last one constant."""
    made = RANDOM.normal(size=(rows, 4)) @ RANDOM.normal(size=(4, width)) + 0.1 * RANDOM.normal(size=(rows, width))
    made = made * np.logspace(-3, 3, width) + 5
    made[:, -1] = 7.0
    return made.astype(np.float32)


def mask(rows: int = 80, train: int = 50) -> np.ndarray:
    return np.arange(rows) < train


def test_a_reducer_is_scikit_learns_pca_of_the_standardized_train_rows() -> None:
    """The same components up to their sign, for train and held-out rows."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    given = vectors()
    reducer = fit_reducer(given, mask(), 4, 0)
    assert reducer is not None
    scaler = StandardScaler().fit(given[:50].astype(np.float64))
    pca = PCA(4).fit(scaler.transform(given[:50]))
    expected = pca.transform(scaler.transform(given))
    np.testing.assert_allclose(np.abs(reducer.transform(given)), np.abs(expected), atol=2e-3)
    assert reducer.explained == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-4)


def test_held_out_rows_teach_a_reducer_nothing() -> None:
    """Other values there, the same projection."""
    given, other = vectors(), vectors()
    other[:50] = given[:50]
    one, two = fit_reducer(given, mask(), 4, 0), fit_reducer(other, mask(), 4, 0)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.weights, two.weights)


@pytest.mark.parametrize(
    ("width", "train", "components", "expected"), [(8, 50, 8, None), (30, 6, 10, 5), (30, 50, 10, 10)]
)
def test_no_more_components_than_rows_and_columns_allow(
    width: int, train: int, components: int, expected: int | None
) -> None:
    """A narrow layer is left as it is; few train rows give fewer components; all values stay finite."""
    given = vectors(width=width)
    reducer = fit_reducer(given, mask(train=train), components, 0)
    assert (None if reducer is None else reducer.components) == expected
    assert reducer is None or np.isfinite(reducer.transform(given)).all()


def test_views_side_by_side_or_averaged() -> None:
    """One view is itself under both."""
    blocks = [vectors(), vectors()]
    np.testing.assert_array_equal(side_by_side(blocks, "concat"), np.hstack(blocks))
    np.testing.assert_allclose(side_by_side(blocks, "mean"), np.mean(blocks, axis=0), rtol=1e-6)
    np.testing.assert_array_equal(side_by_side(blocks[:1], "mean"), blocks[0])


def two_views(folder: Path, kind: Any = EAGER, **spec: Any) -> LocalBackend:
    """The small catalogue with a second photo of another colour per row, run to the end."""
    table = catalogue(folder)
    (folder / "back").mkdir()
    for row in range(60):
        photo(folder / "back" / f"k{row:03d}.jpg", ("green", "blue", "red")[row % 3], 100 + row)
    work = workload(table, **({"images": (FRONT, BACK)} | spec))
    backend = LocalBackend(make_plan(work, kind), run_inputs(work, folder))
    outcome, _ = run_plan(backend.plan, backend)
    assert [score.layer for score in outcome.scores] == ["low", "mid", "top"]
    return backend


@pytest.mark.parametrize(
    ("spec", "width", "last"),
    [
        ({}, 3 + 2 * 5, "view 2 top[4]"),
        ({"views": "mean"}, 3 + 5, "top[4]"),
        ({"reduce": 4}, 3 + 4, "top pc4"),
        ({"views": "mean", "reduce": 4}, 3 + 4, "top pc4"),
        ({"images": (FRONT,)}, 3 + 5, "top[4]"),
    ],
)
def test_new_rows_are_prepared_as_held_out_ones(tmp_path: Path, spec: dict[str, Any], width: int, last: str) -> None:
    """`Preparation.matrix` of a row and its photos is what the fit saw of them; every column has a name."""
    backend = two_views(tmp_path, **spec)
    rows, found = backend.rows, backend.vectors("top", backend.rows)
    prepared = backend.preparation("top")
    again = prepared.matrix(rows.table, [found.at(view) for view in rows.digests])
    np.testing.assert_allclose(again, backend.matrix("top", rows), rtol=1e-5, atol=1e-6)
    assert again.shape == (60, width)
    assert (len(prepared.names), prepared.names[-1]) == (width, last)
    assert prepared.names[:3] == ("price", "kind=x", "kind=y")


def test_features_stay_as_the_layer_gives_them(tmp_path: Path) -> None:
    """`.features` is not reduced: it is what other models may be tried on."""
    backend = two_views(tmp_path, reduce=4)
    assert len(backend.features("mid").column("vector")[0]) == 2 * 32


def test_what_reduce_kept_is_said(tmp_path: Path) -> None:
    """The share by layer; a layer that was narrow enough already."""
    notes = two_views(tmp_path, reduce=10).notes()
    assert any(note.startswith("`pca 10` keeps of the variance of the train rows: ") for note in notes)
    assert "No wider than `pca 10`, so left as it is: top (10)." in notes


def test_plans_agree_on_reduced_views(tmp_path: Path) -> None:
    """Staged and pulled up gives the scores of eager and pushed down."""
    scores = []
    for name, kind in (("a", EAGER), ("b", STAGED)):
        backend = two_views(tmp_path / name, reduce=6, kind=kind)
        scores.append([backend.fit(layer).probabilities for layer in ("low", "mid", "top")])
    for one, two in zip(*scores, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_another_split_learns_its_own_encoding(tmp_path: Path) -> None:
    """A fold: what was held out then is trained on now, medians and deviations are of the new train rows."""
    backend = two_views(tmp_path)
    rows = backend.rows
    fold = rows.with_test(~rows.test)
    assert fold.keys == rows.keys
    train = fold.x[~fold.test]
    np.testing.assert_allclose(train[:, 0].mean(), 0.0, atol=1e-5)
    np.testing.assert_allclose(train[:, 0].std(), 1.0, atol=1e-5)
    assert abs(rows.x[~fold.test, 0].mean()) > 1e-3
    rare = replace(rows, table=rows.table.drop_columns("kind").append_column("kind", pa.array(["z"] * 12 + ["x"] * 48)))
    only_x = rare.with_test(np.arange(60) < 12)
    assert only_x.encoder.names == ("price", "kind=x")
