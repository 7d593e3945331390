"""What JPEG's scaled decoding does to large photos: grey levels, the CNN's features, and seconds.

Reads the shared MobileNetV2 weights (VISTA_NB_SHARED); draws 12 MP photos by formula. Prints a table and writes a CSV.
May touch the CSV named by --output; imports TensorFlow (run it as a script).

    python -m benchmarks.decode_drift [--photos 24] [--output benchmarks/decode_drift.csv]

The reference decodes every pixel and stretches with `tf.image.resize(antialias=True)`. Against it stand: vista_nb's
`decode` with draft margins 1, 2 and 4 (the JPEG is decoded at 1/2, 1/4 or 1/8, to at least margin x the input size,
then resized with antialiasing) and without draft; the full decode with plain bilinear resizing; TensorFlow's own
`decode_jpeg(ratio=)`, plain and antialiased. Per photo: mean absolute difference in grey levels, and per layer of
MobileNetV2 (shared real weights) the relative L2 distance of the raw tensors and of the channel means, 1 - cosine of
the channel means, and the drift as a share of the mean distance between different photos. Seconds are processor seconds
of one thread, the median over photos; decoding and resizing, without the CNN.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks import real_photos
from vista_nb.executor.cnn import decode as decoder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__all__ = ["LAYERS", "REFERENCE", "WAYS", "drift", "features", "large_photo", "main", "measure"]

SIDE: Final = 224
LAYERS: Final = tuple(real_photos.LAYERS)
WEIGHTS: Final = "mobilenet_v2_1.0_224_no_top_slim_bnfolded.h5"
Pixels = NDArray[np.float32]
Rng = np.random.Generator


def large_photo(seed: int, width: int = 4000, height: int = 3000) -> bytes:
    """Return a JPEG: clouds of all scales down to the pixel, figures with hard edges and fine prints, grain."""
    rng = np.random.default_rng([12, seed])
    pixels = _clouds(rng, width, height)
    for _ in range(int(rng.integers(6, 14))):
        _figure(pixels, rng)
    pixels += rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(rng.uniform(2.0, 10.0))
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0.0, 255.0).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _clouds(rng: Rng, width: int, height: int) -> Pixels:
    """Each octave weaker than the one before, as in most photos; the channels partly agree."""
    fall, pixels = rng.uniform(0.55, 0.75), np.zeros((height, width, 3), dtype=np.float32)
    for octave in range(10):
        cells = (3 * 2**octave, 4 * 2**octave)
        shape = (min(cells[0], height), min(cells[1], width))
        gray = rng.standard_normal((*shape, 1)) + 0.4 * rng.standard_normal((*shape, 3))
        levels = Image.fromarray((gray * 32.0 + 127.5).clip(0, 255).astype(np.uint8))
        smooth = np.asarray(levels.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
        pixels += (smooth - np.float32(127.5)) * np.float32(2.0 * fall**octave)
    return pixels + rng.uniform(80.0, 170.0, 3).astype(np.float32)


def _figure(pixels: Pixels, rng: Rng) -> None:
    """Lay a polygon over a window of the picture, printed with a grating of 3 to 60 pixels or a lattice of it."""
    height, width, _ = pixels.shape
    size = int(rng.uniform(0.15, 0.6) * height)
    top, left = int(rng.integers(0, height - size)), int(rng.integers(0, width - size))
    turns, radii = np.sort(rng.uniform(0, 2 * np.pi, 9)), rng.uniform(0.4, 1.0, 9) * size / 2
    points = [(size / 2 + r * np.cos(t), size / 2 + r * np.sin(t)) for t, r in zip(turns, radii, strict=True)]
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).polygon(points, fill=255)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    period, angle = float(np.exp(rng.uniform(np.log(3.0), np.log(60.0)))), rng.uniform(0, np.pi)
    print_ = np.sin((x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / period))
    if rng.random() < 0.5:
        print_ = print_ * np.sin((y * np.cos(angle) - x * np.sin(angle)) * np.float32(2 * np.pi / period))
    low, high = rng.uniform(10.0, 245.0, (2, 3)).astype(np.float32)
    cloth = low + (0.5 + 0.5 * np.clip(3.0 * print_, -1.0, 1.0))[:, :, None] * (high - low)
    inside = np.asarray(mask, dtype=np.float32)[:, :, None] / 255.0
    window = pixels[top : top + size, left : left + size]
    window += inside * (cloth.astype(np.float32) - window)


@contextmanager
def _margin(margin: int) -> Iterator[None]:
    """vista_nb's decoder with another draft margin; one so large that no draft is possible decodes every pixel."""
    before = decoder.DRAFT_MARGIN
    decoder.DRAFT_MARGIN = margin
    try:
        yield
    finally:
        decoder.DRAFT_MARGIN = before


def _ours(margin: int) -> Callable[[bytes], Pixels]:
    def way(content: bytes) -> Pixels:
        with _margin(margin):
            return decoder.decode(content, SIDE, SIDE)

    return way


