"""`model: $variable`: the object itself, and what it is.

Reads nothing, returns a frozen value (made by the session from the notebook's variables). May touch: nothing.
DESIGN.md section 3: a pyspark.ml Estimator, a scikit-learn estimator, a Keras model, a callable.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["OwnModel"]


@dataclass(frozen=True)
class OwnModel:
    """kind: pyspark | sklearn | keras | callable. value: the object; a Keras model is a `.keras` file by then, as
    TensorFlow does not run in this process. room: a folder for what a fit in another process needs.
    """

    name: str
    kind: str
    value: object
    room: Path | None = None
