"""Predictions as the frame a user gets: one row per row given, in its order.

Reads Scored, returns a pandas frame. May touch: pandas, imported on use. DESIGN.md section 5 (`.predict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vista_nb.executor.leaving.pipeline import Pipeline
from vista_nb.executor.leaving.scoring import Scored

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BAD_IMAGES", "predictions_frame"]

BAD_IMAGES = "bad_images"  # in the frame's `attrs`
_TYPES = {"boolean": "boolean", "integer": "Int64", "number": "Float64"}  # pandas' own that can be missing


def predictions_frame(scored: Scored, pipeline: Pipeline) -> pd.DataFrame:
    """Index: the key. prediction: a value of the label, missing where a row could not be scored; then, for a
    classification, probability (of the prediction) and `p(CLASS)` for every class; problem: why a row was not scored,
    else empty. `attrs["bad_images"]`: (key, path, stage, reason) of photos that could not be read.
    """
    import pandas as pd

    columns: dict[str, Any] = {"prediction": _values(scored, pipeline.label_kind)}
    if scored.classes and getattr(pipeline.model, "has_probabilities", True):
        rows = np.flatnonzero(scored.predictions >= 0)
        chosen = np.full(len(scored.predictions), np.nan)
        chosen[rows] = scored.probabilities[rows, scored.predictions[rows]]
        columns["probability"] = chosen
        columns |= {f"p({name})": scored.probabilities[:, place] for place, name in enumerate(scored.classes)}
    columns["problem"] = list(scored.problems)
    index = pd.Index(scored.keys, name=pipeline.workload.spec.on, dtype=object)
    found = pd.DataFrame(columns, index=index)
    found.attrs[BAD_IMAGES] = [(bad.key, bad.path, bad.stage, bad.reason) for bad in scored.bad_images]
    return found


def _values(scored: Scored, kind: str) -> Any:
    """Classes as the label has them: text, whole numbers or booleans, each able to be missing."""
    import pandas as pd

    if not scored.classes:
        return scored.predictions
    values = [_value(scored.classes[place], kind) if place >= 0 else None for place in scored.predictions.tolist()]
    return pd.array(values, dtype=_TYPES.get(kind, "object"))  # type: ignore[call-overload,unused-ignore]


def _value(name: str, kind: str) -> Any:
    if kind == "boolean":
        return name == "True"
    if kind == "number":
        return float(name)
    return int(name) if kind == "integer" else name
