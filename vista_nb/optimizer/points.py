"""Every point of the space with its seconds and the memory it takes, by adding up parts.

Reads an outline, the physical space and facts; yields plain numbers. May touch: nothing. Paper: equations 9 to 15.
Seconds and bytes are sums of parts that each hang on few decisions, so the parts are asked for once per logical
plan and node count, and a point costs a handful of additions: that is what keeps planning fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from vista_nb.optimizer.candidates import Option, Outline, PhysicalSpace, physical_plan
from vista_nb.optimizer.cost import Work, spill_seconds, step_seconds, work_of
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import (
    B_MAX,
    dl_bytes,
    driver_bytes,
    driver_limit,
    gpu_bytes,
    live_bytes,
    reserved,
    user_bytes,
)
from vista_nb.optimizer.starting import engine_seconds
from vista_nb.plan.logical import Infer, Join, Step, Train, TrainBaselines
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite

__all__ = ["Point", "free_bytes", "points"]


class Point(NamedTuple):
    """One point. need: bytes beyond what is reserved (os, core) that it takes to fit; peak: bytes beyond the same.

    curable: no other constraint than worker memory and disk stands against it.
    """

    outline: Outline
    cpu: int
    nodes: int
    batch: int
    join: JoinOperator
    persistence: Persistence
    site: TrainingSite
    seconds: float
    need: int
    peak: int
    curable: bool


def free_bytes(memory: int) -> int:
    """What a worker has for the plan: all but os_reserved and core. Never falls as memory grows."""
    return memory - sum(reserved(memory))


@dataclass(frozen=True)
class _Prices:
    """Seconds of one outline on so many nodes. infer: per (cpu, batch); extra: per storage format."""

    fixed: float
    join: dict[JoinOperator, float]
    train: dict[TrainingSite, float]
    infer: dict[tuple[int, int], float]
    extra: dict[Persistence, float]
    spilled_byte: float

    @property
    def rest(self) -> float:
        """The least that the decisions other than cpu and batch add."""
        return min(self.join.values()) + min(self.train.values()) + min(self.extra.values())


def points(
    outline: Outline, facts: Facts, space: PhysicalSpace, beaten: Mapping[int, float] | None = None
) -> Iterator[Point]:
    """The cross product of one logical plan, in a fixed order, many nodes first.

    beaten: cpu -> seconds of a point that fits; slower points of that cpu may be left out from then on.
    """
    system, disk = facts.snapshot.system, facts.snapshot.system.disk_free
    free = free_bytes(system.memory)
    dl = {pair: dl_bytes(facts, outline.logical, *pair) for pair in product(space.batches, space.sites)}
    sizes, gpu = outline.sizes, gpu_bytes(facts)
    driver = {pair: driver_bytes(facts, sizes.t_str, *pair) for pair in product(space.joins, space.sites)}
    limit = driver_limit(system)
    live = {
        pair: live_bytes(facts, outline.logical, sizes.s_double, *pair) for pair in product(space.formats, space.sites)
    }
    last = tuple(product(space.joins, space.formats, space.sites))
    for nodes in reversed(space.nodes):
        prices = _prices(outline, facts, space, nodes)
        rest = prices.rest
        share = {pair: -(-total // nodes) for pair, total in live.items()}
        for cpu in space.cpus:
            fits_gpu = not system.gpu_memory or cpu * gpu < system.gpu_memory
            user = {site: user_bytes(facts, sizes.s_single, cpu, nodes, site) for site in space.sites}
            for batch in space.batches:
                inferred = prices.fixed + prices.infer[cpu, batch]
                if beaten and inferred + rest > beaten.get(cpu, inferred + rest):
                    continue
                for join, persistence, site in last:
                    on_driver, kept = driver[join, site], share[persistence, site]
                    static = cpu * dl[batch, site] + user[site] + (on_driver if limit is None else 0)
                    storage = free - static
                    spill = max(0, live[persistence, site] - max(0, storage) * nodes)
                    seconds = inferred + prices.join[join] + prices.train[site] + prices.extra[persistence]
                    curable = (
                        fits_gpu
                        and (join is not JoinOperator.BROADCAST or sizes.t_str < B_MAX)
                        and (limit is None or on_driver <= limit)
                    )
                    yield Point(
                        outline, cpu, nodes, batch, join, persistence, site,
                        seconds + spill * prices.spilled_byte,
                        static + (1 if disk is None else max(1, kept - disk)),
                        static + max(0, min(storage, kept)),
                        curable,
                    )  # fmt: skip


def _prices(outline: Outline, facts: Facts, space: PhysicalSpace, nodes: int) -> _Prices:
    """A later decision changes only its own part, so each part is priced beside the first value of the others."""
    steps = outline.logical.steps
    passes = [step for step in steps if isinstance(step, Infer)]
    trained = [step for step in steps if isinstance(step, Train | TrainBaselines)]
    joins = [step for step in steps if isinstance(step, Join)]
    others = [step for step in steps if not isinstance(step, Infer | Train | TrainBaselines | Join)]
    cpu, batch, join, persistence, site = (
        space.cpus[0], space.batches[0], space.joins[0], space.formats[0], space.sites[0],
    )  # fmt: skip

    def work(**other: object) -> Work:
        usual = {"cpu": cpu, "batch": batch, "join": join, "persistence": persistence, "site": site}
        chosen = usual | other
        physical = physical_plan(facts.snapshot, outline.sizes, nodes=nodes, **chosen)  # type: ignore[arg-type]
        return work_of(Option(outline.logical, physical, outline.sizes), 0, facts)

    base = work()
    first = _total(passes, base)
    calls = {b: _total(passes, work(batch=b)) - first for b in space.batches}
    workers = {c: work(cpu=c) for c in space.cpus}
    return _Prices(
        fixed=_total(others, base),
        join={j: _total(joins, work(join=j)) for j in space.joins},
        # trained by the kernel, a plan that infers nothing starts no engine
        train={s: engine_seconds(facts, outline.logical, s) + _total(trained, work(site=s)) for s in space.sites},
        # calls are shared by the workers, whatever else changes with their number
        infer={
            (c, b): _total(passes, w) + calls[b] * base.workers / w.workers
            for c, w in workers.items()
            for b in space.batches
        },
        extra={p: _total(passes, work(persistence=p)) - first for p in space.formats},
        spilled_byte=spill_seconds(1, base),
    )


def _total(steps: list[Step] | list[Infer] | list[Join] | list[Train | TrainBaselines], work: Work) -> float:
    return sum(step_seconds(step, work) for step in steps)
