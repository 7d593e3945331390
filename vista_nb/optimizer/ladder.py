"""The fallback ladder: what to try when memory runs short although the plan was admitted.

Reads a physical plan, returns further ones, mildest first. May touch: nothing. DESIGN.md sections 7 and 10: the
plan carries its ladder so that the executor never plans. Partitions stay as they are, so finished ones are kept.
"""

from __future__ import annotations

from dataclasses import replace

from vista_nb.plan.physical import PhysicalPlan

__all__ = ["SMALLEST_BATCH", "fallback_ladder"]

SMALLEST_BATCH = 4


def fallback_ladder(plan: PhysicalPlan, cores: int) -> tuple[PhysicalPlan, ...]:
    """Batches halved down to 4, then workers halved down to one at the smallest batch."""
    ladder: list[PhysicalPlan] = []
    batch, cpu = plan.batch_size, plan.cpu
    while batch > SMALLEST_BATCH:
        batch = max(SMALLEST_BATCH, batch // 2)
        ladder.append(replace(plan, batch_size=batch))
    while cpu > 1:
        cpu //= 2
        ladder.append(replace(plan, batch_size=batch, cpu=cpu, threads_per_task=max(1, cores // cpu)))
    return tuple(ladder)
