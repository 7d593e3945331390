"""How long `reduce: pca K` takes in the kernel, per layer.

Reads facts and a share of the rows; returns seconds. May touch: nothing. A randomized PCA multiplies the train rows
with K + 10 vectors some sixteen times.
"""

from __future__ import annotations

from vista_nb.optimizer.facts import Facts
from vista_nb.plan.physical import TrainingSite

__all__ = ["reduction_seconds"]

_EXTRA_VECTORS = 10  # scikit-learn's oversampling
_VALUE = 1.0e-9  # core seconds per (row, column, vector)


def reduction_seconds(facts: Facts, layer: str, fraction: float, site: TrainingSite) -> float:
    """Zero without `reduce`, and for layers that are no wider than K. On the cluster's site the features are brought
    to the kernel first, which the driver's site counts as part of its training.
    """
    components = facts.snapshot.workload.spec.reduce
    rows, d_s = facts.train_rows * fraction, facts.snapshot.statistics.structured_features
    width = facts.collected[layer] - d_s
    if components is None:
        return 0.0
    brought = 4.0 * rows * width / facts.rates.collect if site is TrainingSite.CLUSTER else 0.0
    if width <= components:
        return brought
    return brought + rows * width * (components + _EXTRA_VECTORS) * _VALUE
