"""Bytes of a photo -> RGB pixels at the CNN's input size.

Reads encoded bytes (JPEG, PNG, GIF, WebP, TIFF, BMP, ...), returns (height, width, 3) float32 in [0, 255].
May touch: Pillow, numpy. Raises `BadImageError` with one line that says why. DESIGN.md section 8, preprocessing.
EXIF orientation is honoured; CMYK, 16-bit, grayscale and palette become RGB; transparency is laid over white; of
an animation the first frame counts. The picture is stretched by an antialiased bilinear resize. Large JPEGs are
decoded at 1/2, 1/4 or 1/8 (`draft`), never below the input size. Size is capped before any pixel is decoded, so
a decompression bomb costs nothing.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PIXELS", "BadImageError", "decode"]

MAX_PIXELS = 150_000_000
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")


class BadImageError(ValueError):
    """A picture that cannot be read; the text is the reason kept in `.bad_images`."""


def decode(content: bytes, height: int, width: int) -> NDArray[np.float32]:
    """The picture as (height, width, 3) float32 in [0, 255], RGB. Raises BadImageError."""
    from PIL import Image

    if not content:
        raise BadImageError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bombs are judged below, odd metadata is no reason to refuse
            with Image.open(io.BytesIO(content)) as image:
                return _decoded(image, height, width)
    except BadImageError:
        raise
    except Image.DecompressionBombError as error:
        raise BadImageError(f"too large: {error}") from error
    except MemoryError as error:
        raise BadImageError("too large for this process's memory") from error
    except Exception as error:  # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error, ...
        raise BadImageError(_reason(error)) from error


def _decoded(image: Any, height: int, width: int) -> NDArray[np.float32]:
    from PIL import Image, ImageOps

    if image.width * image.height > MAX_PIXELS:
        raise BadImageError(f"too large: {image.width} x {image.height} pixels, the limit is {MAX_PIXELS}")
    orientation = image.getexif().get(0x0112, 1)
    if image.format == "JPEG":
        # the decoder averages 2, 4 or 8 pixels while it decodes; the result never falls below the size asked for
        image.draft(None, (width, height) if orientation < 5 else (height, width))
    image.load()
    upright = ImageOps.exif_transpose(image) if orientation != 1 else image
    rgb = _rgb(upright)
    if rgb.size != (width, height):
        rgb = rgb.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(rgb, dtype=np.float32)


def _rgb(image: Any) -> Any:
    """Any mode -> RGB, 8 bits."""
    from PIL import Image

    if image.mode == "RGB":
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
