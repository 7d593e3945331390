"""Outlines by formula: regions f(x, y) < 0 around the origin, for the pictures the bundled CNN is trained on.

Reads coordinates (two float32 arrays of one shape) and a source of chance; returns f, of the same shape.
May touch nothing. Shares no code and no outline with `vista_nb.demo`: the network never sees the catalogue.

Two sets. FIGURES: thirteen named figures, the classes of the bundled CNN's `logits`. ASSEMBLIES: bodies with limbs and
holes whose proportions are drawn once per class, from the class's own number, and jittered in every picture; half are
mirrored left to right, as most things that people make or wear are. Assemblies serve in training only: they teach
what tells one silhouette from another (where parts join, how wide, how many) on far more kinds than have names.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ASSEMBLIES", "FIGURES", "Field", "Outline", "Rng", "assembly"]

Field = NDArray[Any]
Rng = np.random.Generator
Outline = Callable[[Field, Field], Field]


def _superellipse(power: float) -> Outline:
    return lambda x, y: np.abs(x) ** power + np.abs(y) ** power - 1.0


def _wave(petals: int, depth: float) -> Outline:
    """A circle whose radius goes up and down `petals` times."""
    return lambda x, y: np.hypot(x, y) - 0.8 * (1.0 + depth * np.cos(petals * np.arctan2(y, x)))


def _polygon(corners: int) -> Outline:
    def field(x: Field, y: Field) -> Field:
        wedge = 2.0 * math.pi / corners
        angle = np.mod(np.arctan2(y, x), wedge) - wedge / 2.0
        return np.hypot(x, y) * np.cos(angle) - 0.75

    return field


def _crescent(x: Field, y: Field) -> Field:
    return np.maximum(np.hypot(x, y) - 1.0, 0.75 - np.hypot(x - 0.5, y))


def _annulus(x: Field, y: Field) -> Field:
    return np.abs(np.hypot(x, y) - 0.75) - 0.27


def _corner(x: Field, y: Field) -> Field:
    return np.maximum(np.maximum(np.abs(x), np.abs(y)) - 0.9, np.minimum(x, y) + 0.2)


def _heart(x: Field, y: Field) -> Field:
    return x * x + (y + 0.7 * np.sqrt(np.abs(x))) ** 2 - 0.8


def _half(x: Field, y: Field) -> Field:
    return np.maximum(np.hypot(x, y + 0.4) - 1.1, -y - 0.4)


def _snake(x: Field, y: Field) -> Field:
    return np.maximum(np.abs(y - 0.5 * np.sin(3.5 * x)) - 0.3, np.abs(x) - 1.1)


FIGURES: Final[dict[str, Outline]] = {
    "ellipse": _superellipse(2.0),
    "astroid": _superellipse(0.65),
    "triangle": _polygon(3),
    "square": _polygon(4),
    "trefoil": _wave(3, 0.35),
    "starfish": _wave(5, 0.35),
    "gear": _wave(9, 0.2),
    "crescent": _crescent,
    "annulus": _annulus,
    "corner": _corner,
    "heart": _heart,
    "half": _half,
    "snake": _snake,
}
"""Figure name -> f(x, y), below 0 inside. The position in this dictionary is the class number."""

ASSEMBLIES: Final = 67
"""Classes of assemblies; with the thirteen figures, 80 outlines."""
JITTER: Final = 0.07
"""Relative spread of an assembly's measures from picture to picture."""


@dataclass(frozen=True)
class Part:
    """A superellipse: centre, half axes, turn, power (1 diamond, 2 ellipse, 6 almost a box), and whether it cuts."""

    x: float
    y: float
    across: float
    down: float
    turn: float
    power: float
    cuts: bool = False


def assembly(number: int, rng: Rng) -> Outline:
    """Return the outline of class `number`, its measures jittered by `rng`."""
    own = np.random.default_rng([7, number])
    mirrored = bool(own.random() < 0.5)
    parts = [_jittered(part, rng) for part in _parts(own)]

    def field(x: Field, y: Field) -> Field:
        x = np.abs(x) if mirrored else x
        found = _distance(parts[0], x, y)
        for part in parts[1:]:
            other = _distance(part, x, y)
            found = np.maximum(found, -other) if part.cuts else np.minimum(found, other)
        return np.asarray(found)

    return field


def _parts(own: Rng) -> list[Part]:
    """A body, one to three limbs that start on its border, and for one class in four a hole."""
    across, down = own.uniform(0.25, 0.7), own.uniform(0.4, 0.9)
    body = Part(0.0, own.uniform(-0.2, 0.2), across, down, 0.0, float(own.choice([1.2, 2.0, 3.0, 6.0])))
    limbs = []
    for _ in range(int(own.integers(1, 4))):
        angle, length = own.uniform(-math.pi / 2, math.pi / 2), own.uniform(0.25, 0.6)
        x, y = across * math.cos(angle), body.y + down * math.sin(angle)
        turn = angle + own.normal(0.0, 0.5)
        x, y = x + 0.7 * length * math.cos(turn), y + 0.7 * length * math.sin(turn)
        limbs.append(Part(x, y, length, own.uniform(0.12, 0.32), turn, float(own.choice([2.0, 3.0, 6.0]))))
    if own.random() < 0.25:
        size = own.uniform(0.4, 0.7) * across
        limbs.append(Part(0.0, own.uniform(-0.3, 0.3), size, own.uniform(0.5, 1.5) * size, 0.0, 2.0, cuts=True))
    return [body, *limbs]


def _jittered(part: Part, rng: Rng) -> Part:
    x, y, across, down = (rng.normal(1.0, JITTER, 4) * (part.x, part.y, part.across, part.down)).tolist()
    return Part(x, y, across, down, part.turn + float(rng.normal(0.0, 0.12)), part.power, part.cuts)


def _distance(part: Part, x: Field, y: Field) -> Field:
    """About the distance to the part's border, negative inside."""
    cos, sin = math.cos(part.turn), math.sin(part.turn)
    u = np.abs((cos * (x - part.x) + sin * (y - part.y)) / part.across)
    v = np.abs((cos * (y - part.y) - sin * (x - part.x)) / part.down)
    radius = np.hypot(u, v) if part.power == 2.0 else (u**part.power + v**part.power) ** (1.0 / part.power)
    return np.asarray((radius - 1.0) * (1.5 * min(part.across, part.down) + 0.2))
