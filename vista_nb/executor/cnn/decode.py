"""Bytes of a photo -> RGB pixels at the CNN's input size.

Reads encoded bytes (JPEG, PNG, GIF, WebP, TIFF, BMP, ...), returns (height, width, 3 or 1) float32 in [0, 255].
May touch: Pillow, numpy. Raises `BadImageError` with one line that says why. DESIGN.md section 8, preprocessing.
EXIF orientation is honoured; CMYK, 16-bit, grayscale and palette become RGB; transparency is laid over white; of
an animation the first frame counts. The picture is stretched by an antialiased bilinear resize. Large JPEGs are
decoded at 1/2, 1/4 or 1/8 (`draft`), never below twice the input size (ADR 0015). Size is capped before any pixel
is decoded, so a decompression bomb costs nothing.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PIXELS", "BadImageError", "decode", "upright"]

MAX_PIXELS = 150_000_000
DRAFT_MARGIN = 2
"""A large JPEG is decoded to at least this many times the input size, then resized (docs/adr/0015)."""
_JPEG = ("JPEG", "MPO")  # MPO: several JPEGs in a file, as some phones write
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF orientation -> the transposition that undoes it."""
_SIDEWAYS = ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")


class BadImageError(ValueError):
    """A picture that cannot be read; the text is the reason kept in `.bad_images`."""


def decode(content: bytes, height: int, width: int, channels: int = 3) -> NDArray[np.float32]:
    """The picture as (height, width, channels) float32 in [0, 255]: RGB, or gray for 1. Raises BadImageError."""
    from PIL import Image

    with _one_line_errors():
        picture = upright(content, height, width)
        rgb = picture if channels == 3 else picture.convert("L")  # luma, ITU-R 601
        if rgb.size != (width, height):
            rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(rgb, dtype=np.float32).reshape(height, width, channels)


def upright(content: bytes, height: int, width: int) -> Any:
    """Pillow's picture, RGB, the right way up, in its own shape; a large JPEG at a fraction of its size, but never
    below twice the size given. Raises BadImageError.
    """
    from PIL import Image

    if not content:
        raise BadImageError("empty file")
    with _one_line_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bombs are judged below, odd metadata is no reason to refuse
        with Image.open(io.BytesIO(content)) as image:
            return _upright(image, height, width)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Whatever Pillow raises, as a BadImageError."""
    from PIL import Image

    try:
        yield
    except BadImageError:
        raise
    except Image.DecompressionBombError as error:
        raise BadImageError(f"too large: {error}") from error
    except MemoryError as error:
        raise BadImageError("too large for this process's memory") from error
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error, ...
        raise BadImageError(_reason(error)) from error


def _upright(image: Any, height: int, width: int) -> Any:
    from PIL import Image

    if image.width * image.height > MAX_PIXELS:
        raise BadImageError(f"too large: {image.width} x {image.height} pixels, the limit is {MAX_PIXELS}")
    if image.format in _JPEG:
        # the decoder averages 2, 4 or 8 pixels while it decodes; the result never falls below the size asked for
        size = (width, height) if _turn(image) not in _SIDEWAYS else (height, width)
        image.draft(None, (DRAFT_MARGIN * size[0], DRAFT_MARGIN * size[1]))
    image.load()
    turn = _turn(image)  # asked again: Pillow sets a TIFF upright while it loads it
    return _rgb(image if turn is None else image.transpose(Image.Transpose[turn]))


def _turn(image: Any) -> str | None:
    """Pillow's name for what sets the stored picture upright, from EXIF; a damaged EXIF block says nothing."""
    try:
        return _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except Exception:  # struct.error, SyntaxError, ... of Pillow's reader: no reason to refuse a picture
        return None


def _rgb(image: Any) -> Any:
    """Any mode -> RGB, 8 bits."""
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _SIXTEEN_BIT or image.mode in ("I", "F"):
        return _from_deep(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Any) -> Any:
    """16-bit and float gray: Pillow's own conversion clips at 255, so the range is scaled first."""
    from PIL import Image

    values = np.asarray(image, dtype=np.float32)
    if image.mode == "F":
        top = 1.0 if values.max(initial=0.0) <= 1.0 else 255.0
    else:  # "I" holds 16-bit PNGs too; small values in it are 8-bit ones
        top = 255.0 if image.mode == "I" and values.max(initial=0.0) <= 255.0 else 65535.0
    gray = np.clip(np.nan_to_num(values) * (255.0 / top), 0, 255)
    return Image.fromarray(np.rint(gray).astype(np.uint8)).convert("RGB")


def _reason(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    if "cannot identify image file" in text:
        return "not a picture in a known format"
    return (text or type(error).__name__)[:200]
