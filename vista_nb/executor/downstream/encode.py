"""Structured features as numbers: imputed and standardized numbers and dates, one-hot categories; train rows only.

Reads an Arrow table, returns a float32 matrix and the fitted encoder. May touch: nothing. DESIGN.md section 3, key
`features`: infrequent (under 10 train rows) and unseen categories share one column; nulls of a category column are a
category themselves (infrequent where rare); a date is a number and its place in the year (ADR 27).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.catalog.workload import FeatureUse
from vista_nb.executor.downstream.columns import CALENDAR, as_calendar, as_categories, as_numbers

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["FREQUENT", "StructuredEncoder", "fit_encoder"]

FREQUENT = 10
"""A category with fewer train rows than this is infrequent."""
_NAMED = 5  # columns in one sentence


@dataclass(frozen=True)
class StructuredEncoder:
    """What was learnt of the train rows. names: one per column of the matrix; notes: for the user.

    steps: per feature a fitted scikit-learn transformer of one column.
    """

    features: tuple[FeatureUse, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]
    steps: tuple[Any, ...]

    @property
    def width(self) -> int:
        """d_s, as it really is."""
        return len(self.names)

    def transform(self, table: pa.Table) -> NDArray[np.float32]:
        """(rows, width) float32, C order. Any table that has the feature columns."""
        matrix = np.empty((table.num_rows, self.width), dtype=np.float32)
        if table.num_rows == 0:
            return matrix
        start = 0
        for use, step in zip(self.features, self.steps, strict=True):
            block = step.transform(_column(table, use))
            matrix[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        return matrix


def fit_encoder(table: pa.Table, features: Sequence[FeatureUse], train: NDArray[np.bool_]) -> StructuredEncoder:
    """Learn medians, means, deviations and categories from the rows where `train` is true (at least one)."""
    names: list[str] = []
    notes: list[str] = []
    steps = []
    missing: dict[str, int] = {}
    for use in features:
        whole = _column(table, use)
        column = whole[train]
        step = _step(use).fit(column)
        steps.append(step)
        names.extend(_names(use, step))
        notes.extend(_notes(use, column))
        if not use.is_category and not np.isnan(column[:, 0]).all():
            missing[use.column] = int(np.sum(np.isnan(whole[:, 0])))
    notes.extend(_imputed(missing, table.num_rows))
    return StructuredEncoder(tuple(features), tuple(names), tuple(notes), tuple(steps))


def _column(table: pa.Table, use: FeatureUse) -> NDArray[Any]:
    """One feature as (rows, 1), a date as (rows, 3 or 5)."""
    if use.is_category:
        return as_categories(table, use.column).reshape(-1, 1)
    if use.encoding in CALENDAR:
        return as_calendar(table, use.column, use.encoding)
    return as_numbers(table, use.column).reshape(-1, 1)


def _step(use: FeatureUse) -> Any:
    if use.is_category:
        return _category_step()
    return _date_step() if use.encoding in CALENDAR else _number_step()


def _date_step() -> Any:
    """Days as any number; sine and cosine are of one size already, and scaling would bend the circle."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer

    waves = SimpleImputer(strategy="median", keep_empty_features=True)
    return ColumnTransformer([("days", _number_step(), [0])], remainder=waves)


def _number_step() -> Any:
    """Null -> median of the train rows (0 where they have none), then mean 0 and deviation 1."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())


def _category_step() -> Any:
    """One column per frequent category, one for the infrequent and unseen where train rows have infrequent ones."""
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(min_frequency=FREQUENT, handle_unknown="infrequent_if_exist", sparse_output=False)


def _names(use: FeatureUse, step: Any) -> Iterator[str]:
    if use.encoding in CALENDAR:
        yield from (f"{use.column} ({part})" for part in CALENDAR[use.encoding])
        return
    if not use.is_category:
        yield use.column
        return
    for name in step.get_feature_names_out([""]):
        value = str(name).removeprefix("_")
        shown = {"infrequent_sklearn": "(other)", "None": "(null)"}.get(value, value)
        yield f"{use.column}={shown}"


def _imputed(missing: Mapping[str, int], rows: int) -> Iterator[str]:
    """Values that were filled in, of all columns in one sentence."""
    filled = {name: count for name, count in missing.items() if count}
    shown = ", ".join(f"{name} ({count} of {rows})" for name, count in list(filled.items())[:_NAMED])
    if filled:
        more = f" and {len(filled) - _NAMED} more columns" if len(filled) > _NAMED else ""
        yield f"Missing values are filled in with the median of the train rows: {shown}{more}."


def _notes(use: FeatureUse, column: NDArray[Any]) -> Iterator[str]:
    """What a user should know of a column that carries nothing."""
    present = [v for v in column[:, 0].tolist() if v is not None and v == v]
    if not present:
        yield f"Column {use.column!r} is empty in the train rows: it carries nothing."
    elif len(set(present)) == 1 and len(present) == len(column):
        yield f"Column {use.column!r} is constant in the train rows: it carries nothing."
