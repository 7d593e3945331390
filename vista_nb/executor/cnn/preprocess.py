"""A CNN's own scaling of pixel values, as its authors trained it.

Reads a batch (n, h, w, 3), RGB, float32 in [0, 255]; returns a batch of the same shape. May touch: numpy.
The four rules are those of keras.applications.imagenet_utils (DESIGN.md section 8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vista_nb.errors import VistaEnvironmentError

__all__ = ["PREPROCESSING", "preprocess"]

PREPROCESSING = ("tf", "caffe", "torch", "none")
_CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68], dtype=np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def preprocess(batch: NDArray[np.float32], rule: str) -> NDArray[np.float32]:
    """tf: x / 127.5 - 1. caffe: BGR minus the ImageNet mean. torch: x / 255, mean and deviation. none: as it is."""
    if rule == "tf":
        return batch / np.float32(127.5) - np.float32(1)
    if rule == "caffe":
        return batch[..., ::-1] - _CAFFE_MEAN_BGR
    if rule == "torch":
        return (batch / np.float32(255) - _TORCH_MEAN) / _TORCH_DEVIATION
    if rule == "none":
        return batch
    raise VistaEnvironmentError(
        "VST442", f"no preprocessing {rule!r} for a CNN's input", f"the rules are {', '.join(PREPROCESSING)}"
    )
