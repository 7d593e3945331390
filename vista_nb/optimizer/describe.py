"""One priced option as the value that people and JSON see.

Reads a priced option and facts; returns a Candidate. May touch: nothing. DESIGN.md section 4, `candidates`.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.optimizer.cost import flops, predict
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.ranking import Priced
from vista_nb.optimizer.volumes import volumes
from vista_nb.plan.candidate import Candidate
from vista_nb.plan.logical import Train

__all__ = ["Ends", "candidate"]


@dataclass(frozen=True)
class Ends:
    """The same facts with every rate at the fast and at the slow end of its spread."""

    fast: Facts
    slow: Facts


def candidate(priced: Priced, facts: Facts, ends: Ends, why: str | None) -> Candidate:
    """All numbers of one option."""
    option, admission = priced.option, priced.admission
    first = next(k for k, step in enumerate(option.logical.steps) if isinstance(step, Train))
    moved, peak = volumes(option, admission, facts), admission.peak(option.physical.nodes)
    return Candidate(
        logical=option.logical,
        physical=option.physical,
        feasible=admission.feasible,
        peak_bytes=peak.total,
        seconds=priced.seconds,
        first_result_seconds=round(priced.cost.until(first + 1), 3),
        flops=flops(option, facts),
        why=why,
        seconds_low=round(predict(option, admission.spill, ends.fast).seconds, 3),
        seconds_high=round(predict(option, admission.spill, ends.slow).seconds, 3),
        bytes_read=moved.read,
        bytes_shuffled=moved.shuffled,
        bytes_materialized=moved.materialized,
        bytes_spilled=moved.spilled,
        peak=peak,
    )
