"""Which tensors a pass of the CNN takes and gives, per image.

Reads a step, its plan and the facts; returns bytes and names. May touch: nothing. Paper: section 4.2.2; with pooling
pushed down a staged pass must still hand on the raw tensor that the next pass starts from.
"""

from __future__ import annotations

from vista_nb.optimizer.facts import Facts
from vista_nb.plan.logical import Infer, LogicalPlan, PoolingPlace

__all__ = ["cuts_beside", "raw_bytes", "received_bytes", "sent_bytes"]

_FLOAT = 4


def cuts_beside(logical: LogicalPlan) -> tuple[str, ...]:
    """Raw layers that a plan with pushed-down pooling hands on, because a later pass starts from them; low to high."""
    if logical.pooling is not PoolingPlace.PUSHED_DOWN:
        return ()
    passes = [step for step in logical.steps if isinstance(step, Infer)]
    wanted = {step.start for step in passes} - {logical.cut}  # there before, or made by a pass of its own
    return tuple(dict.fromkeys(name for step in passes for name in step.layers if name in wanted))


def received_bytes(step: Infer, facts: Facts) -> float:
    """Bytes per image into the worker: the encoded photo, or the raw tensor to start from."""
    stats = facts.snapshot.statistics
    return float(stats.image_bytes) if step.start is None else _FLOAT * facts.raw[step.start] / stats.views


def sent_bytes(step: Infer, beside: tuple[str, ...], facts: Facts) -> float:
    """Bytes per image out of the worker: its outputs, and the cuts of `cuts_beside` among them once more, raw."""
    lengths = facts.pooled if step.pooled else facts.raw
    values = sum(lengths[name] for name in step.outputs)
    values += sum(facts.raw[name] for name in step.layers if name in beside) if step.pooled else 0
    return _FLOAT * values / facts.snapshot.statistics.views


def raw_bytes(logical: LogicalPlan, facts: Facts) -> float:
    """Bytes per image of the raw tensors that the heaviest pass takes in and gives out; 0 from photos to vectors."""
    beside = cuts_beside(logical)

    def of_pass(step: Infer) -> float:
        taken = received_bytes(step, facts) if step.start is not None else 0.0
        vectors = sum(facts.pooled[name] for name in step.outputs) if step.pooled else 0
        return taken + sent_bytes(step, beside, facts) - _FLOAT * vectors / facts.snapshot.statistics.views

    return max((of_pass(step) for step in logical.steps if isinstance(step, Infer)), default=0.0)
