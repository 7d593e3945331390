"""Show a drawn picture differently every time: cropped, mirrored, recoloured, as TensorFlow operations.

Reads uint8 batches (n, side, side, 3); returns float32 batches scaled to -1..1, of the same shape.
May touch TensorFlow's random state. So a picture drawn once can be shown in
many epochs without being learnt by heart.
"""

from typing import Any, Final

__all__ = ["varied"]

SMALLEST: Final = 0.7
"""Smallest side of a crop, as a share of the picture's."""


def varied(pictures: Any) -> Any:
    """Crop and stretch, mirror half of them, recolour."""
    import tensorflow as tf

    count, side = tf.shape(pictures)[0], pictures.shape[1]
    shown = tf.image.crop_and_resize(
        tf.cast(pictures, tf.float32), _boxes(tf, count), tf.range(count), (side, side), method="bilinear"
    )
    return _recoloured(tf, shown, count) / 127.5 - 1.0


def _boxes(tf: Any, count: Any) -> Any:
    """Windows (top, left, bottom, right); every second one with left and right exchanged, which mirrors."""
    across = tf.random.uniform((count, 1), SMALLEST, 1.0)
    down = tf.clip_by_value(across * tf.random.uniform((count, 1), 0.85, 1.18), SMALLEST, 1.0)
    top = tf.random.uniform((count, 1)) * (1.0 - down)
    left = tf.random.uniform((count, 1)) * (1.0 - across)
    right = left + across
    mirrored = tf.random.uniform((count, 1)) < 0.5
    return tf.concat([top, tf.where(mirrored, right, left), top + down, tf.where(mirrored, left, right)], axis=1)


def _recoloured(tf: Any, shown: Any, count: Any) -> Any:
    """Mix the channels a little, change gain and brightness; one picture in seven loses its colours."""
    gray = tf.reduce_mean(shown, axis=3, keepdims=True)
    saturation = tf.random.uniform((count, 1, 1, 1), 0.3, 1.3)
    saturation = tf.where(tf.random.uniform((count, 1, 1, 1)) < 0.15, 0.0, saturation)
    gain = tf.random.uniform((count, 1, 1, 3), 0.8, 1.2)
    contrast = tf.random.uniform((count, 1, 1, 1), 0.7, 1.25)
    offset = tf.random.uniform((count, 1, 1, 1), -25.0, 25.0)
    shown = (gray + saturation * (shown - gray)) * gain
    return tf.clip_by_value((shown - 127.5) * contrast + 127.5 + offset, 0.0, 255.0)
