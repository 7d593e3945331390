"""How long one fit of the downstream model takes, by training site.

Reads facts, a width and a share of the rows; returns seconds. May touch: nothing. DESIGN.md section 11 gives the
measured point for pyspark.ml's LogisticRegression: 10 iterations on 1 000 x 8 192, 2.9 s warm on two cores (5.8 s
more the first time). scikit-learn's lbfgs was measured here on one thread (more do not help a pass this small), L2,
nanoseconds per value and pass: two classes 0.5 to 1.2 (1 000 x 8 192: 0.8), 3 classes 2.3, 10 classes 2.9, 30
classes 5.0 (1 900 x 1 300); 18 to 29 passes; the rate adds standardizing and the copies. Those are of doubles; a call
that is fitted on float32 takes little more than half of it.
"""

from __future__ import annotations

from math import log10, prod

from vista_nb.catalog.estimators import fits_in_float32
from vista_nb.optimizer.facts import Facts
from vista_nb.plan.physical import TrainingSite
from vista_nb.spec.model import Spec

__all__ = ["fits_of_one_training", "training_seconds"]

_USUAL_PASSES = 40
_PASSES_TO_BRING = 10
_OF_FLOAT32 = 0.6  # seconds of a fit, against doubles (docs/adr/0032)
_BASELINE_PASSES = 5  # levels of the tree that is fitted beside the user's own model


def training_seconds(facts: Facts, family: str, width: int, fraction: float, site: TrainingSite, nodes: int) -> float:
    """Seconds of one warm fit and its scoring on `fraction` of the train rows."""
    rates, cores = facts.rates, facts.snapshot.system.cores
    rows, passes = facts.train_rows * fraction, _passes(facts, family, width, site)
    values = rows * width * passes * rates.weight(family)
    if site is TrainingSite.DRIVER:
        collected = 4.0 * rows * width / rates.collect
        return rates.sklearn_fit + collected + values * _driver_value(facts, family)
    # the rows are joined, sorted by key and made vectors first, which is worth some passes
    brought = 1 + _PASSES_TO_BRING / max(1.0, passes)
    product = values * brought * rates.mllib_value * _rows_of_coefficients(facts, family)
    return rates.mllib_fit + rates.mllib_pass * passes + product / (cores * nodes)


def fits_of_one_training(spec: Spec, *, final: bool, tuned: bool = True) -> float:
    """How many fits of all train rows one training of a layer is worth: `folds` and then all rows, of each the grid's
    points on every inner fold's share and the best point again. An early wave searches nothing.
    """
    folds = 1 if spec.folds is None else spec.folds + final
    if spec.tune is None or not (tuned and final):
        return float(folds)
    points = prod(len(values) for _, values in spec.tune.grid)
    return float(folds * (points * (spec.tune.folds - 1) + 1))


def _driver_value(facts: Facts, family: str) -> float:
    """Seconds per value and pass. A linear model's pass is one matrix product on one thread: it reads the data once,
    so ten classes cost far less than ten times two. Forests use every core.
    """
    classes = facts.snapshot.statistics.classes
    if family != "linear":
        return facts.rates.sklearn_value / facts.snapshot.system.cores
    workload = facts.snapshot.workload
    of_kind = _OF_FLOAT32 if fits_in_float32(workload.call, workload.estimator) else 1.0
    return facts.rates.sklearn_linear_value * of_kind * (2.0 + classes / 10 if classes > 2 else 1.0)


def _passes(facts: Facts, family: str, width: int, site: TrainingSite) -> float:
    """Passes over the data: what the call or the estimator allows, but fewer until convergence.

    pyspark.ml's L-BFGS, whose passes are jobs, was measured on 80 to 320 rows: seconds of a fit as of 8 passes with one
    column, 23 with 10, 38 with 100, 53 with 1 000 (benchmarks/optimizer_clock.py). scikit-learn: seldom more than 40.
    """
    if family != facts.snapshot.workload.estimator.family:
        return _BASELINE_PASSES
    parameters: dict[str, object] = dict(facts.snapshot.workload.call.parameters)
    usual = facts.snapshot.workload.estimator.iterations
    given = next((parameters[name] for name in ("maxIter", "max_iter") if name in parameters), usual)
    most = given if isinstance(given, int) else usual
    if site is TrainingSite.DRIVER or family != "linear":
        return min(most, _USUAL_PASSES)
    return min(most, 8 + 15 * log10(max(1, width)))


def _rows_of_coefficients(facts: Facts, family: str) -> int:
    classes = facts.snapshot.statistics.classes
    return classes if family == "linear" and classes > 2 else 1
