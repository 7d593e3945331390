"""The prints of the products: stripes, dots, checks, crosses.

Reads the name of a motif, the distance between its lines or marks, and a source of chance. Returns polygons that cover
a square around (0, 0).
May touch nothing.

Stripes and dots have no corners; checks and crosses have. Within either pair one motif covers about half of the cloth
and one about a quarter, so the mean colour does not tell the pairs apart, and as the print is turned at random, nor
does the direction of its edges. What tells them apart is the corner: wider than what a CNN's first layer sees, and gone
where only outlines are left.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from vista_nb.demo.silhouettes import Part, Point

if TYPE_CHECKING:
    import numpy as np

    Rng = np.random.Generator

__all__ = ["MOTIFS"]


def _steps(pitch: float, reach: float) -> list[float]:
    """Return multiples of `pitch` from -reach to reach."""
    last = math.ceil(reach / pitch)
    return [i * pitch for i in range(-last, last + 1)]


def _grid(pitch: float, reach: float) -> list[Point]:
    return [(x, y) for x in _steps(pitch, reach) for y in _steps(pitch, reach)]


def _box(x: float, y: float, across: float, down: float) -> Part:
    """Return a box around (x, y), half as wide as `across` and half as high as `down` on each side of it."""
    return ((x - across, y - down), (x + across, y - down), (x + across, y + down), (x - across, y + down)), True


def _stripes(pitch: float, reach: float, rng: "Rng") -> list[Part]:
    half = pitch * rng.uniform(0.2, 0.26)
    return [_box(0.0, y, reach, half) for y in _steps(pitch, reach)]


def _checks(pitch: float, reach: float, rng: "Rng") -> list[Part]:
    """Return every second field of a chessboard."""
    half = pitch * rng.uniform(0.23, 0.26)
    light = _grid(pitch, reach)
    return [_box(x + s * pitch / 2.0, y + s * pitch / 2.0, half, half) for x, y in light for s in (0, 1)]


def _dots(pitch: float, reach: float, rng: "Rng") -> list[Part]:
    radius = pitch * rng.uniform(0.27, 0.32)
    rim = [(radius * math.cos(t), radius * math.sin(t)) for t in (2.0 * math.pi * i / 20 for i in range(20))]
    return [(tuple((x + dx, y + dy) for dx, dy in rim), True) for x, y in _grid(pitch, reach)]


def _crosses(pitch: float, reach: float, rng: "Rng") -> list[Part]:
    """Return plus signs, each turned at random."""
    length = pitch * rng.uniform(0.4, 0.46)
    parts: list[Part] = []
    for x, y in _grid(pitch, reach):
        turn = rng.uniform(0.0, math.pi)
        for angle in (turn, turn + math.pi / 2.0):
            parts.append((_bar(x, y, length, angle), True))
    return parts


def _bar(x: float, y: float, length: float, angle: float) -> tuple[Point, ...]:
    cos, sin = math.cos(angle), math.sin(angle)
    corners = _box(0.0, 0.0, length, 0.2 * length)[0]
    return tuple((x + cos * px - sin * py, y + sin * px + cos * py) for px, py in corners)


MOTIFS: Final[dict[str, Callable[[float, float, "Rng"], list[Part]]]] = {
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "crosses": _crosses,
}
"""Motif name -> a function of (pitch, reach, rng) giving its polygons."""
