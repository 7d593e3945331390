"""What earlier cells of this kernel left warm, for the next plan: the JVM, workers, MLlib, artifacts on disk.

Reads what the last run's workers told of themselves, whether they still live, the cache's folders; returns
`WarmFacts`. May touch: nothing (files and processes are only looked at). docs/adr/0019. Where plans may not depend on
the machine (calibration `never`, another machine, a what-if) everything is cold.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vista_nb.catalog.warm import COLD, CNNPass, WarmFacts
from vista_nb.session.calibrating import mode, of_this_machine
from vista_nb.session.folders import cache_root

if TYPE_CHECKING:
    from pathlib import Path

    from vista_nb.catalog.snapshot import Snapshot
    from vista_nb.executor.cnn.usage import PassUsage, Usage
    from vista_nb.executor.inputs import ModelSource
    from vista_nb.plan.candidate import Plan

__all__ = ["remember", "warm_facts"]


@dataclass(frozen=True)
class _Left:
    """By the runs of one JVM. workers: process -> what it told last."""

    context: Callable[[], Any]
    workers: tuple[tuple[int, Usage], ...] = ()
    mllib: bool = False


_left: list[_Left] = []  # one at most


def remember(plan: Plan, passes: Sequence[PassUsage]) -> None:
    """After a run that ended well: who holds what now."""
    from vista_nb.plan.physical import TrainingSite

    context = _context()
    if context is None:
        return
    before = _of_this_spark() or _Left(weakref.ref(context))
    seen = {usage.process: usage for one in passes for usage in one.workers}
    # the workers of this run; those of the run before where it inferred nothing
    workers = tuple(sorted(seen.items())) if seen else before.workers
    _left[:] = [_Left(before.context, workers, before.mllib or plan.physical.training is TrainingSite.CLUSTER)]


def warm_facts(snapshot: Snapshot, model: ModelSource | None, engines: WarmFacts | None = None) -> WarmFacts:
    """For this workload, now. Looks at a few files; starts nothing. engines: of these, what was so at another time."""
    if mode() == "never" or not of_this_machine(snapshot.workload, snapshot.system):
        return COLD
    facts = WarmFacts(jvm=_context() is not None, known_model=model is not None)
    if engines is not None:
        facts = replace(facts, jvm=engines.jvm, known_model=engines.known_model)
    left = _of_this_spark()
    living = [usage for process, usage in left.workers if _lives(process)] if left else []
    facts = replace(facts, mllib=left is not None and left.mllib)
    if living:
        facts = replace(facts, workers=len(living), threads=max(1, *(usage.threads for usage in living)))
    return facts if model is None else _with_artifacts(facts, snapshot, model, living)


def _with_artifacts(facts: WarmFacts, snapshot: Snapshot, model: ModelSource, living: Sequence[Usage]) -> WarmFacts:
    """Of all passes that a plan may hold: which have an artifact, and which are in every worker's memory."""
    from vista_nb.executor.cnn.artifact import META_FILE
    from vista_nb.optimizer.starting import possible_passes

    folders = {one: _folder(snapshot, model, one) for one in possible_passes(snapshot)}
    made = frozenset(one for one, folder in folders.items() if (folder / META_FILE).exists())
    held = set.intersection(*(set(usage.held) for usage in living)) if living else set()
    return replace(facts, made=made, loaded=frozenset(one for one in made if str(folders[one]) in held))


def _folder(snapshot: Snapshot, model: ModelSource, one: CNNPass) -> Path:
    from vista_nb.executor.cnn.prepare import artifact_folder

    workload = snapshot.workload
    pooling = workload.pool if one.pooled else None
    precision, root = workload.precision.value, cache_root()
    return artifact_folder(model, workload.cnn, one.start, one.layers, pooling, precision, root, one.onward)


def _of_this_spark() -> _Left | None:
    """What was left by runs on the Spark that is up now."""
    context = _context()
    return _left[0] if context is not None and _left and _left[0].context() is context else None


def _context() -> Any:
    """The Spark of this kernel, vista_nb's own or the user's; None where none is up."""
    if "pyspark" not in sys.modules:
        return None
    from pyspark import SparkContext

    return SparkContext._active_spark_context


def _lives(process: int) -> bool:
    """Spark ends workers that were idle for a minute or more."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
