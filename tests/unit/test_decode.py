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


UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(picture, orientation, kind="JPEG", **options):
    """Stored turned or mirrored, with the EXIF value that says so."""
    stored = picture.transpose(UNDO[orientation]) if orientation in UNDO else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(stored, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation, kind):
    """A stored picture turned or mirrored by any of the eight EXIF values is seen upright."""
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    pixels = decode(turned(RGB, orientation, kind, **options), 32, 32)
    for found, expected in zip(corners(pixels), COLOURS, strict=True):
        assert np.abs(found - expected).max() <= 6


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_with_scaled_decoding(orientation, channels):
    """A large photo, not square, decoded at a fraction: as the upright one without EXIF; the margin holds sideways."""
    photo = Image.fromarray(smooth(900, 1600))
    upright = decode(encoded(photo, "JPEG", quality=95, subsampling=0), 96, 192, channels)
    pixels = decode(turned(photo, orientation, quality=95, subsampling=0), 96, 192, channels)
    assert pixels.shape == (96, 192, channels)
    assert np.abs(pixels - upright).mean() < 0.5


@pytest.mark.parametrize("block", [b"garbage", b"II*\x00\xff\xff\xff\xff", b"MM\x00*"])
def test_damaged_exif_is_no_reason_to_refuse(block):
    """The picture counts, as it is stored."""
    content = encoded(RGB, "JPEG", quality=95, subsampling=0, exif=b"Exif\x00\x00" + block)
    pixels = decode(content, 32, 32)
    assert np.abs(corners(pixels)[0] - COLOURS[0]).max() <= 6


@pytest.mark.parametrize("value", [0, 9, 300])
def test_unknown_orientation_is_upright(value):
    """EXIF values that mean nothing."""
    exif = Image.Exif()
    exif[0x0112] = value
    pixels = decode(encoded(RGB, "JPEG", quality=95, subsampling=0, exif=exif), 32, 32)
    assert np.abs(corners(pixels)[0] - COLOURS[0]).max() <= 6


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


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_a_transparent_entry(kind):
    """The entry's colour does not leak in; the others keep theirs."""
    indexed = Image.fromarray(np.uint8(np.repeat([[0, 1]], 16, axis=0).repeat(8, axis=1)), "P")
    indexed.putpalette([200, 0, 0, 0, 0, 250])
    pixels = decode(encoded(indexed, kind, transparency=0), 16, 16)
    assert pixels[8, 2].tolist() == [255, 255, 255]
    assert pixels[8, 13].tolist() == [0, 0, 250]


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour(mode):
    """tRNS of a PNG without alpha channel: that colour is white, too."""
    colours = {"RGB": ((10, 20, 30), (200, 0, 0)), "L": (10, 200)}[mode]
    picture = Image.new(mode, (16, 16), colours[0])
    picture.paste(colours[1], (8, 0, 16, 16))
    pixels = decode(encoded(picture, "PNG", transparency=colours[0]), 16, 16)
    assert pixels[8, 2].tolist() == [255, 255, 255]
    assert pixels[8, 13, 0] == 200


def test_sixteen_bit_colour():
    """A 48-bit PNG, built by hand (Pillow writes none): the high bytes are the colour."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = quadrants().astype(">u2") * 257
    raw = b"".join(b"\x00" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    pixels = decode(b"\x89PNG\r\n\x1a\n" + parts, 32, 32)
    for found, expected in zip(corners(pixels), COLOURS, strict=True):
        assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_an_animation_counts(kind):
    """Red first, blue second: red."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert np.abs(decode(content, 8, 8)[4, 4] - (255, 0, 0)).max() <= 3


LARGE = {
    "baseline": (RGB.mode, {}),
    "progressive": ("RGB", {"progressive": True}),
    "gray": ("L", {}),
    "cmyk": ("CMYK", {}),
    "no subsampling": ("RGB", {"subsampling": 0}),
}


@pytest.mark.parametrize("target", [(224, 224), (300, 100), (749, 999), (750, 1000)])
@pytest.mark.parametrize("kind", sorted(LARGE))
def test_scaled_decoding_of_a_large_photo_stays_close(kind, target):
    """A 2 000 x 1 500 JPEG decoded at a fraction agrees with decoding whole and then shrinking."""
    mode, options = LARGE[kind]
    photo = Image.fromarray(smooth(1500, 2000)).convert(mode)
    content = encoded(photo, "JPEG", quality=92, **options)
    whole = Image.open(io.BytesIO(content)).convert("RGB").resize(target[::-1], Image.Resampling.BILINEAR)
    assert np.abs(decode(content, *target) - np.asarray(whole, np.float32)).mean() < 1.5


def test_scaled_decoding_keeps_twice_the_input_size(monkeypatch):
    """Both sides stay at least twice the input's, so that the resize has something to average; sideways too."""
    from PIL import JpegImagePlugin

    sizes = []
    load = JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", lambda self: (sizes.append(self.size), load(self))[1])
    photo = Image.fromarray(smooth(1200, 1600))
    decode(encoded(photo, "JPEG"), 150, 100)
    decode(encoded(photo, "JPEG"), 151, 100)
    decode(turned(photo, 6), 150, 200)
    assert list(dict.fromkeys(sizes)) == [(400, 300), (800, 600), (300, 400)]


def test_several_jpegs_in_one_file_are_decoded_at_a_fraction():
    """MPO, as phones write: the first picture, by the same fast path."""
    photo, other = Image.fromarray(smooth(1500, 2000)), Image.new("RGB", (2000, 1500))
    content = encoded(photo, "MPO", save_all=True, append_images=[other], quality=92)
    assert Image.open(io.BytesIO(content)).format == "MPO"
    whole = photo.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.abs(decode(content, 224, 224) - np.asarray(whole, np.float32)).mean() < 1.5


@pytest.mark.parametrize("kind", ["jpeg", "png", "cmyk jpeg", "palette", "rgba"])
def test_gray_for_a_cnn_of_one_channel(kind):
    """channels=1: ITU-R 601 luma of the same picture."""
    pixels = decode(KINDS[kind](), 32, 48, channels=1)
    assert pixels.shape == (32, 48, 1)
    assert pixels.dtype == np.float32
    assert np.abs(np.ravel(corners(pixels)) - [76, 150, 29, 255]).max() <= 3


def test_gray_stays_gray():
    """An 8-bit and a 16-bit gray picture pass through."""
    ramp = np.tile(np.uint8(np.linspace(0, 255, 64)), (64, 1))
    for content in (encoded(Image.fromarray(ramp), "PNG"), encoded(Image.fromarray(np.uint16(ramp) * 257), "PNG")):
        assert np.abs(decode(content, 64, 64, channels=1)[..., 0] - ramp).max() <= 1


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
