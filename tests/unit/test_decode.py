"""Decoding: every odd kind of picture ends as RGB of the right size and colours, or as one line that says why."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vista_nb.executor.cnn import decode as module
from vista_nb.executor.cnn.decode import BadImageError, decode


def quadrants(height=64, width=64):
    """Red, green / blue, white: orientation and channel order show."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left] = (255, 0, 0)
    picture[:top, left:] = (0, 255, 0)
    picture[top:, :left] = (0, 0, 255)
    picture[top:, left:] = (255, 255, 255)
    return picture


def smooth(height, width):
    """A picture without hard edges, so that decoders and resizes may differ only a little."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / width * 6 + 1), np.cos(y / height * 5), np.sin((x + y) / (width + height) * 9)]
    return np.uint8(np.stack(waves, -1) * 100 + 128)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners(pixels):
    """The middle of each quadrant."""
    h, w = pixels.shape[0] // 4, pixels.shape[1] // 4
    return [pixels[h, w], pixels[h, -w], pixels[-h, w], pixels[-h, -w]]


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
RGB = Image.fromarray(quadrants())
KINDS = {
    "jpeg": lambda: encoded(RGB, "JPEG", quality=95, subsampling=0),
    "progressive": lambda: encoded(RGB, "JPEG", quality=95, subsampling=0, progressive=True),
    "png": lambda: encoded(RGB, "PNG"),
    "bmp": lambda: encoded(RGB, "BMP"),
    "gif": lambda: encoded(RGB, "GIF"),
    "tiff": lambda: encoded(RGB, "TIFF"),
    "webp": lambda: encoded(RGB, "WEBP", lossless=True),
    "palette": lambda: encoded(RGB.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "rgba": lambda: encoded(RGB.convert("RGBA"), "PNG"),
    "cmyk jpeg": lambda: encoded(RGB.convert("CMYK"), "JPEG", quality=95),
    "cmyk tiff": lambda: encoded(RGB.convert("CMYK"), "TIFF"),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_colour_formats_keep_colours_and_places(kind):
    """Also CMYK, palette and alpha become the same RGB picture."""
    pixels = decode(KINDS[kind](), 32, 48)
    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.float32
    for found, expected in zip(corners(pixels), COLOURS, strict=True):
        assert np.abs(found - expected).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation):
    """A stored picture turned or mirrored by any of the eight EXIF values is seen upright."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = RGB.transpose(undo[orientation]) if orientation in undo else RGB
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif), 32, 32)
    for found, expected in zip(corners(pixels), COLOURS, strict=True):
        assert np.abs(found - expected).max() <= 6


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_gray_becomes_three_equal_channels(mode):
    """8-bit gray, bilevel, gray with alpha."""
    ramp = Image.fromarray(np.tile(np.uint8([0, 255] * 16), (32, 1))).convert(mode)
    pixels = decode(encoded(ramp, "PNG"), 32, 32)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert pixels.min() == 0
    assert pixels.max() == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind):
    """A 16-bit gray ramp keeps its shape (Pillow's own conversion would clip nearly all of it to white)."""
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    pixels = decode(encoded(Image.fromarray(ramp), kind), 64, 64)
    assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, 64)).max() <= 1


def test_float_tiff():
    """Float gray in [0, 1] is scaled to [0, 255]."""
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    pixels = decode(encoded(Image.fromarray(ramp), "TIFF"), 64, 64)
    assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, 64)).max() <= 1


def test_transparent_pixels_are_white():
    """What was under full transparency does not leak in."""
    hidden = np.zeros((16, 16, 4), np.uint8)
    hidden[..., 0] = 200
    assert decode(encoded(Image.fromarray(hidden), "PNG"), 8, 8).min() == 255


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation_counts(kind):
    """Red first, blue second: red."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.abs(decode(content, 8, 8)[4, 4] - (255, 0, 0)).max() <= 3


def test_draft_decoding_of_a_large_photo_stays_close():
    """A 2 000 x 1 500 JPEG decoded at 1/4 agrees with decoding whole and then shrinking."""
    photo = Image.fromarray(smooth(1500, 2000))
    whole = np.asarray(photo.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    pixels = decode(encoded(photo, "JPEG", quality=92), 224, 224)
    assert np.abs(pixels - whole).mean() < 1.5


def test_small_pictures_are_enlarged():
    """One pixel fills the whole input."""
    pixels = decode(encoded(Image.new("RGB", (1, 1), (10, 20, 30)), "PNG"), 5, 7)
    assert pixels.shape == (5, 7, 3)
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"not a picture at all", "not a picture in a known format"),
        (KINDS["jpeg"]()[:400], "(?i)truncated"),
        (KINDS["jpeg"]()[:-40], "truncated"),
        (KINDS["png"]()[:60], "(?i)truncated|broken"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "."),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "."),
    ],
)
def test_broken_files_are_bad_images(content, reason):
    """Zero bytes, text, truncated and garbage files: one line with the reason, never another exception."""
    with pytest.raises(BadImageError, match=reason) as caught:
        decode(content, 32, 32)
    assert "\n" not in str(caught.value)


def test_size_is_capped_before_decoding(monkeypatch):
    """The cap is judged from the header."""
    monkeypatch.setattr(module, "MAX_PIXELS", 64 * 64 - 1)
    with pytest.raises(BadImageError, match="too large: 64 x 64"):
        decode(KINDS["png"](), 32, 32)


def test_decompression_bomb_is_refused():
    """A PNG that claims 60 000 x 60 000 pixels in a few bytes."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10)))
    with pytest.raises(BadImageError, match="too large"):
        decode(content, 32, 32)
