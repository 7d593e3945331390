"""Large photos: scaled JPEG decoding against the full decode, in grey levels and in a real CNN's features.

benchmarks/decode_drift.py draws the 12 MP photos and measures; the bounds here are about twice what it found on 24.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import decode_drift
from vista_nb.executor.cnn import decode as decoder

pytestmark = pytest.mark.tf

SHIPPED = f"vista_nb, margin {decoder.DRAFT_MARGIN}"
NARROW, PLAIN = "vista_nb, margin 1", "full decode, plain bilinear"
BOUNDS = (0.05, 0.06, 0.08, 0.12, 0.16)  # relative L2, per layer of MobileNetV2


def smooth_and_sharp(height: int, width: int) -> Any:
    """Waves of several lengths, a hard edge, and noise: uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.stack([np.sin(x / 7), np.sin(y / 3 + x / 50), np.where(x > width / 2, 1, -1)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    return np.uint8((127 + 90 * waves + noise).clip(0, 255))


@pytest.mark.parametrize("size", [(168, 224), (480, 640), (301, 97), (60, 40)])
@pytest.mark.parametrize("target", [(224, 224), (96, 96), (227, 150)])
def test_resize_is_tensorflows_antialiased_one(size: tuple[int, int], target: tuple[int, int]) -> None:
    """Shrinking and enlarging: never more than one grey level from tf.image.resize(antialias=True), bilinear."""
    import tensorflow as tf

    picture = smooth_and_sharp(*size)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    theirs = tf.image.resize(picture, target, method="bilinear", antialias=True).numpy()
    difference = np.abs(decoder.decode(stream.getvalue(), *target) - theirs)
    assert difference.max() <= 1.01
    assert difference.mean() < 0.35


def test_full_decode_is_tensorflows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without draft, a JPEG's pixels are those of TensorFlow's accurate decoder, colour upsampling included."""
    import tensorflow as tf

    stream = io.BytesIO()
    Image.fromarray(smooth_and_sharp(480, 640)).save(stream, "JPEG", quality=90)
    monkeypatch.setattr(decoder, "DRAFT_MARGIN", 1000)
    pixels = tf.io.decode_jpeg(stream.getvalue(), channels=3, dct_method="INTEGER_ACCURATE")
    assert np.array_equal(decoder.decode(stream.getvalue(), 480, 640), pixels.numpy())


@pytest.fixture(scope="module")
def measured(shared: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Four photos of 4000 x 3000, by (way, layer)."""
    run = decode_drift.features(shared / "data" / "weights" / decode_drift.WEIGHTS)
    contents = [decode_drift.large_photo(seed) for seed in range(4)]
    ways = (decode_drift.REFERENCE, SHIPPED, NARROW, PLAIN)
    return {(row["way"], row["layer"]): row for row in decode_drift.measure(contents, run, ways)}


@pytest.mark.shared
def test_grey_levels_of_scaled_decoding(measured: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Half a level on average, where plain bilinear resizing is off by many."""
    layer = decode_drift.LAYERS[0]
    assert measured[SHIPPED, layer]["grey_levels"] < 0.6
    assert measured[PLAIN, layer]["grey_levels"] > 4


@pytest.mark.shared
@pytest.mark.parametrize(("layer", "bound"), list(zip(decode_drift.LAYERS, BOUNDS, strict=True)))
def test_features_of_scaled_decoding(measured: dict[tuple[str, str], dict[str, Any]], layer: str, bound: float) -> None:
    """Relative L2 drift per layer: bounded, less than without the margin, and far below plain bilinear's."""
    shipped, narrow, plain = (measured[way, layer] for way in (SHIPPED, NARROW, PLAIN))
    assert 0 < shipped["raw_l2"] < bound
    assert shipped["share_of_distance"] < 0.1
    assert shipped["raw_l2"] < 0.8 * narrow["raw_l2"]
    assert shipped["raw_l2"] < 0.25 * plain["raw_l2"]
