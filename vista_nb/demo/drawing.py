"""Draw the photo of one product: its silhouette, printed with its motif, on a plain wall.

Reads a `Product` and a seed. Returns JPEG bytes (128x128, quality 85), the same for the same input.
May touch nothing.

Everything but silhouette and motif is drawn at random (colours, contrast, size, place, tilt, light, blur, grain), so
that neither colour nor the amount of edges stands for the motif.
"""

import io
import math
from typing import TYPE_CHECKING, Final

from vista_nb.demo.motifs import MOTIFS
from vista_nb.demo.products import Product
from vista_nb.demo.silhouettes import SHAPES, Part, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rng = np.random.Generator
    Pixels = NDArray[np.float32]

__all__ = ["SIDE", "photo"]

SIDE: Final = 128
"""Width and height of a photo in pixels."""
CANVAS: Final = 2 * SIDE
"""Masks are drawn at twice the size and shrunk: Pillow's polygons have hard edges."""
QUALITY: Final = 85


def photo(product: Product, seed: int, row: int) -> bytes:
    """Return the JPEG file of `product`, row number `row` of the catalogue `seed`."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng([seed, row, 1])
    outline = _mask(_placed_outline(product.shape, rng))
    ink = _mask(_placed_marks(product.motif, rng))
    pixels = _compose(outline, ink, rng)
    out = io.BytesIO()
    Image.fromarray(_camera(pixels, rng)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _mask(parts: list[Part]) -> "Pixels":
    """Fill the parts in order; values 0 to 1, with soft edges."""
    import numpy as np
    from PIL import Image, ImageDraw

    image: Image.Image = Image.new("L", (CANVAS, CANVAS), 0)
    pen = ImageDraw.Draw(image)
    for points, add in parts:
        pen.polygon(points, fill=255 if add else 0)
    return np.asarray(image.reduce(CANVAS // SIDE), dtype=np.float32)[:, :, None] / 255.0


def _moved(parts: list[Part], size: float, angle: float, x: float, y: float) -> list[Part]:
    """Scale and turn the parts around (0, 0), then carry them to (x, y)."""
    cos, sin = size * math.cos(angle), size * math.sin(angle)

    def move(point: Point) -> Point:
        return x + cos * point[0] - sin * point[1], y + sin * point[0] + cos * point[1]

    return [(tuple(move(point) for point in points), add) for points, add in parts]


def _placed_outline(shape: str, rng: "Rng") -> list[Part]:
    size = CANVAS * rng.uniform(0.36, 0.46)
    x, y = CANVAS * rng.uniform(0.44, 0.56, 2)
    return _moved(SHAPES[shape](), size, rng.uniform(-0.25, 0.25), x, y)


def _placed_marks(motif: str, rng: "Rng") -> list[Part]:
    """Cover the whole canvas with the print, at a random tilt."""
    pitch, reach = CANVAS * rng.uniform(0.17, 0.21), 0.75 * CANVAS
    x, y = CANVAS / 2.0 + rng.uniform(-0.5, 0.5, 2) * pitch
    return _moved(MOTIFS[motif](pitch, reach, rng), 1.0, rng.uniform(0.0, math.pi), x, y)


def _colour(rng: "Rng", low: float, high: float, tint: float) -> "Pixels":
    """Return a colour of a brightness between `low` and `high`; the tint leaves the brightness as it is."""
    import numpy as np

    hue = rng.standard_normal(3)
    return np.asarray(rng.uniform(low, high) + tint * (hue - hue.mean()), dtype=np.float32)


def _compose(outline: "Pixels", ink: "Pixels", rng: "Rng") -> "Pixels":
    """Lay the printed product over a wall, with light from one side; float values around 0 to 255."""
    import numpy as np

    wall, cloth = _colour(rng, 150.0, 230.0, 12.0), _colour(rng, 165.0, 215.0, 20.0)
    dye = cloth - np.float32(rng.uniform(90.0, 120.0)) * (0.8 + 0.2 * rng.random(3, dtype=np.float32))
    across, down = np.meshgrid(*(np.linspace(-1.0, 1.0, SIDE, dtype=np.float32),) * 2)
    angle = rng.uniform(0.0, 2.0 * math.pi)
    light = (math.cos(angle) * across + math.sin(angle) * down)[:, :, None]
    surface = (cloth + ink * (dye - cloth)) * (1.0 + 0.1 * light)
    return (outline * surface + (1.0 - outline) * (wall + 14.0 * light)).astype(np.float32)


def _camera(pixels: "Pixels", rng: "Rng") -> "NDArray[np.uint8]":
    """Blur a little and add grain, as a camera does."""
    import numpy as np
    from PIL import Image, ImageFilter

    sharp = Image.fromarray(pixels.clip(0.0, 255.0).astype(np.uint8))
    soft = np.asarray(sharp.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.6))), dtype=np.float32)
    grain = rng.standard_normal((SIDE, SIDE, 1), dtype=np.float32) * np.float32(rng.uniform(2.0, 4.0))
    return (soft + grain).clip(0.0, 255.0).astype(np.uint8)
