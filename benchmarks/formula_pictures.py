"""Pictures drawn by formula, to train the bundled CNN on: a textured figure among others on a textured ground.

Reads a seed and a count. Returns `Pictures`: uint8 (count, 96, 96, 3), the outline's number, the families seen.
May touch nothing. Shares no code and no outline with `vista_nb.demo`: the network never sees the catalogue. (Gratings
and lattices are akin to the catalogue's stripes, checks and dots, as any set of textures would be.)

A figure is an outline, turned, stretched and moved; texture and colours are drawn at random for figure and ground. As
the two often share their colours, a network must know textures on the way (to tell figure from ground) and forget them
at the top: just the division of labour between its layers that the demo shows. What photos have and formulas lack is
added: smaller figures beside and over it, folds, seams, a shadow, light from one side, colour casts, blur, grain, and
the blocks of JPEG.
"""

import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.formula_outlines import ASSEMBLIES, FIGURES, Field, Outline, Rng, assembly
from benchmarks.formula_textures import FAMILIES, SIDE, coordinates, noise, texture

__all__ = ["OUTLINES", "SIDE", "Pictures", "draw"]

OUTLINES: Final = len(FIGURES) + ASSEMBLIES
"""Outline numbers: the figures first, in the order of FIGURES, then the assemblies."""
_FIGURES: Final = tuple(FIGURES.values())
NAMED: Final = 0.35
"""Share of pictures whose outline is one of the thirteen figures, the only ones that have a logit."""


@dataclass(frozen=True)
class Pictures:
    """Pictures uint8 (n, 96, 96, 3); outlines int64 (n,); families bool (n, families): the textures in the picture."""

    images: NDArray[np.uint8]
    outlines: NDArray[np.int64]
    families: NDArray[np.bool_]


def _outline(number: int, rng: Rng) -> Outline:
    return _FIGURES[number] if number < len(_FIGURES) else assembly(number - len(_FIGURES), rng)


def _number(rng: Rng) -> int:
    if rng.random() < NAMED:
        return int(rng.integers(len(_FIGURES)))
    return int(rng.integers(len(_FIGURES), OUTLINES))


def _mask(number: int, rng: Rng, size: float, reach: float, clutter: float) -> Field:
    """Return (side, side, 1), 1 inside: upright within half a radian, of a size around `size`."""
    place = (float(rng.uniform(-reach, reach)), float(rng.uniform(-reach, reach)))
    stretch = math.exp(rng.normal(0.0, 0.08))
    inside = _outline(number, rng)(*coordinates(rng.uniform(-0.5, 0.5), size, stretch, place))
    if rng.random() < 0.5 * clutter:  # a border that is not quite the formula's: cloth, paper, clay
        inside = inside + np.float32(rng.uniform(0.02, 0.06)) * noise(rng, int(rng.integers(4, 12)))
    edge = np.float32(60.0 * size)
    return np.asarray(1.0 / (1.0 + np.exp((inside * edge).clip(-30.0, 30.0))))[:, :, None]


def _colours(rng: Rng) -> NDArray[np.float32]:
    """Two colours: any, or, as often, muted ones of one tint, as in most rooms."""
    if rng.random() < 0.5:
        return rng.uniform(10.0, 245.0, (2, 3)).astype(np.float32)
    tint = rng.standard_normal((2, 3)) * rng.uniform(2.0, 25.0)
    return (rng.uniform(20.0, 235.0, (2, 1)) + tint).astype(np.float32)


def _surface(rng: Rng, textured: float, colours: NDArray[np.float32]) -> tuple[Field, int | None]:
    """Return coloured pixels (side, side, 3), with folds, and the texture's family."""
    field, family = texture(rng, textured)
    pixels = colours[0] + field[:, :, None] * (colours[1] - colours[0])
    if rng.random() < 0.6 * textured:
        folds = noise(rng, int(rng.integers(2, 8)))[:, :, None]
        pixels = pixels * (1.0 + np.float32(rng.uniform(0.05, 0.25)) * folds)
    return pixels, family


def _laid(picture: Field, mask: Field, surface: Field, rng: Rng, shadows: float) -> Field:
    """Lay a figure over the picture, with the shadow it casts on what lies under it."""
    if rng.random() < shadows:
        flat = Image.fromarray((mask[:, :, 0] * 255.0).astype(np.uint8))
        soft = np.asarray(flat.filter(ImageFilter.BoxBlur(int(rng.integers(2, 6)))), dtype=np.float32) / 255.0
        shifted = np.roll(soft, tuple(int(step) for step in rng.integers(-5, 6, 2)), axis=(0, 1))
        picture = picture * (1.0 - np.float32(rng.uniform(0.1, 0.5)) * shifted[:, :, None])
    return mask * surface + (1.0 - mask) * picture


