"""A CNN's own scaling of pixel values, as its authors trained it.

Reads a batch (n, h, w, 3), RGB, or (n, h, w, 1), gray (`tf` and `none` only), float32 in [0, 255]; returns a batch of
the same shape. May touch: numpy.
`bvlc` is Caffe's (see alexnet), the other rules are those of keras.applications.imagenet_utils (DESIGN.md section 8).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vista_nb.errors import VistaEnvironmentError

__all__ = ["PREPROCESSING", "preprocess"]

PREPROCESSING = ("tf", "caffe", "bvlc", "torch", "none")
_CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68], dtype=np.float32)
# of Caffe's own imagenet_mean.binaryproto, which the BVLC models (AlexNet) were trained with; `caffe` is VGG's
_BVLC_MEAN_BGR = np.array([104.00699, 116.66877, 122.67892], dtype=np.float32)
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_TORCH_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


_OF_COLOURS = ("caffe", "bvlc", "torch")  # a mean per colour: against one gray channel they would make three of it


def preprocess(batch: NDArray[np.float32], rule: str) -> NDArray[np.float32]:
    """tf: x / 127.5 - 1. caffe, bvlc: BGR minus a mean. torch: x / 255, mean and deviation. none: as it is."""
    if rule in _OF_COLOURS and batch.shape[-1] != 3:
        message = f"preprocessing {rule!r} is for three colours, the CNN takes {batch.shape[-1]}"
        raise VistaEnvironmentError("VST442", message, "write `preprocessing: tf` or `none`")
    if rule == "tf":
        return batch / np.float32(127.5) - np.float32(1)
    if rule == "caffe":
        return batch[..., ::-1] - _CAFFE_MEAN_BGR
    if rule == "bvlc":
        return batch[..., ::-1] - _BVLC_MEAN_BGR
    if rule == "torch":
        return (batch / np.float32(255) - _TORCH_MEAN) / _TORCH_DEVIATION
    if rule == "none":
        return batch
    raise VistaEnvironmentError(
        "VST442", f"no preprocessing {rule!r} for a CNN's input", f"the rules are {', '.join(PREPROCESSING)}"
    )
