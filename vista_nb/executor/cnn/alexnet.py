"""AlexNet in Keras: the one-tower form of Caffe's `bvlc_alexnet`, which Vista's paper measures and Keras lacks.

Reads nothing, returns an untrained functional model. May touch: Keras, inside functions (throw-away subprocesses and
tests only). Krizhevsky et al. 2012; order and numbers as in models/bvlc_alexnet of Caffe: ReLU, normalisation, pooling.
Weights of that model expect BGR minus the mean of ILSVRC 2012's training pictures, (104.007, 116.669, 122.679): the
channel means of Caffe's imagenet_mean.binaryproto (preprocessing `bvlc`). The rule `caffe` of keras.applications,
(103.939, 116.779, 123.68), is that of the VGG authors; ports of these weights round Caffe's to (104, 117, 124).
Taps: conv1..conv5 are after ReLU, before pooling (conv5 is 13 x 13 x 256); fc6, fc7 after ReLU; fc8 gives logits.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CONVOLUTIONS", "DENSE", "SIZE", "alexnet"]

SIZE = 227
# name, filters, kernel, stride, padding, groups (two since the original was spread over two GPUs)
CONVOLUTIONS = (
    ("conv1", 96, 11, 4, "valid", 1),
    ("conv2", 256, 5, 1, "same", 2),
    ("conv3", 384, 3, 1, "same", 1),
    ("conv4", 384, 3, 1, "same", 2),
    ("conv5", 256, 3, 1, "same", 2),
)
DENSE = (("fc6", 4096), ("fc7", 4096))
_NORMALISED, _POOLED = ("conv1", "conv2"), ("conv1", "conv2", "conv5")


def alexnet(include_top: bool = True) -> Any:
    """60,965,224 parameters for 227 x 227 photos; without the top it ends with pool5 (6 x 6 x 256)."""
    import keras

    from vista_nb.executor.cnn.local_response import LocalResponseNormalization

    layers = keras.layers
    image = x = keras.Input((SIZE, SIZE, 3), name="image")
    for name, filters, kernel, stride, padding, groups in CONVOLUTIONS:
        x = layers.Conv2D(filters, kernel, stride, padding, groups=groups, activation="relu", name=name)(x)
        if name in _NORMALISED:
            x = LocalResponseNormalization(name=name.replace("conv", "norm"))(x)
        if name in _POOLED:
            x = layers.MaxPooling2D(3, 2, name=name.replace("conv", "pool"))(x)
    if include_top:
        x = layers.Flatten(name="flatten")(x)  # rows, columns, channels: the order of the converted weights
        for name, units in DENSE:
            x = layers.Dense(units, activation="relu", name=name)(x)
        x = layers.Dense(1000, name="fc8")(x)
    return keras.Model(image, x, name="alexnet")
