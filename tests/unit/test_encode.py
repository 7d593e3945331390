"""Structured features: fitted on train rows only, nulls, rare categories, dates, columns that leak, unequal classes."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.catalog.workload import FeatureUse
from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.balance import balance_notes
from vista_nb.executor.downstream.encode import fit_encoder
from vista_nb.executor.downstream.leaks import leak_warnings
from vista_nb.executor.downstream.split import encode_labels
from vista_nb.spec.model import Task

NUMBER, CATEGORY = FeatureUse("n", "number", 1), FeatureUse("c", "category", 3)


def mask(rows: int, train: int) -> np.ndarray:
    return np.arange(rows) < train


def test_numbers_are_imputed_and_standardized_on_train_rows() -> None:
    """Median, mean and deviation of the first four rows; infinities and NaN are nulls."""
    table = pa.table({"n": [1.0, 2.0, 6.0, None, 1e9, float("inf"), float("nan")]})
    encoder = fit_encoder(table, [NUMBER], mask(7, 4))
    assert encoder.notes == ("Missing values are filled in with the median of the train rows: n (3 of 7).",)
    found = encoder.transform(table)
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


def test_a_date_is_a_number_and_its_place_in_the_year() -> None:
    """Days standardized; December lies beside January, June opposite; a null is imputed; new rows alike."""
    days = [dt.date(2019, 12, 31), dt.date(2020, 1, 2), dt.date(2020, 7, 2), None]
    table = pa.table({"d": pa.array(days * 3, pa.date32())})
    encoder = fit_encoder(table, [FeatureUse("d", "date", 3)], mask(12, 12))
    assert encoder.names == ("d (days)", "d (year sin)", "d (year cos)")
    found = encoder.transform(table)
    assert np.isfinite(found).all()
    winter = np.linalg.norm(found[0, 1:] - found[1, 1:])
    assert winter < 0.1 < np.linalg.norm(found[0, 1:] - found[2, 1:])
    stamps = table.set_column(0, "d", table.column("d").cast(pa.timestamp("ns", "UTC")))
    np.testing.assert_allclose(encoder.transform(stamps), found, atol=1e-6)


def test_a_date_with_a_time_has_its_place_in_the_day_too() -> None:
    """Late evening lies beside early morning, noon opposite."""
    hours = [dt.datetime(2020, 5, 1, 23, 30), dt.datetime(2020, 5, 2, 0, 30), dt.datetime(2020, 5, 2, 12, 0)]
    table = pa.table({"t": hours})
    encoder = fit_encoder(table, [FeatureUse("t", "datetime", 5)], mask(3, 3))
    assert encoder.names[3:] == ("t (hour sin)", "t (hour cos)")
    clock = encoder.transform(table)[:, 3:]
    assert np.linalg.norm(clock[0] - clock[1]) < 0.5 * np.linalg.norm(clock[0] - clock[2])


def test_a_column_that_tells_one_class_is_warned_of() -> None:
    """Among several classes; not where it only makes one more likely, nor for a class of a few rows."""
    generator = np.random.default_rng(0)
    truth = np.array(["hat", "shirt", "shoe", "rare"])[np.r_[generator.integers(3, size=296), [3] * 4]]
    table = pa.table(
        {
            "is_hat": truth == "hat",
            "worn": np.where(truth == "shoe", "feet", "else").tolist(),
            "likely": (truth == "hat") | (generator.random(300) < 0.1),
            "is_rare": truth == "rare",
        }
    )
    labels = encode_labels(truth.tolist(), ~mask(300, 240), "kind")
    uses = [FeatureUse(name, "category" if name == "worn" else "number", 1) for name in table.column_names]
    found = leak_warnings(table, uses, labels, mask(300, 300), "kind")
    assert [warning.split(":")[0] for warning in found] == [
        "Column 'is_hat' alone tells 'hat' from the other classes",
        "Column 'worn' alone tells 'shoe' from the other classes",
    ]


def test_a_column_that_orders_a_number_is_warned_of() -> None:
    """Its logarithm, the other way round, its categories; not a useful column, not a constant one, not gaps."""
    generator = np.random.default_rng(0)
    truth = generator.integers(1, 12, size=300) * 10.0
    noisy = truth + generator.normal(0, 1e-3, 300)
    table = pa.table(
        {
            "log": np.log(noisy),
            "minus": -noisy,
            "word": [f"w{t}" for t in truth],
            "useful": noisy + generator.normal(0, 20, 300),
            "constant": np.ones(300),
            "few": [float(t) if i < 5 else None for i, t in enumerate(noisy)],
        }
    )
    labels = encode_labels(noisy.tolist(), ~mask(300, 240), "y", task=Task.REGRESSION)
    uses = [FeatureUse(name, "category" if name == "word" else "number", 1) for name in table.column_names]
    found = leak_warnings(table, uses, labels, mask(300, 240), "y")
    assert [warning.split("'")[1] for warning in found] == ["log", "minus", "word"]


def test_unequal_classes_are_noted() -> None:
    """Ten times as many rows; classes that are hardly learnt; nothing of even classes or of numbers."""
    train = mask(120, 100)
    uneven = encode_labels(["a"] * 109 + ["b"] * 11, np.arange(120) % 5 == 0, "y")
    assert balance_notes(uneven, np.arange(120) % 5 != 0) == (
        "Classes with fewer than 10 train rows are hardly learnt: 'b' (9).",
    )
    most = encode_labels(["a"] * 112 + ["b"] * 8, np.arange(120) % 5 == 0, "y")
    assert balance_notes(most, np.arange(120) % 5 != 0) == (
        "The classes are unequal: 'a' holds 93.3% of the rows, 'b' 8 of 120; `metric: f1` weighs classes alike.",
        "Classes with fewer than 10 train rows are hardly learnt: 'b' (7).",
    )
    even = encode_labels(["a", "b"] * 60, ~train, "y")
    assert balance_notes(even, train) == ()
    assert balance_notes(encode_labels([1.0] * 120, ~train, "y", task=Task.REGRESSION), train) == ()
