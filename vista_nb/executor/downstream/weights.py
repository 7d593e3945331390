"""What a fitted model holds of each feature: coefficients in the feature's own unit, or importances.

Reads a fitted model, returns numbers. May touch: nothing. DESIGN.md section 3: feature names are kept so that a model
can be read; numbers without the scaling that went before would not say what one bedroom more does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["feature_weights"]


def feature_weights(model: Any, classes: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
    """(column names, (features, columns)); None where the model has no number per feature.

    Columns: `coefficient` (towards the second of two classes, or of a regression), a class each, or `importance`.
    """
    native = getattr(model, "native", None)
    found = _coefficients(model, native)
    if found is not None:
        found = np.atleast_2d(found)
        trained = [classes[i] for i in getattr(model, "trained", ())]
        names = ("coefficient",) if len(found) == 1 else tuple(trained)
        return (names, found.T) if len(names) == len(found) else None
    importances = getattr(native, "feature_importances_", None)
    if importances is None:
        importances = getattr(native, "featureImportances", None)
        importances = None if importances is None else importances.toArray()
    return None if importances is None else (("importance",), np.asarray(importances, dtype=np.float64)[:, np.newaxis])


def _coefficients(model: Any, native: Any) -> NDArray[np.float64] | None:
    """(rows, features): of a LinearModel as they are; of scikit-learn's undone the scaling; of Spark's own."""
    own = getattr(model, "coefficients", None)
    if own is not None:
        return np.asarray(own, dtype=np.float64)
    fitted = getattr(native, "coef_", None)
    if isinstance(fitted, np.ndarray):  # a kernel machine's may be something else
        return np.asarray(np.atleast_2d(fitted) / getattr(model, "scale", 1.0), dtype=np.float64)
    for name in ("coefficientMatrix", "coefficients"):
        spark: Any = getattr(native, name, None)
        if spark is not None and hasattr(spark, "toArray"):
            return np.asarray(spark.toArray(), dtype=np.float64)
    return None
