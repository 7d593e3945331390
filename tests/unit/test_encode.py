"""Structured features: fitted on train rows only, nulls, rare categories, columns that leak."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.catalog.workload import FeatureUse
from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.encode import fit_encoder
from vista_nb.executor.downstream.leaks import leak_warnings
from vista_nb.executor.downstream.split import encode_labels

NUMBER, CATEGORY = FeatureUse("n", "number", 1), FeatureUse("c", "category", 3)


def mask(rows: int, train: int) -> np.ndarray:
    return np.arange(rows) < train


def test_numbers_are_imputed_and_standardized_on_train_rows() -> None:
    """Median, mean and deviation of the first four rows; infinities and NaN are nulls."""
    table = pa.table({"n": [1.0, 2.0, 6.0, None, 1e9, float("inf"), float("nan")]})
    found = fit_encoder(table, [NUMBER], mask(7, 4)).transform(table)
    filled = np.array([1.0, 2.0, 6.0, 2.0])
    expected = (np.array([1.0, 2.0, 6.0, 2.0, 1e9, 2.0, 2.0]) - filled.mean()) / filled.std()
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


def test_categories_are_one_hot() -> None:
    """Frequent ones have a column each; infrequent and unseen share one; frequent nulls are a category."""
    values = ["x"] * 10 + [None] * 10 + ["rare"] * 9 + ["unseen", "x"]
    table = pa.table({"c": values})
    encoder = fit_encoder(table, [CATEGORY], mask(31, 29))
    assert encoder.names == ("c=x", "c=(null)", "c=(other)")
    found = encoder.transform(table)
    assert found[[0, 10, 20, 29, 30]].argmax(axis=1).tolist() == [0, 1, 2, 2, 0]
    assert (found.sum(axis=1) == 1).all()


def test_unseen_without_any_rare_category() -> None:
    """No column to merge into: zeros."""
    table = pa.table({"c": ["x"] * 10 + ["y"] * 10 + ["unseen"]})
    encoder = fit_encoder(table, [CATEGORY], mask(21, 20))
    assert encoder.names == ("c=x", "c=y")
    assert encoder.transform(table)[20].tolist() == [0, 0]


def test_columns_keep_their_order_and_numbers_may_be_categories() -> None:
    """Names run as the features do; 3 and 3.0 are one category; new tables are encoded alike."""
    table = pa.table({"zip": pa.array([3, 4] * 10), "b": [True, False] * 10, "n": [1, 2] * 10})
    uses = [FeatureUse("zip", "category", 2), FeatureUse("b", "number", 1), FeatureUse("n", "number", 1)]
    encoder = fit_encoder(table, uses, mask(20, 20))
    assert encoder.names == ("zip=3", "zip=4", "b", "n")
    other = pa.table({"n": [2.0], "b": [0], "zip": [3.0]})
    assert encoder.transform(other).tolist() == [[1.0, 0.0, -1.0, 1.0]]
    assert encoder.transform(table.slice(0, 0)).shape == (0, 4)


def test_no_features() -> None:
    """Photo alone: a matrix without columns."""
    table = pa.table({"id": ["a", "b"]})
    assert fit_encoder(table, [], mask(2, 1)).transform(table).shape == (2, 0)


@pytest.mark.parametrize(
    ("values", "said"), [([5.0, 5.0, 7.0], "constant"), ([None, None, 7.0], "empty"), ([float("nan")] * 3, "empty")]
)
def test_columns_that_carry_nothing_are_noted(values: list[float | None], said: str) -> None:
    """Looked at on train rows; the values stay finite."""
    table = pa.table({"n": pa.array(values, pa.float64())})
    encoder = fit_encoder(table, [NUMBER], mask(3, 2))
    assert len(encoder.notes) == 1
    assert said in encoder.notes[0]
    assert np.isfinite(encoder.transform(table)).all()


def test_other_types() -> None:
    """Dates count days, dictionaries are looked through, decimals are numbers."""
    days = [dt.date(2020, 1, 1), dt.date(2020, 1, 3)]
    decimals = pa.array([decimal.Decimal(1), decimal.Decimal(3)])
    for column in (pa.array(days), pa.array([1, 3]).dictionary_encode(), decimals):
        table = pa.table({"n": column})
        np.testing.assert_allclose(fit_encoder(table, [NUMBER], mask(2, 2)).transform(table)[:, 0], [-1.0, 1.0])


def test_text_among_the_numbers_is_refused() -> None:
    """The error names the column and the way out; so does a missing column."""
    with pytest.raises(VistaDataError, match="VST354: column 'n'"):
        fit_encoder(pa.table({"n": ["one"]}), [NUMBER], mask(1, 1))
    with pytest.raises(VistaDataError, match="VST353"):
        fit_encoder(pa.table({"m": [1]}), [NUMBER], mask(1, 1))


def test_a_leak_is_warned_of() -> None:
    """A threshold, a coded label, a category map; not a useful column, not a name per row, not a rare class."""
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=300)
    table = pa.table(
        {
            "code": truth * 10.0,
            "word": [f"w{t}" for t in truth],
            "useful": truth + generator.normal(0, 0.7, 300),
            "name": [f"n{i}" for i in range(300)],
            "noise": generator.normal(size=300),
            "gaps": [None if t == 0 else float(t) for t in truth],
        }
    )
    train = mask(300, 240)
    labels = encode_labels(truth.tolist(), ~train, "y")
    kinds = {"word": "category", "name": "category"}
    uses = [FeatureUse(name, kinds.get(name, "number"), 1) for name in table.column_names]
    found = leak_warnings(table, uses, labels, train, "y")
    assert [warning.split("'")[1] for warning in found] == ["code", "word", "gaps"]
    rare = encode_labels(["a"] * 298 + ["b"] * 2, np.arange(300) == 299, "y")
    assert leak_warnings(table, uses, rare, np.arange(300) != 299, "y") == ()
