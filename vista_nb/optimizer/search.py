"""Which points of the space are worth a closer look: the best of every logical plan and worker count.

Reads facts and outlines; returns options and how many points there were. May touch: nothing. DESIGN.md section 7.
A point is dropped when another of the same logical plan and cpu is faster, or as fast with a smaller peak, and fits;
tests/unit/test_search.py holds that pricing every option one by one finds nothing better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vista_nb.optimizer.candidates import Option, Outline, PhysicalSpace, physical_plan, physical_space
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.points import Point, free_bytes, points
from vista_nb.optimizer.ranking import preference

__all__ = ["Found", "fits", "search"]


_TIE = 0.002  # seconds are compared in whole milliseconds: what is no more than that slower may still be as fast


@dataclass(frozen=True)
class Found:
    """options: per logical plan and cpu the best point that fits, else the one that misses least; then the best
    point of all with each decision made otherwise. looked_at: how many points were weighed.
    """

    options: tuple[Option, ...]
    looked_at: int


def search(facts: Facts, plans: Sequence[Outline]) -> Found:
    """Weigh every point, keep few."""
    space = physical_space(facts.snapshot)
    free = free_bytes(facts.snapshot.system.memory)
    kept: dict[tuple[int, int], tuple[tuple[float, ...], Point]] = {}
    for number, outline in enumerate(plans):
        beaten: dict[int, float] = {}
        for point in points(outline, facts, space, beaten):
            key = number, point.cpu
            before = kept.get(key)
            rank = _rank(point, free, None if before is None else before[0])
            if rank is not None:
                kept[key] = rank, point
                if rank[0] == 0:
                    beaten[point.cpu] = point.seconds + _TIE
    best = min(kept.values(), key=lambda pair: (pair[0], _logical_rank(pair[1])))[1]
    chosen = [point for _, point in kept.values()]
    chosen += (point for point in _neighbours(best, facts, space) if point not in chosen)
    options = tuple(_option(point, facts) for point in chosen)
    return Found(options, len(plans) * space.points)


def fits(facts: Facts, plans: Sequence[Outline]) -> bool:
    """Whether any point of the space fits."""
    space, free = physical_space(facts.snapshot).thriftiest, free_bytes(facts.snapshot.system.memory)
    return any(point.curable and point.need <= free for outline in plans for point in points(outline, facts, space))


def _rank(point: Point, free: int, best: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Sort key of the point, or None where it is no better than `best`: feasible first, seconds, peak, preferences."""
    seconds = round(point.seconds, 3)
    if point.curable and point.need <= free:
        if best is not None and (0, seconds, point.peak) > best[:3]:
            return None
        rank: tuple[float, ...] = (0, seconds, point.peak, *_preferences(point))
    else:
        # nothing fits yet: what misses least, memory before what no memory cures
        rank = (1 if point.curable else 2, point.need, seconds, *_preferences(point))
    return rank if best is None or rank < best else None


def _preferences(point: Point) -> tuple[float, ...]:
    choices = (preference(point.join), preference(point.persistence), preference(point.site))
    return (*choices, point.batch, point.nodes)


def _logical_rank(point: Point) -> tuple[int, ...]:
    logical = point.outline.logical
    return (preference(logical.materialization), preference(logical.pooling), preference(logical.inference))


def _neighbours(best: Point, facts: Facts, space: PhysicalSpace) -> Iterator[Point]:
    """The best point with one decision made otherwise: what `why` compares it with."""
    for point in points(best.outline, facts, space):
        same = [mine == other for mine, other in zip(point[1:7], best[1:7], strict=True)]
        if same.count(False) == 1:
            yield point


def _option(point: Point, facts: Facts) -> Option:
    physical = physical_plan(
        facts.snapshot,
        point.outline.sizes,
        cpu=point.cpu,
        nodes=point.nodes,
        batch=point.batch,
        join=point.join,
        persistence=point.persistence,
        site=point.site,
    )
    return Option(point.outline.logical, physical, point.outline.sizes)
