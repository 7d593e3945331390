"""Textures by formula: fields from 0 to 1 over a picture, at random scale, angle and hardness.

Reads a source of chance; returns a float32 field (side, side) and the number of its family.
May touch nothing. Families: gratings and lattices, waves, hexagons, blobs, smooth noise, cloud noise (many octaves),
cells, planks of unequal width, plaid, specks. The bundled CNN is asked, in training only, which families it sees.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.formula_outlines import Field, Rng

__all__ = ["FAMILIES", "SIDE", "coordinates", "noise", "texture"]

SIDE: Final = 96
_AXIS: Final = np.linspace(-1.0, 1.0, SIDE, dtype=np.float32)
_X, _Y = np.meshgrid(_AXIS, _AXIS)


def coordinates(angle: float, size: float, stretch: float, at: tuple[float, float]) -> tuple[Field, Field]:
    """Return the picture's coordinates as seen from a figure or texture of this size, turn and place."""
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    x, y = (_X - np.float32(at[0])) / np.float32(size), (_Y - np.float32(at[1])) / np.float32(size)
    stretch = np.float32(stretch)
    return (cos * x + sin * y) * stretch, (cos * y - sin * x) / stretch


def noise(rng: Rng, cells: int) -> Field:
    """Smooth random field: a coarse random grid, read between its points."""
    grid = rng.standard_normal((cells + 2, cells + 2), dtype=np.float32)
    at = np.linspace(0.0, cells, SIDE, dtype=np.float32)
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    rows = grid[low] * (1.0 - part)[:, None] + grid[low + 1] * part[:, None]
    return np.asarray(rows[:, low] * (1.0 - part) + rows[:, low + 1] * part)


def _grating(x: Field, _y: Field, _rng: Rng) -> Field:
    return np.sin(x)


def _checks(x: Field, y: Field, _rng: Rng) -> Field:
    return np.sin(x) * np.sin(y)


def _dots(x: Field, y: Field, rng: Rng) -> Field:
    return np.sin(x) + np.sin(y) - np.float32(rng.uniform(-1.0, 1.0))


def _waves(x: Field, y: Field, _rng: Rng) -> Field:
    return np.sin(x + 1.5 * np.sin(0.7 * y))


def _hexagons(x: Field, y: Field, rng: Rng) -> Field:
    level = np.float32(rng.uniform(-0.5, 1.0))
    return np.cos(x) + np.cos(0.5 * x + 0.866 * y) + np.cos(0.5 * x - 0.866 * y) - level


def _diamonds(x: Field, y: Field, rng: Rng) -> Field:
    return np.abs(np.sin(0.7 * x) + np.sin(0.7 * y)) - np.float32(rng.uniform(0.3, 1.0))


def _smooth(_x: Field, _y: Field, rng: Rng) -> Field:
    return noise(rng, int(rng.integers(6, 30)))


def _clouds(_x: Field, _y: Field, rng: Rng) -> Field:
    """Noise of many octaves, each weaker than the one before: the spectrum of most photos."""
    cells = int(rng.integers(2, 5))
    fall = np.float32(rng.uniform(0.5, 0.8))
    return np.asarray(sum(fall**octave * noise(rng, cells * 2**octave) for octave in range(5)))


def _cells(_x: Field, _y: Field, rng: Rng) -> Field:
    """Distance to the nearest of some points: stones, scales."""
    points = rng.uniform(-1.1, 1.1, (int(rng.integers(12, 48)), 2)).astype(np.float32)
    squared = [(_X - px) ** 2 + (_Y - py) ** 2 for px, py in points]
    nearest = np.sqrt(np.minimum.reduce(squared))
    return np.asarray((nearest - nearest.mean()) / (nearest.std() + 1e-6))


def _planks(x: Field, _y: Field, rng: Rng) -> Field:
    """Bands of unequal width, each with a shade of its own, and a little grain along them."""
    shades = rng.standard_normal(256, dtype=np.float32)
    band = np.floor(0.25 * x + 0.8 * np.sin(0.11 * x)).astype(np.int64) % 256
    return np.asarray(shades[band] + 0.3 * noise(rng, 24))


def _plaid(x: Field, y: Field, _rng: Rng) -> Field:
    across = np.sin(x) + np.sin(2.7 * x + 1.0)
    down = np.sin(y) + np.sin(2.7 * y + 1.0)
    return np.asarray(0.5 * (across + down))


def _specks(_x: Field, _y: Field, rng: Rng) -> Field:
    return noise(rng, int(rng.integers(24, 48))) - np.float32(rng.uniform(0.6, 1.4))


FAMILIES: Final[tuple[Callable[[Field, Field, Rng], Field], ...]] = (
    _grating,
    _checks,
    _dots,
    _waves,
    _hexagons,
    _diamonds,
    _smooth,
    _clouds,
    _cells,
    _planks,
    _plaid,
    _specks,
)
"""(x, y, rng) -> field around 0; the position is the family's number."""


def texture(rng: Rng, textured: float) -> tuple[Field, int | None]:
    """Return a field from 0 to 1 and its family; with chance 1 - `textured` a plain one, of no family."""
    if rng.random() > textured:
        return np.full_like(_X, 0.5), None
    family = int(rng.integers(len(FAMILIES)))
    place = (float(rng.uniform(-1.0, 1.0)), float(rng.uniform(-1.0, 1.0)))
    stretch = math.exp(rng.normal(0.0, 0.15))
    x, y = coordinates(rng.uniform(0.0, math.pi), rng.uniform(0.02, 0.065), stretch, place)
    field = FAMILIES[family](x, y, rng)
    return 1.0 / (1.0 + np.exp(-(field * np.float32(rng.uniform(1.2, 9.0))).clip(-12.0, 12.0))), family
