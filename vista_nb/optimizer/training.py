"""How long one fit of the downstream model takes, by training site.

Reads facts, a width and a share of the rows; returns seconds. May touch: nothing. DESIGN.md section 11 gives the
measured points: pyspark.ml's LogisticRegression, 10 iterations on 1 000 x 8 192, 2.9 s warm on two cores (5.8 s
more the first time); scikit-learn's lbfgs 0.4 s.
"""

from __future__ import annotations

from vista_nb.optimizer.facts import Facts
from vista_nb.plan.physical import TrainingSite

__all__ = ["training_seconds"]

_USUAL_PASSES = 40
_BASELINE_PASSES = 5  # levels of the tree that is fitted beside the user's own model


def training_seconds(facts: Facts, family: str, width: int, fraction: float, site: TrainingSite, nodes: int) -> float:
    """Seconds of one warm fit and its scoring on `fraction` of the train rows."""
    rates, cores = facts.rates, facts.snapshot.system.cores
    rows, passes = facts.train_rows * fraction, _passes(facts, family)
    values = rows * width * passes * rates.weight(family) * _rows_of_coefficients(facts, family)
    if site is TrainingSite.DRIVER:
        collected = 4.0 * rows * width / rates.collect
        return rates.sklearn_fit + collected + values * rates.sklearn_value / cores
    return rates.mllib_pass * passes + values * rates.mllib_value / (cores * nodes)


def _passes(facts: Facts, family: str) -> int:
    """Passes over the data: what the call or the estimator allows, but seldom more than 40 until convergence."""
    if family != facts.snapshot.workload.estimator.family:
        return _BASELINE_PASSES
    parameters = dict(facts.snapshot.workload.call.parameters)
    usual = facts.snapshot.workload.estimator.iterations
    given = next((parameters[name] for name in ("maxIter", "max_iter") if name in parameters), usual)
    return min(given if isinstance(given, int) else usual, _USUAL_PASSES)


def _rows_of_coefficients(facts: Facts, family: str) -> int:
    classes = facts.snapshot.statistics.classes
    return classes if family == "linear" and classes > 2 else 1
