"""Pictures drawn by formula, to train the bundled CNN on: a textured figure on a textured ground.

Reads a seed and a count. Returns uint8 pictures (count, 96, 96, 3) and int64 labels (count,), the figure's outline.
May touch nothing. Shares no code and no outline with `vista_nb.demo`: the network never sees the catalogue. (Gratings
and lattices are akin to the catalogue's stripes, checks and dots, as any set of textures would be.)

A figure is a region f(x, y) < 0, turned, stretched and moved; a texture is a periodic or random field, mapped to two
colours. The label is the outline alone: texture and colour are drawn at random for figure and ground. As the two
often share their colours, a network must know textures on the way (to tell figure from ground) and forget them at
the top: just the division of labour between its layers that the demo shows.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIGURES", "SIDE", "draw"]

SIDE: Final = 96
Field = NDArray[Any]
Rng = np.random.Generator

_AXIS: Final = np.linspace(-1.0, 1.0, SIDE, dtype=np.float32)
_X, _Y = np.meshgrid(_AXIS, _AXIS)


def _superellipse(power: float) -> Callable[[Field, Field], Field]:
    return lambda x, y: np.abs(x) ** power + np.abs(y) ** power - 1.0


def _wave(petals: int, depth: float) -> Callable[[Field, Field], Field]:
    """A circle whose radius goes up and down `petals` times."""
    return lambda x, y: np.hypot(x, y) - 0.8 * (1.0 + depth * np.cos(petals * np.arctan2(y, x)))


def _polygon(corners: int) -> Callable[[Field, Field], Field]:
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


FIGURES: Final[dict[str, Callable[[Field, Field], Field]]] = {
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


def _turned(rng: Rng, angle: float, size: float, stretch: float, shift: float) -> tuple[Field, Field]:
    """Return the picture's coordinates as seen from the figure or texture."""
    dx, dy = rng.uniform(-shift, shift, 2).astype(np.float32)
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = (_X - dx) / size, (_Y - dy) / size
    return (cos * x + sin * y) * stretch, (cos * y - sin * x) / stretch


def _noise(rng: Rng, cells: int) -> Field:
    """Smooth random field: a coarse random grid, read between its points."""
    grid = rng.standard_normal((cells + 2, cells + 2)).astype(np.float32)
    at = np.linspace(0.0, cells, SIDE, dtype=np.float32)
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    rows = grid[low] * (1.0 - part)[:, None] + grid[low + 1] * part[:, None]
    return np.asarray(rows[:, low] * (1.0 - part) + rows[:, low + 1] * part)


def _texture(rng: Rng, textured: float) -> Field:
    """Return a field with values from 0 to 1: plain, or one of seven families at random scale and angle."""
    family = int(rng.integers(7))
    if rng.random() > textured:
        return np.full_like(_X, 0.5)
    if family == 6:
        return _squash(_noise(rng, int(rng.integers(6, 30))), rng)
    x, y = _turned(rng, rng.uniform(0.0, math.pi), rng.uniform(0.022, 0.06), 1.0, 1.0)
    fields: tuple[Callable[[], Field], ...] = (
        lambda: np.sin(x),
        lambda: np.sin(x) * np.sin(y),
        lambda: np.sin(x) + np.sin(y) - rng.uniform(-1.0, 1.0),
        lambda: np.sin(x + 1.5 * np.sin(0.7 * y)),
        lambda: np.cos(x) + np.cos(0.5 * x + 0.866 * y) + np.cos(0.5 * x - 0.866 * y) - rng.uniform(-0.5, 1.0),
        lambda: np.abs(np.sin(0.7 * x) + np.sin(0.7 * y)) - rng.uniform(0.3, 1.0),
    )
    return _squash(fields[family](), rng)


def _squash(field: Field, rng: Rng) -> Field:
    """Soft or hard step from 0 to 1 across the field's zero line."""
    return 1.0 / (1.0 + np.exp(-field.clip(-9.0, 9.0) * rng.uniform(1.5, 9.0)))


def _colours(rng: Rng, alike: float) -> NDArray[np.float32]:
    """Two colours each for figure and ground; with chance `alike` the same two."""
    colours = rng.uniform(10.0, 245.0, (4, 3)).astype(np.float32)
    if rng.random() < alike:
        colours[2:] = colours[:2]
    return colours


def _picture(figure: Callable[[Field, Field], Field], rng: Rng, textured: float) -> NDArray[np.uint8]:
    inside = figure(*_turned(rng, rng.uniform(-0.5, 0.5), rng.uniform(0.6, 0.85), rng.uniform(0.9, 1.1), 0.12))
    mask = (1.0 / (1.0 + np.exp((inside * 40.0).clip(-30.0, 30.0))))[:, :, None]
    c = _colours(rng, 0.4 * textured)
    ours, theirs = _texture(rng, textured)[:, :, None], _texture(rng, textured)[:, :, None]
    figure_pixels = c[0] + ours * (c[1] - c[0])
    ground_pixels = c[2] + theirs * (c[3] - c[2])
    picture = mask * figure_pixels + (1.0 - mask) * ground_pixels
    picture += rng.standard_normal((SIDE, SIDE, 1), dtype=np.float32) * np.float32(rng.uniform(0.0, 8.0))
    return np.asarray(picture.clip(0.0, 255.0), dtype=np.uint8)


def draw(count: int, seed: int, textured: float = 0.75) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return `count` pictures and their labels, the same for the same arguments.

    `textured` is the chance that a surface bears a texture at all: 0 draws plain figures on plain ground.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(FIGURES), size=count)
    figures = list(FIGURES.values())
    return np.stack([_picture(figures[label], rng, textured) for label in labels]), labels
