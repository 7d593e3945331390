"""The outlines of the products, as polygons in a unit square.

Reads the name of a shape. Returns its parts, to be filled in order: a part either adds to the outline or cuts a hole.
May touch nothing. Coordinates: x to the right and y down, both from -1 to 1.
"""

import math
from collections.abc import Callable
from typing import Final

__all__ = ["SHAPES", "Part", "Point"]

Point = tuple[float, float]
Part = tuple[tuple[Point, ...], bool]
"""A closed polygon, and whether it adds (True) or cuts away (False)."""


def _oval(x: float, y: float, rx: float, ry: float, add: bool = True) -> Part:
    turns = [2.0 * math.pi * i / 40 for i in range(40)]
    return tuple((x + rx * math.cos(t), y + ry * math.sin(t)) for t in turns), add


def _box(left: float, top: float, right: float, bottom: float, add: bool = True) -> Part:
    return ((left, top), (right, top), (right, bottom), (left, bottom)), add


def _mug() -> list[Part]:
    handle = [_oval(0.58, 0.0, 0.36, 0.42), _oval(0.58, 0.0, 0.2, 0.26, add=False)]
    return [*handle, _box(-0.75, -0.75, 0.55, 0.7), _oval(-0.1, 0.7, 0.65, 0.14)]


def _bottle() -> list[Part]:
    neck = ((-0.18, -0.95), (0.18, -0.95), (0.2, -0.5), (0.5, -0.2), (-0.5, -0.2), (-0.2, -0.5))
    return [(neck, True), _box(-0.5, -0.22, 0.5, 0.9), _oval(0.0, 0.9, 0.5, 0.1)]


def _lamp() -> list[Part]:
    shade = ((-0.4, -0.9), (0.4, -0.9), (0.85, 0.25), (-0.85, 0.25))
    return [(shade, True), _box(-0.08, 0.2, 0.08, 0.8), _oval(0.0, 0.85, 0.45, 0.12)]


def _cushion() -> list[Part]:
    corners = ((-0.9, -0.8), (0.0, -0.62), (0.9, -0.8), (0.76, 0.0), (0.9, 0.8), (0.0, 0.62), (-0.9, 0.8), (-0.76, 0.0))
    return [(corners, True)]


def _shirt() -> list[Part]:
    right = ((0.2, -0.75), (0.55, -0.7), (0.95, -0.2), (0.68, 0.02), (0.52, -0.18), (0.52, 0.85))
    left = tuple((-x, y) for x, y in reversed(right))
    return [((*right, *left), True), _oval(0.0, -0.76, 0.2, 0.16, add=False)]


def _bag() -> list[Part]:
    body = ((-0.65, -0.25), (0.65, -0.25), (0.82, 0.85), (-0.82, 0.85))
    return [_oval(0.0, -0.3, 0.42, 0.6), _oval(0.0, -0.3, 0.31, 0.48, add=False), (body, True)]


def _pot() -> list[Part]:
    body = ((-0.7, -0.4), (0.7, -0.4), (0.48, 0.85), (-0.48, 0.85))
    return [_box(-0.85, -0.75, 0.85, -0.38), (body, True)]


def _birdhouse() -> list[Part]:
    roof = ((0.0, -0.95), (0.9, -0.2), (-0.9, -0.2))
    return [(roof, True), _box(-0.62, -0.25, 0.62, 0.85), _oval(0.0, 0.2, 0.17, 0.17, add=False)]


SHAPES: Final[dict[str, Callable[[], list[Part]]]] = {
    "mug": _mug,
    "bottle": _bottle,
    "lamp": _lamp,
    "cushion": _cushion,
    "shirt": _shirt,
    "bag": _bag,
    "pot": _pot,
    "birdhouse": _birdhouse,
}
"""Shape name -> a function giving its parts."""