def _seamed(surface: Field, rng: Rng) -> Field:
    """Add a seam or two, and a badge: lines and a patch that belong to the figure and are not its outline."""
    for _ in range(int(rng.integers(0, 3))):
        place = (float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.5, 0.5)))
        along, _ = coordinates(rng.uniform(0.0, math.pi), 1.0, 1.0, place)
        line = np.exp(-((along * np.float32(rng.uniform(20.0, 60.0))) ** 2))[:, :, None]
        surface = surface * (1.0 - np.float32(rng.uniform(-0.3, 0.5)) * line)
    if rng.random() < 0.4:
        badge = _mask(_number(rng), rng, rng.uniform(0.1, 0.25), 0.35, 0.0)
        surface = badge * rng.uniform(10.0, 245.0, 3).astype(np.float32) + (1.0 - badge) * surface
    return surface


def _camera(pixels: Field, rng: Rng, clutter: float) -> NDArray[np.uint8]:
    """Light from one side, colour cast, tone, blur, grain and JPEG, each drawn at random."""
    across, _ = coordinates(rng.uniform(0.0, 2.0 * math.pi), 1.0, 1.0, (0.0, 0.0))
    light = 1.0 + np.float32(clutter * rng.uniform(0.0, 0.35)) * across[:, :, None]
    cast = rng.normal(1.0, 0.07 * clutter, 3).astype(np.float32)
    pixels = (pixels * light * cast).clip(0.0, 255.0)
    if rng.random() < 0.5 * clutter:
        pixels = 255.0 * (pixels / 255.0) ** np.float32(math.exp(rng.normal(0.0, 0.25)))
    image = Image.fromarray(pixels.astype(np.uint8))
    if rng.random() < 0.5 * clutter:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    grain = rng.standard_normal((SIDE, SIDE, 1), dtype=np.float32) * np.float32(rng.uniform(0.0, 9.0))
    seen = (np.asarray(image, dtype=np.float32) + grain).clip(0.0, 255.0).astype(np.uint8)
    return _compressed(seen, int(rng.integers(25, 95))) if rng.random() < 0.5 * clutter else seen


def _compressed(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def _picture(number: int, rng: Rng, textured: float) -> tuple[NDArray[np.uint8], list[int]]:
    """One scene and the families in it. `textured` is the chance of a texture, and the strength of everything else."""
    clutter = textured / 0.75
    ours = _colours(rng)
    theirs = ours if rng.random() < 0.3 * clutter else _colours(rng)
    picture, ground = _surface(rng, textured, theirs)
    seen = [ground]
    others = int(rng.integers(0, 4)) if rng.random() < 0.6 * clutter else 0
    for _ in range(others):
        surface, family = _surface(rng, textured, _colours(rng))
        picture = _laid(picture, _mask(_number(rng), rng, rng.uniform(0.15, 0.4), 1.0, clutter), surface, rng, 0.5)
        seen.append(family)
    surface, family = _surface(rng, textured, ours)
    surface = _seamed(surface, rng) if rng.random() < 0.5 * clutter else surface
    mask = _mask(number, rng, rng.uniform(0.55, 1.0), 0.2, clutter)
    picture = _laid(picture, mask, surface, rng, 0.5 * clutter)
    seen.append(family)
    if rng.random() < 0.15 * clutter:  # something lies over a corner of it
        cover, family = _surface(rng, textured, _colours(rng))
        picture = _laid(picture, _mask(_number(rng), rng, rng.uniform(0.15, 0.3), 0.9, clutter), cover, rng, 0.5)
        seen.append(family)
    return _camera(picture, rng, clutter), [one for one in seen if one is not None]


def draw(count: int, seed: int, textured: float = 0.75) -> Pictures:
    """Return `count` pictures, the same for the same arguments and versions.

    `textured` is the chance that a surface bears a texture at all, and scales clutter, light and camera with it: 0
    draws plain figures on plain ground.
    """
    rng = np.random.default_rng(seed)
    images = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    outlines = np.empty(count, dtype=np.int64)
    families = np.zeros((count, len(FAMILIES)), dtype=np.bool_)
    for row in range(count):
        outlines[row] = _number(rng)
        images[row], seen = _picture(int(outlines[row]), rng, textured)
        families[row, seen] = True
    return Pictures(images, outlines, families)