def _tensorflow(antialias: bool, scaled: bool) -> Callable[[bytes], Pixels]:
    def way(content: bytes) -> Pixels:
        import tensorflow as tf

        ratio = _ratio(content) if scaled else 1
        # TensorFlow's default, INTEGER_FAST, is off by a grey level on its own; ACCURATE gives Pillow's very pixels
        picture = tf.io.decode_jpeg(content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")
        return np.asarray(tf.image.resize(picture, (SIDE, SIDE), antialias=antialias))

    return way


def _ratio(content: bytes) -> int:
    """The largest of 8, 4, 2 that keeps both sides at least as long as the input's."""
    width, height = Image.open(io.BytesIO(content)).size
    return next((ratio for ratio in (8, 4, 2) if min(width, height) // ratio >= SIDE), 1)


REFERENCE: Final = "full decode, tf antialiased"
WAYS: Final[dict[str, Callable[[bytes], Pixels]]] = {
    REFERENCE: _tensorflow(antialias=True, scaled=False),
    "vista_nb, no draft": _ours(1000),
    "vista_nb, margin 4": _ours(4),
    "vista_nb, margin 2": _ours(2),
    "vista_nb, margin 1": _ours(1),
    "tf ratio, antialiased": _tensorflow(antialias=True, scaled=True),
    "tf ratio, plain bilinear": _tensorflow(antialias=False, scaled=True),
    "full decode, plain bilinear": _tensorflow(antialias=False, scaled=False),
}
"""Name -> bytes to pixels (224, 224, 3), 0 to 255; the reference first."""


def features(weights: Path) -> Callable[[Pixels], dict[str, Pixels]]:
    """Return a function from pixels (n, 224, 224, 3), 0 to 255, to the raw tensors of LAYERS."""
    import keras

    base = keras.applications.MobileNetV2(include_top=False, input_shape=(SIDE, SIDE, 3), weights=str(weights))
    taps = keras.Model(base.input, [base.get_layer(name).output for name in LAYERS])

    def run(pixels: Pixels) -> dict[str, Pixels]:
        found = taps(pixels / np.float32(127.5) - np.float32(1.0), training=False)
        return {name: np.asarray(tensor) for name, tensor in zip(LAYERS, found, strict=True)}

    return run


def drift(found: Pixels, reference: Pixels) -> dict[str, float]:
    """Tensors (n, h, w, c) of the same photos: means over photos of the measures named in the module's docstring."""
    raw = _relative(found.reshape(len(found), -1), reference.reshape(len(found), -1))
    mine, theirs = found.mean(axis=(1, 2)), reference.mean(axis=(1, 2))
    cosine = (mine * theirs).sum(1) / (np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1))
    between = np.linalg.norm(theirs[:, None] - theirs[None], axis=2).sum() / (len(theirs) * (len(theirs) - 1))
    moved = np.linalg.norm(mine - theirs, axis=1).mean()
    return {
        "raw_l2": float(raw.mean()),
        "mean_l2": float(_relative(mine, theirs).mean()),
        "one_minus_cosine": float((1.0 - cosine).mean()),
        "share_of_distance": float(moved / between),
    }


def _relative(found: Pixels, reference: Pixels) -> Pixels:
    return np.asarray(np.linalg.norm(found - reference, axis=1) / np.linalg.norm(reference, axis=1))


def measure(
    contents: list[bytes], run: Callable[[Pixels], dict[str, Pixels]], ways: Sequence[str] = tuple(WAYS)
) -> Iterator[dict[str, Any]]:
    """Yield one row per way and layer; the first way is the reference."""
    pixels, seconds = {}, {}
    for name in ways:
        taken, seen = [], []
        for content in contents:
            start = time.process_time()
            seen.append(WAYS[name](content))
            taken.append(time.process_time() - start)
        pixels[name], seconds[name] = np.stack(seen), statistics.median(taken)
    reference = pixels[ways[0]]
    base = run(reference)
    for name, picture in pixels.items():
        levels = float(np.abs(picture - reference).mean())
        found = run(picture)
        for layer in LAYERS:
            measures = drift(found[layer], base[layer])
            yield {"way": name, "ms": 1000 * seconds[name], "grey_levels": levels, "layer": layer, **measures}


def report(rows: list[dict[str, Any]]) -> None:
    """Print one line per way: milliseconds, grey levels, relative L2 of the raw tensors and share per layer."""
    print(f"{'way':28} {'ms':>6} {'levels':>6}  " + "  ".join(f"{layer:>19}" for layer in LAYERS))
    for name in WAYS:
        mine = [row for row in rows if row["way"] == name]
        cells = "  ".join(f"{row['raw_l2']:9.4f} {row['share_of_distance']:9.4f}" for row in mine)
        print(f"{name:28} {mine[0]['ms']:6.1f} {mine[0]['grey_levels']:6.2f}  {cells}")
    print("per layer: relative L2 of the raw tensor; drift of the channel means / distance between photos")


def write(rows: list[dict[str, Any]], path: Path, photos: int) -> None:
    """Write the CSV, with versions and machine."""
    facts = {
        "photos": photos,
        "tensorflow": version("tensorflow"),
        "pillow": version("pillow"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        writer.writerows(
            {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()} | facts
            for row in rows
        )


def main(arguments: list[str] | None = None) -> int:
    """Draw, decode in every way, compare."""
    parser = argparse.ArgumentParser(description="Drift and seconds of scaled decoding of 12 MP photos.")
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args([] if arguments is None else arguments)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    weights = real_photos.shared() / "weights" / WEIGHTS
    if not weights.exists():
        print(f"no {WEIGHTS} under VISTA_NB_SHARED: nothing measured")
        return 0
    contents = [large_photo(seed) for seed in range(options.photos)]
    rows = list(measure(contents, features(weights)))
    report(rows)
    write(rows, options.output, options.photos)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
