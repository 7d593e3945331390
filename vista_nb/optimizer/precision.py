"""How sure the cost model may be of a CNN in bfloat16.

Reads a workload and rates, returns rates. May touch: nothing. The seconds themselves are already those of the
precision (`catalog.precision`); what was measured on this machine takes the place of both.
"""

from __future__ import annotations

from dataclasses import replace

from vista_nb.catalog.precision import SPREAD_UNKNOWN, bfloat16_ratio
from vista_nb.catalog.workload import Workload
from vista_nb.optimizer.rates import Rates
from vista_nb.spec.model import Precision

__all__ = ["in_doubt"]


def in_doubt(rates: Rates, workload: Workload) -> Rates:
    """The rates with a wide spread for the CNN where its bfloat16 was never measured."""
    if workload.precision is Precision.FLOAT32 or bfloat16_ratio(workload.cnn) is not None:
        return rates
    return replace(rates, spread=tuple(sorted((dict(rates.spread) | {"cnn_factor": SPREAD_UNKNOWN}).items())))
