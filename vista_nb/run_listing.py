"""`%vista runs`: the runs of this kernel, then the saved ones of earlier kernels.

Reads results, returns a Table. May touch: the saved runs, read only. DESIGN.md section 4.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vista_nb.errors import VistaUsageError
from vista_nb.outcome.metrics import best_of
from vista_nb.session.runs import GOING, known_runs
from vista_nb.session.saved_runs import saved_names, saved_run, saved_when
from vista_nb.units import format_seconds
from vista_nb.views.numbers import count, format_age, format_score
from vista_nb.views.table_view import Table

if TYPE_CHECKING:
    from vista_nb.result import VistaResult

__all__ = ["runs_table"]

_SAVED = 10  # listed; `%vista show NAME` finds all that are kept


def runs_table(now: float | None = None) -> Table:
    """Those of this kernel, oldest first, then the newest saved ones."""
    now = time.time() if now is None else now
    here = tuple(_row(result, "this kernel") for result in known_runs())
    names = saved_names()
    saved = tuple(row for name in names[:_SAVED] if (row := _saved_row(name, now)) is not None)
    heads = ("run", "status", "cnn", "layers", "model", "best", "", "seconds", "when")
    more = f"; {len(names)} saved runs in all" if len(names) > _SAVED else ""
    if not here and not saved:
        return Table(heads, (), note="no run yet: write %%vista and the spec below it")
    return Table(heads, (*here, *saved), frozenset({6, 7}), note=f"%vista show RUN shows one again{more}")


def _saved_row(name: str, now: float) -> tuple[str, ...] | None:
    try:
        return _row(saved_run(name), f"{format_age(max(0.0, now - saved_when(name)))} ago")
    except VistaUsageError:
        return None  # of another version: `show` says so where it is asked for


def _row(result: VistaResult, when: str) -> tuple[str, ...]:
    best = best_of(result.outcome.scores)
    value = format_score(best.metric, best.value) if best else ""
    seconds = "" if result.status in GOING else format_seconds(result.outcome.seconds or result.state.seconds)
    layers = count(len(result.plan.layers), "layer")
    name = best.layer if best else ""
    return result.run_id, result.status, result.plan.cnn, layers, result.plan.model, name, value, seconds, when
