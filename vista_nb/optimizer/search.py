"""Which points of the space are worth a closer look: the best of every logical plan, and what the winner beat.

Reads facts and outlines; returns options and how many points there were. May touch: nothing. DESIGN.md section 7.
A point is dropped when another of the same logical plan is faster, or as fast with a smaller peak, and fits;
tests/properties/test_planning.py holds that pricing every option one by one finds nothing better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vista_nb.optimizer.candidates import Option, Outline, PhysicalSpace, physical_plan, physical_space
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.points import Point, free_bytes, points
from vista_nb.optimizer.ranking import preference

__all__ = ["Found", "fits", "search"]


Rank = tuple[float, ...]
_TIE = 0.002  # seconds are compared in whole milliseconds: what is no more than that slower may still be as fast


@dataclass(frozen=True)
class Found:
    """options: per logical plan the best point that fits, else the one that misses least; of the best of them also
    the best point of each cpu, and itself with each decision made otherwise. looked_at: points weighed.
    """

    options: tuple[Option, ...]
    looked_at: int


def search(facts: Facts, plans: Sequence[Outline]) -> Found:
    """Weigh every point, keep few."""
    space = physical_space(facts.snapshot)
    free = free_bytes(facts.snapshot.system.memory)
    kept = [_best(outline, facts, space, free) for outline in plans]
    best = min(kept, key=lambda pair: (pair[0][:3], _logical_rank(pair[1]), pair[0]))[1]
    chosen = [point for _, point in kept]
    others = [_best(best.outline, facts, replace(space, cpus=(cpu,)), free)[1] for cpu in space.cpus]
    for point in (*others, *_neighbours(best, facts, space)):
        if point not in chosen:
            chosen.append(point)
    options = tuple(_option(point, facts) for point in chosen)
    return Found(options, len(plans) * space.points)


def _best(outline: Outline, facts: Facts, space: PhysicalSpace, free: int) -> tuple[Rank, Point]:
    """The best point of one logical plan, with its rank."""
    found: tuple[Rank, Point] | None = None
    beaten: dict[int, float] = {}
    for point in points(outline, facts, space, beaten):
        rank = _rank(point, free, None if found is None else found[0])
        if rank is not None:
            found = rank, point
            if rank[0] == 0:
                beaten.update(dict.fromkeys(space.cpus, point.seconds + _TIE))
    assert found is not None  # no decision is left without a value
    return found


def fits(facts: Facts, plans: Sequence[Outline]) -> bool:
    """Whether any point of the space fits."""
    space, free = physical_space(facts.snapshot).thriftiest, free_bytes(facts.snapshot.system.memory)
    return any(point.curable and point.need <= free for outline in plans for point in points(outline, facts, space))


def _rank(point: Point, free: int, best: Rank | None) -> Rank | None:
    """Sort key of the point, or None where it is no better than `best`: feasible first, seconds, peak, preferences."""
    seconds = round(point.seconds, 3)
    if point.curable and point.need <= free:
        if best is not None and (0, seconds, point.peak) > best[:3]:
            return None
        rank: Rank = (0, seconds, point.peak, *_preferences(point))
    else:
        # nothing fits yet: what misses least, memory before what no memory cures
        rank = (1 if point.curable else 2, point.need, seconds, *_preferences(point))
    return rank if best is None or rank < best else None


def _preferences(point: Point) -> Rank:
    choices = (preference(point.join), preference(point.persistence), preference(point.site))
    return (*choices, point.cpu, point.batch, point.nodes)


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
