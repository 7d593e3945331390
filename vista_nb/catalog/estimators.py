"""The downstream estimators as data, and where each call may be trained.

Reads `estimators.json` beside this file (written by benchmarks/write_estimators.py, never by hand); returns frozen
values. May touch: that one file. DESIGN.md section 11: the training site is a physical decision, cluster or driver only
where both give the same model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.spec.model import Argument, EstimatorCall, Literal, Tune

__all__ = ["LIBRARY_NAMES", "Estimators", "fits_in_float32", "load_estimators", "training_sites"]

LIBRARY_NAMES = {"pyspark": "pyspark.ml", "sklearn": "scikit-learn", "variable": "notebook variable"}

# arguments of pyspark's linear models that leave the fitted model as it is, with the values that do
_HARMLESS: dict[str, tuple[Literal, ...]] = {
    "elasticNetParam": (0, 0.0),
    "standardization": (True,),
    "fitIntercept": (True,),
    "family": ("auto",),
    "loss": ("squaredError",),
}
_WITHOUT_EFFECT = frozenset({"regParam", "aggregationDepth", "maxBlockSizeInMB", "solver"})
_CONVERGED_ITERATIONS, _CONVERGED_TOLERANCE = 100, 1e-6  # Spark's defaults
_TREES = frozenset({"tree", "ensemble"})


@dataclass(frozen=True)
class Estimators:
    """All known estimators, in the file's order. versions: of the libraries they were read from."""

    estimators: tuple[EstimatorFacts, ...]
    versions: tuple[tuple[str, str], ...] = ()

    def find(self, library: str, name: str) -> EstimatorFacts | None:
        return next((e for e in self.estimators if (e.library, e.name) == (library, name)), None)

    def names(self, library: str, supported: bool = False) -> tuple[str, ...]:
        """Names of one library; only those that this version trains where `supported`."""
        return tuple(e.name for e in self.estimators if e.library == library and (e.supported or not supported))


@cache
def load_estimators(path: Path | None = None) -> Estimators:
    """The list shipped with the package, or another file of the same form."""
    data = json.loads((path or Path(__file__).with_name("estimators.json")).read_text(encoding="utf-8"))
    return Estimators(
        tuple(EstimatorFacts(**_fields(entry)) for entry in data["estimators"]),
        tuple(sorted(data["libraries"].items())),
    )


def _fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return fields | {"kind": entry["library"]}


def training_sites(call: EstimatorCall, facts: EstimatorFacts, tune: Tune | None = None) -> tuple[str, ...]:
    """Where this call may be trained: of `cluster`, `driver`, those that give the same model, for all of a grid.

    pyspark's LogisticRegression and LinearRegression have one optimum only with an L2 penalty (regParam > 0,
    elasticNetParam = 0), and both libraries reach it only when run to convergence; any other argument keeps it on the
    cluster, where it was asked for.
    """
    if facts.library != "pyspark" or "driver" not in facts.sites:
        return facts.sites
    return facts.sites if all(map(_same_on_driver, _arguments_of(call, tune))) else ("cluster",)


def _arguments_of(call: EstimatorCall, tune: Tune | None) -> Iterator[dict[str, Argument]]:
    """The call's arguments with every value of a grid once: where one value may not, no point with it may."""
    if tune is None:
        yield dict(call.parameters)
        return
    first: dict[str, Argument] = {name: values[0] for name, values in tune.grid}
    for name, values in tune.grid:
        for value in values:
            yield {**dict(call.parameters), **first, name: value}


def _same_on_driver(arguments: dict[str, Argument]) -> bool:
    penalty = arguments.get("regParam", 0.0)
    if isinstance(penalty, bool) or not isinstance(penalty, int | float) or penalty <= 0:
        return False
    return all(_leaves_model(name, value) for name, value in arguments.items())


def _leaves_model(name: str, value: Argument) -> bool:
    if name in _WITHOUT_EFFECT:
        return True
    if name in _HARMLESS:
        return value in _HARMLESS[name]
    if name == "maxIter":
        return isinstance(value, int) and value >= _CONVERGED_ITERATIONS
    return name == "tol" and isinstance(value, int | float) and 0 <= value <= _CONVERGED_TOLERANCE


def fits_in_float32(call: EstimatorCall, facts: EstimatorFacts) -> bool:
    """Whether scikit-learn is given float32: its trees make that of anything, and its logistic regression by L-BFGS
    comes to the same answer in half the time (docs/adr/0032).
    """
    if call.library != "sklearn":
        return False
    by_lbfgs = facts.name == "LogisticRegression" and dict(call.parameters).get("solver", "lbfgs") == "lbfgs"
    return by_lbfgs or facts.family in _TREES
