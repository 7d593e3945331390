"""The table alone on real data: near the hand-written references of the data's README, equal to plain scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from vista_nb.catalog.workload import FeatureUse
from vista_nb.executor.downstream.baseline import fit_tree
from vista_nb.executor.downstream.encode import fit_encoder
from vista_nb.executor.downstream.fit import FitResult
from vista_nb.executor.downstream.fit_driver import fit_driver
from vista_nb.executor.downstream.leaks import leak_warnings
from vista_nb.executor.downstream.metrics import score
from vista_nb.executor.downstream.split import encode_labels, held_out
from vista_nb.outcome.scores import TABLE, TABLE_TREE
from vista_nb.spec.model import EstimatorCall

pytestmark = pytest.mark.shared

SKLEARN = EstimatorCall("sklearn", "LogisticRegression", (("max_iter", 1000),))
SPARK = EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01),))
SETS = {
    "clothing": ("label", ["kids", "width", "height"], ["sender_id"]),
    "houses": ("expensive", ["bedrooms", "bathrooms", "area"], ["zipcode"]),
}


def features(name: str) -> list[FeatureUse]:
    _, numbers, categories = SETS[name]
    return [FeatureUse(n, "number", 1) for n in numbers] + [FeatureUse(c, "category", 1) for c in categories]


def fit(frame: pd.DataFrame, name: str, call: EstimatorCall, seed: int) -> tuple[dict[str, FitResult], np.ndarray]:
    """`(table)` and `(table, tree)` on one hash split, and its mask."""
    label = SETS[name][0]
    table = pa.Table.from_pandas(frame)
    keys = frame["id"].astype(str).tolist()
    test = held_out(keys, seed, 0.2)
    labels = encode_labels(table.column(label), test, label)
    encoder = fit_encoder(table, features(name), ~test)
    matrix = encoder.transform(table)

    linear = fit_driver(matrix, keys, labels, test, call)
    return {TABLE: linear, TABLE_TREE: fit_tree(matrix, keys, labels, test)}, test


@pytest.mark.parametrize(("name", "reference"), [("clothing", 0.348), ("houses", 0.830)])
@pytest.mark.parametrize("call", [SKLEARN, SPARK], ids=["scikit-learn", "Spark's"])
def test_the_table_scores_as_the_readme_says(shared: Path, name: str, reference: float, call: EstimatorCall) -> None:
    """Mean of five hash splits within three points of the five-fold reference; the tree is no worse by far."""
    frame = pd.read_csv(shared / "data" / name / f"{name}.csv")
    fits = [fit(frame, name, call, seed)[0] for seed in range(5)]
    linear, tree = (np.mean([score("accuracy", f[which]).value for f in fits]) for which in (TABLE, TABLE_TREE))
    assert linear == pytest.approx(reference, abs=0.03)
    assert tree == pytest.approx(reference, abs=0.03)


@pytest.mark.parametrize("name", ["clothing", "houses"])
def test_the_table_equals_plain_scikit_learn(shared: Path, name: str) -> None:
    """On the same rows, a pipeline written by hand predicts the same."""
    frame = pd.read_csv(shared / "data" / name / f"{name}.csv")
    label, numbers, categories = SETS[name]
    fits, test = fit(frame, name, SKLEARN, 0)
    one_hot = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
    encode = make_column_transformer((StandardScaler(), numbers), (one_hot, categories))
    by_hand = make_pipeline(encode, StandardScaler(), LogisticRegression(max_iter=1000))
    by_hand.fit(frame[~test], frame[label][~test].astype(str).to_numpy(dtype=object))
    predicted = dict(zip(frame["id"][test].astype(str), by_hand.predict(frame[test]), strict=True))
    ours = {row.key: row.prediction for row in fits[TABLE].rows()}
    assert ours.keys() == predicted.keys()
    assert sum(ours[key] != predicted[key] for key in ours) <= 1


@pytest.mark.parametrize(
    ("name", "column", "leaks"),
    [
        ("houses", "price", True),
        ("clothing", "is_tshirt", True),
        ("clothing", "kids", False),
        ("houses", "area", False),
    ],
)
def test_leaks_of_the_readme(shared: Path, name: str, column: str, leaks: bool) -> None:
    """`price` gives `expensive` away, `is_tshirt` one class of ten; a good column and a mere hint do not."""
    table = pa.Table.from_pandas(pd.read_csv(shared / "data" / name / f"{name}.csv"))
    test = held_out([str(k) for k in table.column("id").to_pylist()], 0, 0.2)
    labels = encode_labels(table.column(SETS[name][0]), test, SETS[name][0])
    found = leak_warnings(table, [FeatureUse(column, "number", 1)], labels, ~test, SETS[name][0])
    assert [f"'{column}'" in sentence for sentence in found] == ([True] if leaks else [])
